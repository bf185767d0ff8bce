"""Where the nodes of a workflow stand in its picture: boxes in layers, curves between them. Pure functions."""

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from lab.status import TaskStatus
from store.task_queries import count_statuses

AWAITED: Final = "awaited"
SLIM: Final = 160.0
SLIM_EXTRA: Final = 20.0
Edge = tuple[str, str]


@dataclass(frozen=True)
class Node:
    """A node as the picture needs it; `key` is its task's id, or AWAITED where its tasks are still to be
    made, and stands in for `slots` of them."""

    key: str
    name: str
    kind: str
    status: str = TaskStatus.PENDING.value
    slots: int = 1


@dataclass(frozen=True)
class Box:
    """One node, or a stack of several: `nodes` is who is in it. `x` and `y` are its upper left corner."""

    key: str
    layer: int
    nodes: tuple[Node, ...]
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0

    @property
    def is_slim(self) -> bool:
        """Whether it is too narrow for two counters beside each other."""
        return self.width < SLIM

    @property
    def is_stack(self) -> bool:
        """Whether it stands for several nodes."""
        return len(self.nodes) > 1

    @property
    def counts(self) -> dict[str, int]:
        """How many of its nodes stand at each status."""
        return count_statuses(node.status for node in self.nodes)

    @property
    def status(self) -> str:
        """How the box stands as a whole."""
        return whole(self.counts)


@dataclass(frozen=True)
class Curve:
    """What goes from the box `begin` to the box `end`; `path` is the `d` of an SVG path."""

    begin: str
    end: str
    path: str


@dataclass(frozen=True)
class GraphStyle:
    """How a picture is drawn, in pixels.

    Attributes:
        across: layers stand beside each other, from left to right; otherwise below each other.
        width: of a box, the widest one where they share `room`.
        gap: between the boxes of a layer.
        reach: between two layers.
        most: a layer of more nodes than this is folded into stacks.
        room: how wide the picture is where layers stand below each other.
    """

    across: bool
    width: float
    height: float
    stack_height: float
    gap: float
    reach: float
    most: int
    room: float = 0.0


@dataclass(frozen=True)
class Picture:
    """A workflow drawn: the boxes layer by layer, the curves, and the layer of each node."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    curves: tuple[Curve, ...]
    layers: dict[str, int]


WIDE: Final = GraphStyle(across=True, width=224, height=62, stack_height=78, gap=12, reach=52, most=12)
NARROW: Final = GraphStyle(
    across=False, width=224, height=62, stack_height=78, gap=8, reach=34, most=3, room=320
)
TINY: Final = GraphStyle(across=True, width=22, height=12, stack_height=12, gap=6, reach=20, most=12)


def draw(nodes: Sequence[Node], edges: Iterable[Edge], look: GraphStyle) -> Picture:
    """Lays out `nodes`, in their order, and what goes between them."""
    known = {node.key for node in nodes}
    links = [(begin, end) for begin, end in edges if begin in known and end in known]
    layers = _layers([node.key for node in nodes], links)
    columns: dict[int, list[Node]] = defaultdict(list)
    for node in nodes:
        columns[layers[node.key]].append(node)
    stacked = [_fold(layer, columns[layer], look) for layer in sorted(columns)]
    boxes, width, height = (_across if look.across else _below)(stacked, look)
    place = {node.key: box for box in boxes for node in box.nodes}
    pairs = dict.fromkeys((place[begin].key, place[end].key) for begin, end in links)
    by_key = {box.key: box for box in boxes}
    curves = [
        Curve(begin, end, _curve(by_key[begin], by_key[end], across=look.across)) for begin, end in pairs
    ]
    return Picture(width, height, tuple(boxes), tuple(curves), layers)


def whole(counts: dict[str, int]) -> str:
    """The status of many as one: what went wrong first, then what is under way."""
    present = [status for status, n in counts.items() if n]
    if len(present) == 1:
        return present[0]
    for status in (TaskStatus.FAILED, TaskStatus.CANCELLED):
        if counts[status]:
            return status.value
    return TaskStatus.IN_PROGRESS.value if present else TaskStatus.PENDING.value


def _layers(keys: Sequence[str], links: Sequence[Edge]) -> dict[str, int]:
    """How many steps come before each node on its longest way."""
    after: dict[str, list[str]] = defaultdict(list)
    missing = Counter(end for _, end in links)
    for begin, end in links:
        after[begin].append(end)
    found = dict.fromkeys(keys, 0)
    ready = deque(key for key in keys if not missing[key])
    while ready:
        key = ready.popleft()
        for end in after[key]:
            found[end] = max(found[end], found[key] + 1)
            missing[end] -= 1
            if not missing[end]:
                ready.append(end)
    return found


def _fold(layer: int, nodes: list[Node], look: GraphStyle) -> list[Box]:
    """The boxes of a layer: where there are too many nodes, those of one kind become one stack; where there
    are too many kinds, all of them."""
    if len(nodes) <= look.most:
        return [Box(node.key, layer, (node,)) for node in nodes]
    kinds: dict[str, list[Node]] = defaultdict(list)
    for node in nodes:
        kinds[node.kind].append(node)
    if len(kinds) > look.most:
        return [Box(f"{layer}", layer, tuple(nodes))]
    return [
        Box(f"{layer}/{kind}" if some[1:] else some[0].key, layer, tuple(some))
        for kind, some in kinds.items()
    ]


def _height(box: Box, look: GraphStyle) -> float:
    return look.stack_height if box.is_stack else look.height


def _across(stacked: list[list[Box]], look: GraphStyle) -> tuple[list[Box], float, float]:
    """Layers from left to right, each in the middle of the height."""
    heights = []
    for boxes in stacked:
        slots = [node.slots for box in boxes for node in box.nodes if node.slots > 1]
        real = sum(_height(box, look) for box in boxes) + look.gap * (len(boxes) - 1)
        kept = max((min(n, look.most) * (look.height + look.gap) - look.gap for n in slots), default=0)
        heights.append((real, max(real, kept)))
    height = max((kept for _, kept in heights), default=0)
    placed = []
    for column, (boxes, (real, _)) in enumerate(zip(stacked, heights, strict=True)):
        y = (height - real) / 2
        for box in boxes:
            size = _height(box, look)
            x = column * (look.width + look.reach)
            placed.append(replace(box, x=x, y=y, width=look.width, height=size))
            y += size + look.gap
    return placed, max(0, len(stacked) * (look.width + look.reach) - look.reach), height


def _below(stacked: list[list[Box]], look: GraphStyle) -> tuple[list[Box], float, float]:
    """Layers from top to bottom; the boxes of each share the room."""
    placed: list[Box] = []
    y = 0.0
    for boxes in stacked:
        n = len(boxes)
        width = min(look.width, (look.room - look.gap * (n - 1)) / n)
        x = (look.room - n * width - look.gap * (n - 1)) / 2
        tall = max(_height(box, look) for box in boxes)
        if width < SLIM and any(box.is_stack for box in boxes):
            tall += SLIM_EXTRA
        for box in boxes:
            placed.append(replace(box, x=x, y=y, width=width, height=tall))
            x += width + look.gap
        y += tall + look.reach
    return placed, look.room, max(0.0, y - look.reach)


def _curve(begin: Box, end: Box, *, across: bool) -> str:
    if across:
        x1, y1, x2, y2 = begin.x + begin.width, begin.y + begin.height / 2, end.x, end.y + end.height / 2
        middle = (x1 + x2) / 2
        return f"M{x1:g} {y1:g}C{middle:g} {y1:g} {middle:g} {y2:g} {x2:g} {y2:g}"
    x1, y1, x2, y2 = begin.x + begin.width / 2, begin.y + begin.height, end.x + end.width / 2, end.y
    middle = (y1 + y2) / 2
    return f"M{x1:g} {y1:g}C{x1:g} {middle:g} {x2:g} {middle:g} {x2:g} {y2:g}"
