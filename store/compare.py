"""What the tasks of each method came to: how many, and how long they waited, ran and took beyond what was asked."""

from collections.abc import Mapping
from dataclasses import replace
from math import ceil
from typing import Any, Final

import sqlalchemy as sa

from lab.status import TaskStatus
from store.spans import spans_of
from store.tables import tasks
from store.task_queries import Queries, Query

NEWEST: Final = 10_000
"""How many tasks of a method are looked at, the newest: more would delay the answer."""
SPANS: Final = ("waited", "ran", "overhead", "total")
TIMED: Final = "process_task"
"""The kind that is asked for by how long it takes; what it takes beyond that is overhead."""
_CHUNK: Final = 1000
# Requests that come together get their numbers in another order than their times.
_DISORDER_US: Final = 60_000_000
_CAME_TO_AN_END: Final = (TaskStatus.DONE.value, TaskStatus.FAILED.value)
_COLUMNS: Final = (
    tasks.c.status, tasks.c.attempt, tasks.c.kind, tasks.c.timeout, tasks.c.options, tasks.c.created_us,
    tasks.c.started_us, tasks.c.finished_us, tasks.c.node, tasks.c.published_us,
)  # fmt: skip
_NAMES: Final = tuple(column.name for column in _COLUMNS)

Comparison = dict[str, Any]


def compare(store: Queries, query: Query, method: str) -> Comparison:
    """What the newest NEWEST tasks of `method` that fit `query` came to.

    `count`, `done`, `failed` and `retried` (run more than once) are numbers of tasks; each of SPANS has its `p50` and
    `p99` in seconds, None where no task has one; `more` says that older tasks were left out.
    """
    spans: dict[str, list[int]] = {name: [] for name in SPANS}
    counts = dict.fromkeys(("count", "done", "failed", "retried"), 0)
    since_us = query.since_us or 0
    # The time is looked at here: the newest come first, and the last of them ends the search.
    fits = store.conditions(replace(query, since_us=None))
    select = sa.select(*_COLUMNS).where(*fits, tasks.c.method == method)
    if query.method not in (None, method):
        select = select.where(sa.false())
    read, oldest = 0, since_us
    with store.engine.connect() as connection:
        newest = select.order_by(tasks.c.num.desc()).limit(NEWEST + 1)
        for values in connection.execute(newest).yield_per(_CHUNK):
            row = dict(zip(_NAMES, values, strict=True))
            oldest = row["created_us"]
            read += 1
            if oldest < since_us - _DISORDER_US or read > NEWEST:
                break
            if oldest < since_us:
                continue
            counts["count"] += 1
            counts["done"] += row["status"] == TaskStatus.DONE
            counts["failed"] += row["status"] == TaskStatus.FAILED
            counts["retried"] += row["attempt"] > 1
            for name, us in known_spans(row).items():
                spans[name].append(us)
    figures = {name: {"p50": rank(values, 50), "p99": rank(values, 99)} for name, values in spans.items()}
    return {**counts, **figures, "more": read > NEWEST and oldest >= since_us}


def known_spans(row: Mapping[str, Any]) -> dict[str, int]:
    """The spans of a task that will not grow any more, in microseconds, as in experiments; overhead is what it ran
    beyond the seconds asked for."""
    waited, ran, total = spans_of(row, 0)
    found = {} if row["started_us"] is None else {"waited": waited}
    if row["finished_us"] is not None and row["status"] in _CAME_TO_AN_END:
        found |= {"ran": ran, "total": total}
        if (
            ran is not None
            and row["kind"] == TIMED
            and row["timeout"] is not None
            and row["status"] == TaskStatus.DONE
        ):
            found["overhead"] = max(0, ran - round(row["timeout"] * 1e6))
    return {name: us for name, us in found.items() if us is not None}


def rank(values: list[int], percent: int) -> float | None:
    """The percentile of `values` (microseconds) by the nearest rank, in seconds."""
    if not values:
        return None
    values.sort()
    return values[ceil(percent * len(values) / 100) - 1] / 1e6
