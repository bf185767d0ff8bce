"""The orders in which tasks are listed, other than that of their numbers."""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, Final

from store.options import due_us
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
    )
]


def in_order(rows: Sequence[dict[str, Any]], sort: str, now: int) -> list[int]:
    """The numbers of `rows`, which have the columns of SORTED_BY, as `sort` has them: what has no value comes last."""
    value = SORTS[sort.lstrip("-")]
    known = [(value(row, now), row["num"]) for row in rows]
    last = [num for found, num in known if found is None]
    up = sorted([one for one in known if one[0] is not None], key=itemgetter(0), reverse=sort.startswith("-"))
    return [num for _, num in up] + last


def _span(begin: int | None, end: int | None, now: int) -> int | None:
    return None if begin is None else (now if end is None else end) - begin


def _due(row: dict[str, Any], now: int) -> int | None:
    """When the task was due; None where it is not yet."""
    due = due_us(row)
    return None if now < due and not row["started_us"] else due


def _waits_from(row: dict[str, Any], now: int) -> int | None:
    """The same, and None where the task ended without a begin."""
    return None if row["finished_us"] and not row["started_us"] else _due(row, now)


SORTS: Final[dict[str, Callable[[dict[str, Any], int], Any]]] = {
    "num": lambda row, _: row["num"],
    "method": lambda row, _: row["method"],
    "kind": lambda row, _: row["kind"],
    "status": lambda row, _: row["status"],
    "worker": lambda row, _: row["worker"],
    "waited": lambda row, now: _span(_waits_from(row, now), row["started_us"], now),
    "ran": lambda row, now: _span(row["started_us"], row["finished_us"], now),
    "total": lambda row, now: _span(_due(row, now), row["finished_us"], now),
}
