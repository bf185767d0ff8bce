"""The figures of a report, from the store's tasks."""

from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa

from api.models import task_events, tasks
from api.schedule.reports.percentiles import percentiles
from lab.status import TaskStatus

_AT_ONCE: Final = 5_000
MEASURES: Final = ("waited", "ran", "total")


@dataclass
class _Tally:
    """Counts and times, in seconds, of the tasks of one method and kind."""

    statuses: Counter[str] = field(default_factory=Counter)
    retries: int = 0
    seconds: dict[str, "array[float]"] = field(
        default_factory=lambda: {measure: array("d") for measure in MEASURES}
    )

    def note(self, status: str, created_us: int, started_us: int | None, finished_us: int) -> None:
        self.statuses[status] += 1
        if started_us is None:
            return  # cancelled, or given up, before it began: it has no times to compare
        for measure, begin, end in (
            ("waited", created_us, started_us),
            ("ran", started_us, finished_us),
            ("total", created_us, finished_us),
        ):
            self.seconds[measure].append(max(0, end - begin) / 1e6)

    def figures(self) -> dict[str, Any]:
        return {
            "ended": self.statuses.total(),
            "done": self.statuses[TaskStatus.DONE],
            "failed": self.statuses[TaskStatus.FAILED],
            "cancelled": self.statuses[TaskStatus.CANCELLED],
            "retries": self.retries,
            **{measure: percentiles(self.seconds[measure]) for measure in MEASURES},
        }


def figures(engine: sa.Engine, since_us: int, until_us: int) -> dict[str, Any]:
    """What is to be told of the tasks that ended from `since_us` to before `until_us`, but for those of
    experiments.

    Returns:
        `rows`, one for each method and kind, and `all`: `ended`, `done`, `failed`, `cancelled`, `retries` (of
        these tasks, whenever they were), and p50, p90 and p99 of `waited`, `ran` and `total` in seconds.
    """
    own = tasks.c.experiment_id.is_(None)
    ended = sa.and_(own, tasks.c.finished_us >= since_us, tasks.c.finished_us < until_us)
    tallies: dict[tuple[str, str], _Tally] = {}
    with engine.connect() as connection:
        names = ("method", "kind", "status", "created_us", "started_us", "finished_us")
        query = sa.select(*(tasks.c[name] for name in names)).where(ended)
        for row in connection.execution_options(yield_per=_AT_ONCE).execute(query):
            tally = tallies.setdefault((row.method, row.kind), _Tally())
            tally.note(row.status, row.created_us, row.started_us, row.finished_us)
        retries = (
            sa.select(tasks.c.method, tasks.c.kind, sa.func.count())
            .join(task_events, task_events.c.num == tasks.c.num)
            .where(ended, task_events.c.status == TaskStatus.RETRYING.value)
            .group_by(tasks.c.method, tasks.c.kind)
        )
        for method, kind, n in connection.execute(retries):
            tallies.setdefault((method, kind), _Tally()).retries = n
    rows = [
        {"method": method, "kind": kind, **tally.figures()}
        for (method, kind), tally in sorted(tallies.items())
    ]
    return {"rows": rows, "all": _together(tallies.values()).figures()}


def _together(tallies: Iterable[_Tally]) -> _Tally:
    whole = _Tally()
    for tally in tallies:
        whole.statuses += tally.statuses
        whole.retries += tally.retries
        for measure in MEASURES:
            whole.seconds[measure].extend(tally.seconds[measure])
    return whole
