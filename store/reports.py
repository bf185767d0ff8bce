"""Reports on a day: their figures from the store's tasks, the reports as they are kept, and their mails."""

import statistics
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from lab.clock import now_us
from lab.status import TaskStatus
from store.engine import writing
from store.spans import spans_of
from store.tables import reports, task_events, tasks
from store.task_queries import Row

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

    def note(self, row: Row) -> None:
        """Enters a task that has ended."""
        self.statuses[row["status"]] += 1
        if row["started_us"] is None:
            return  # cancelled, or given up, before it began: it has no times to compare
        for measure, us in spans_of(row, row["finished_us"])._asdict().items():
            if us is not None:
                self.seconds[measure].append(us / 1e6)

    def figures(self) -> dict[str, Any]:
        return {
            "ended": self.statuses.total(),
            "done": self.statuses[TaskStatus.DONE],
            "failed": self.statuses[TaskStatus.FAILED],
            "cancelled": self.statuses[TaskStatus.CANCELLED],
            "retries": self.retries,
            **{measure: _percentiles(self.seconds[measure]) for measure in MEASURES},
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
        names = (
            "method", "kind", "status", "options", "created_us", "started_us", "finished_us", "node", "published_us",
        )  # fmt: skip
        query = sa.select(*(tasks.c[name] for name in names)).where(ended)
        for values in connection.execution_options(yield_per=_AT_ONCE).execute(query):
            row = dict(zip(names, values, strict=True))
            tally = tallies.setdefault((row["method"], row["kind"]), _Tally())
            tally.note(row)
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


def _percentiles(values: Sequence[float]) -> dict[str, float] | None:
    """p50, p90 and p99; None of no values."""
    if not values:
        return None
    # One value has no quantiles; twice the same one has.
    cuts = statistics.quantiles(values if len(values) > 1 else [*values, *values], n=100, method="inclusive")
    return {"p50": cuts[49], "p90": cuts[89], "p99": cuts[98]}


class ReportRows:
    """The table of reports. May be shared by threads."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def make(self, task_id: str, since_us: int, until_us: int) -> Row:
        """The report of the task `task_id`: made now, or earlier by the same task."""
        mine = reports.c.task_id == task_id
        if (known := self._one(mine)) is not None:
            return known
        values = {
            "task_id": task_id,
            "since_us": since_us,
            "until_us": until_us,
            "figures": figures(self._engine, since_us, until_us),
            "created_us": now_us(),
        }
        try:
            with writing(self._engine) as connection:
                made = connection.execute(reports.insert().values(values).returning(reports))
                return dict(made.mappings().one())
        except IntegrityError:  # the same task, delivered twice: the other worker was faster
            return self.make(task_id, since_us, until_us)

    def get(self, report_id: int) -> Row | None:
        """The report with this id, or None."""
        return self._one(reports.c.id == report_id)

    def newest(self, limit: int) -> list[Row]:
        """The newest reports."""
        query = sa.select(reports).order_by(reports.c.id.desc()).limit(limit)
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def begin_mail(self, task_id: str) -> bool:
        """Notes that the task's report is about to be handed to the mail server; False where that was noted
        before and did not fail, for then nobody may hand it over again."""
        free = sa.or_(reports.c.mail.is_(None), reports.c.mail == "failed")
        return self._set_mail(sa.and_(reports.c.task_id == task_id, free), "sending", None)

    def end_mail(self, task_id: str, state: str, error: str | None) -> None:
        """Notes that the task's mail is `sent`, or `failed` with an `error`."""
        unsent = sa.or_(reports.c.mail.is_(None), reports.c.mail != "sent")
        self._set_mail(sa.and_(reports.c.task_id == task_id, unsent), state, error)

    def _set_mail(self, where: sa.ColumnElement[bool], state: str, error: str | None) -> bool:
        change = reports.update().where(where).values(mail=state, mail_error=error, mail_us=now_us())
        with writing(self._engine) as connection:
            return connection.execute(change).rowcount == 1

    def _one(self, where: sa.ColumnElement[bool]) -> Row | None:
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(reports).where(where)).mappings().first()
        return None if row is None else dict(row)
