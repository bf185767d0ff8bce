"""How long a task waited, ran and took in all: one meaning for lists, orders, comparisons and reports."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from store.options import due_us


class TaskSpans(NamedTuple):
    """Microseconds, never below zero: two machines' clocks may differ a little. None is what is not known.

    Attributes:
        waited: from when the task was due to its begin.
        ran: from there to its end.
        total: from when it was due to its end.
    """

    waited: int | None
    ran: int | None
    total: int | None


def spans_of(row: Mapping[str, Any], now: int) -> TaskSpans:
    """The spans of a task; of one under way what has passed until `now` (microseconds since the epoch). A task whose
    begin was never told has not waited for a known time, and one that is not due yet has none of them. A later step of
    a workflow is sent by a worker, at a time that nobody tells: how long it waited is not known."""
    due, begun, ended = due_us(row), row["started_us"], row["finished_us"]
    until = now if ended is None else ended
    ran = None if begun is None else max(0, until - begun)
    sent_by_a_worker = row["node"] is not None and row["published_us"] is None
    if sent_by_a_worker or (begun is None and until < due):
        return TaskSpans(None, ran, None)
    first = begun if begun is not None else until if ended is None else None
    return TaskSpans(None if first is None else max(0, first - due), ran, max(0, until - due))
