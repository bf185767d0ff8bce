"""A workflow's plan: its stages, branches and edges."""

import pytest

from lab.plan import MOST_NODES, Each, PlanStage, WorkflowPlan

FAN = WorkflowPlan(
    stages=[
        PlanStage(branches=[["list"]]),
        PlanStage(branches=[["a1", "b1"], ["a2", "b2"]], parallel=True),
        PlanStage(branches=[["end"]]),
    ]
)
MAP = WorkflowPlan(
    stages=[
        PlanStage(branches=[["list"]]),
        PlanStage(parallel=True, each=Each(kinds={"": "download"})),
        PlanStage(branches=[["end"]]),
    ]
)


def test_each_node_is_in_its_stage_and_what_was_made_later_in_the_map_s() -> None:
    assert [FAN.stage_of(name) for name in ("list", "a1", "b2", "end")] == [0, 1, 1, 2]
    assert MAP.stage_of("item-7") == MAP.made_at == 1
    assert FAN.made_at == -1


def test_edges_follow_the_branches_and_join_them() -> None:
    assert FAN.edges([]) == [
        ("list", "a1"),
        ("a1", "b1"),
        ("list", "a2"),
        ("a2", "b2"),
        ("b1", "end"),
        ("b2", "end"),
    ]


def test_the_edges_of_a_map_are_there_once_its_nodes_are() -> None:
    assert MAP.edges([]) == [("list", "end")]
    made = ["item-1", "item-2"]
    assert MAP.edges(made) == [
        ("list", "item-1"),
        ("list", "item-2"),
        ("item-1", "end"),
        ("item-2", "end"),
    ]


def test_what_is_behind_a_node_ends_with_its_branch() -> None:
    assert FAN.behind("a2") == ["b2"]
    assert FAN.behind("b2") == []
    assert MAP.behind("item-1") == []


def test_the_nodes_after_a_stage_are_those_that_are_known() -> None:
    assert [FAN.nodes_after(place) for place in range(3)] == [5, 1, 0]
    assert [MAP.nodes_after(place) for place in range(3)] == [1, 1, 0]


def test_an_item_s_scheme_chooses_its_branch() -> None:
    each = Each(kinds={"s3": "download_s3", "": "download"}, fail_at="item-3")
    steps = each.steps(["s3://bucket/a", "file:///b", "file:///c", 4])
    assert [step.kind for step in steps] == ["download_s3", "download", "failing_step", "download"]
    assert [step.name for step in steps] == ["item-1", "item-2", "item-3", "item-4"]
    assert steps[0].params == {"path": "s3://bucket/a"}


@pytest.mark.parametrize("items", ["text", None, {"a": 1}, ["x"] * (MOST_NODES + 1)])
def test_a_map_takes_a_list_that_is_not_too_long(items: object) -> None:
    with pytest.raises(ValueError, match="at most 1000 items"):
        Each(kinds={"": "download"}).steps(items)


def test_a_plan_comes_back_from_json_as_it_went() -> None:
    for plan in (FAN, MAP):
        assert WorkflowPlan.model_validate(plan.model_dump(mode="json", exclude_defaults=True)) == plan
