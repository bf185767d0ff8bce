"""The orders in which tasks are listed, other than that of their numbers."""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, Final

from store.spans import spans_of
from store.tables import tasks

WINDOW: Final = 10_000
"""How many tasks are put in order: the newest."""
SORTED_BY: Final = [
    tasks.c[name]
    for name in (
        "num",
        "method",
        "kind",
        "status",
        "worker",
        "options",
        "created_us",
        "started_us",
        "finished_us",
        "node",
        "published_us",
    )
]


def in_order(rows: Sequence[dict[str, Any]], sort: str, now: int) -> list[int]:
    """The numbers of `rows`, which have the columns of SORTED_BY, as `sort` has them: what has no value comes last."""
    value = SORTS[sort.lstrip("-")]
    known = [(value(row, now), row["num"]) for row in rows]
    last = [num for found, num in known if found is None]
    up = sorted([one for one in known if one[0] is not None], key=itemgetter(0), reverse=sort.startswith("-"))
    return [num for _, num in up] + last


SORTS: Final[dict[str, Callable[[dict[str, Any], int], Any]]] = {
    "num": lambda row, _: row["num"],
    "method": lambda row, _: row["method"],
    "kind": lambda row, _: row["kind"],
    "status": lambda row, _: row["status"],
    "worker": lambda row, _: row["worker"],
    "waited": lambda row, now: spans_of(row, now).waited,
    "ran": lambda row, now: spans_of(row, now).ran,
    "total": lambda row, now: spans_of(row, now).total,
}
