"""Where the boxes of a workflow's picture stand."""

import time
from itertools import combinations, pairwise

import pytest

from api.workflows.graph import AWAITED, NARROW, TINY, WIDE, Box, GraphStyle, Node, draw, whole
from api.workflows.patterns import build
from api.workflows.schemas import PATTERNS
from lab.status import TaskStatus

LOOKS = [WIDE, NARROW, TINY]


def drawn_from(pattern: str, n: int, status: str = "PENDING") -> tuple[list[Node], list[tuple[str, str]]]:
    """The nodes and edges of a pattern over `n` paths; a name is its own key."""
    plan, steps = build(pattern, "rabbitmq", {}, [f"file:///{i}" for i in range(n)], n, None)
    made = [f"item-{i + 1}" for i in range(n)] if plan.made_at >= 0 else []
    nodes = [Node(step.name, step.name, step.kind, status) for step in steps]
    kinds = ["download_file", "download_s3", "download_web"]
    nodes += [Node(name, name, kinds[place % 3], status) for place, name in enumerate(made)]
    return nodes, plan.edges(made)


def overlap(one: Box, other: Box) -> bool:
    beside = one.x + one.width <= other.x or other.x + other.width <= one.x
    return not beside and not (one.y + one.height <= other.y or other.y + other.height <= one.y)


@pytest.mark.parametrize("look", LOOKS, ids=["wide", "narrow", "tiny"])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 12, 13, 333])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_no_box_lies_over_another_and_none_outside(pattern: str, n: int, look: GraphStyle) -> None:
    picture = draw(*drawn_from(pattern, n), look)
    assert not any(overlap(one, other) for one, other in combinations(picture.boxes, 2))
    for box in picture.boxes:
        assert box.x >= 0
        assert box.y >= 0
        assert box.x + box.width <= picture.width + 1e-6
        assert box.y + box.height <= picture.height + 1e-6


@pytest.mark.parametrize("pattern", PATTERNS)
def test_each_node_is_in_one_box_and_each_edge_leads_on(pattern: str) -> None:
    nodes, edges = drawn_from(pattern, 5)
    picture = draw(nodes, edges, WIDE)
    assert sorted(node.key for box in picture.boxes for node in box.nodes) == sorted(n.key for n in nodes)
    assert {(curve.begin, curve.end) for curve in picture.curves} == set(edges)
    assert all(picture.layers[end] == picture.layers[begin] + 1 for begin, end in edges)


def test_layers_stand_from_left_to_right_or_from_top_to_bottom() -> None:
    nodes, edges = drawn_from("chain", 1)
    across, below = draw(nodes, edges, WIDE), draw(nodes, edges, NARROW)
    assert all(one.x + one.width < two.x and one.y == two.y for one, two in pairwise(across.boxes))
    assert all(one.y + one.height < two.y and one.x == two.x for one, two in pairwise(below.boxes))
    assert [box.key for box in across.boxes] == ["list", "download", "count", "merge"]


def test_the_same_workflow_is_always_drawn_the_same() -> None:
    nodes, edges = drawn_from("conditional_map", 30)
    assert draw(nodes, edges, WIDE) == draw(nodes, edges, WIDE)


def test_a_status_that_moves_moves_no_box() -> None:
    places = [
        [(box.x, box.y, box.width, box.height) for box in draw(*drawn_from("chord", n, status), look).boxes]
        for status in ("PENDING", "FAILED")
        for n, look in ((12, WIDE), (100, WIDE), (100, NARROW))
    ]
    assert places[:3] == places[3:]


def test_more_than_twelve_are_folded_into_a_stack_for_each_kind() -> None:
    assert len(draw(*drawn_from("chord", 12), WIDE).boxes) == 13
    chord = draw(*drawn_from("chord", 13), WIDE)
    assert [(box.key, len(box.nodes)) for box in chord.boxes] == [("0/download", 13), ("write", 1)]
    conditional = draw(*drawn_from("conditional_map", 14), WIDE)
    assert [(box.key, len(box.nodes)) for box in conditional.boxes] == [
        ("list", 1),
        ("1/download_file", 5),
        ("1/download_s3", 5),
        ("1/download_web", 4),
        ("write", 1),
    ]
    assert len(conditional.curves) == 6


def test_one_that_is_of_another_kind_stays_by_itself() -> None:
    nodes, edges = drawn_from("chord", 20)
    nodes[4] = Node("download-5", "download-5", "failing_step", "FAILED")
    picture = draw(nodes, edges, WIDE)
    assert [box.key for box in picture.boxes] == ["0/download", "download-5", "write"]
    assert [box.status for box in picture.boxes] == ["PENDING", "FAILED", "PENDING"]


def test_too_many_kinds_for_the_room_become_one_stack() -> None:
    nodes = [Node(f"{n}", f"{n}", f"kind-{n}") for n in range(5)]
    (box,) = draw(nodes, [], NARROW).boxes
    assert (box.key, len(box.nodes), box.is_slim) == ("0", 5, False)


def test_a_place_is_kept_for_those_that_a_map_will_make() -> None:
    listing, write = Node("list", "list", "list_paths"), Node("write", "write", "write_paths")
    awaited = Node(AWAITED, "", "", slots=6)
    before = draw([listing, write, awaited], [("list", AWAITED), (AWAITED, "write")], WIDE)
    items = [Node(f"item-{n}", f"item-{n}", "download") for n in range(6)]
    edges = [("list", item.key) for item in items] + [(item.key, "write") for item in items]
    after = draw([listing, write, *items], edges, WIDE)
    assert (before.width, before.height) == (after.width, after.height)
    for key in ("list", "write"):
        (one,), (other,) = ([box for box in p.boxes if box.key == key] for p in (before, after))
        assert (one.x, one.y) == (other.x, other.y)


def test_a_thousand_nodes_are_drawn_within_a_second() -> None:
    began = time.perf_counter()
    picture = draw(*drawn_from("chain_group_chord", 1000), WIDE)
    assert time.perf_counter() - began < 1
    assert [len(box.nodes) for box in picture.boxes] == [1, 1000, 1000, 1]
    assert len(picture.curves) == 3


def test_edges_to_nowhere_and_no_nodes_at_all_are_borne() -> None:
    assert draw([], [], WIDE).boxes == ()
    assert draw([], [], NARROW).height == 0
    assert draw([Node("a", "a", "x")], [("a", "gone"), ("gone", "a")], WIDE).curves == ()


@pytest.mark.parametrize(
    ("counts", "status"),
    [
        ({}, "PENDING"),
        ({"PENDING": 4}, "PENDING"),
        ({"PENDING": 4, "DONE": 1}, "IN_PROGRESS"),
        ({"IN_PROGRESS": 1, "DONE": 1}, "IN_PROGRESS"),
        ({"DONE": 3}, "DONE"),
        ({"DONE": 3, "FAILED": 1, "CANCELLED": 1}, "FAILED"),
        ({"DONE": 3, "CANCELLED": 1}, "CANCELLED"),
    ],
)
def test_many_stand_as_one(counts: dict[str, int], status: str) -> None:
    assert whole({**dict.fromkeys(TaskStatus.__members__, 0), **counts}) == status
