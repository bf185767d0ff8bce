"""A table as page, report and Markdown draw it: all values are texts in the reader's language."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

NOTHING = "–"


class Column(NamedTuple):
    """The head of a column. Where it is an arm's, `method` is the arm's, and `sample` a bit of its line in charts."""

    title: str
    numeric: bool = True
    method: str = ""
    sample: str = ""


class Cell(NamedTuple):
    """A value, with its interval where it has one, a mark where it is a judgement (a CSS class), and remarks."""

    value: str
    bounds: str = ""
    mark: str = ""
    remarks: tuple[str, ...] = ()


class Row(NamedTuple):
    """A row; `data` becomes its data attributes."""

    title: str
    cells: tuple[Cell, ...]
    data: Mapping[str, str] = {}


@dataclass(frozen=True)
class Table:
    """`rows` below `columns`, of which the first is that of the rows' titles.

    Attributes:
        kind: how it looks; one that is "plain" may be long, and scrolls.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    caption: str = ""
    kind: Literal["", "plain", "differ", "fair", "winners"] = ""


def plain(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table of texts; the first of a row is its title."""
    return Table(
        tuple(map(Column, head)),
        tuple(Row(first, tuple(map(Cell, rest))) for first, *rest in rows),
        caption,
        "plain",
    )
