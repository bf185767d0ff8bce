"""Reading experiments, and where their tasks stand."""

import logging
from collections.abc import Collection, Sequence
from typing import Any, Final

import sqlalchemy as sa

from experiments.model import Experiment, Sample
from experiments.sampling import unpack
from lab.clock import now_us
from lab.status import TaskStatus
from store.tables import experiment_runs, experiments, task_events, tasks
from store.task_queries import Row

OPEN: Final = ("PENDING", "IN_PROGRESS")
_FINAL: Final = [status.value for status in TaskStatus if status.final]
_SAMPLED: Final = (
    "num", "status", "attempt", "worker", "created_us", "published_us", "started_us", "finished_us",
)  # fmt: skip
_UNLISTED: Final = ("race", "key", "cancel_us", "lease_until_us")
_LISTED: Final = [column for column in experiments.c if column.name not in _UNLISTED]

# Plans that were stored before there was a choice: their reports were in the path.
_BEFORE: Final = {"reports": "in_path"}

logger = logging.getLogger(__name__)


class ExperimentQueries:
    """Reads the tables of experiments behind `engine`."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine

    def get(self, experiment_id: str, *, runs: bool = True) -> Experiment | None:
        """The experiment with this id, with its repetitions but for their samples, or without them where not
        `runs`; None if there is none."""
        if "\x00" in experiment_id:  # PostgreSQL refuses such text
            return None
        with self.engine.connect() as connection:
            row = connection.execute(sa.select(*_LISTED).where(experiments.c.id == experiment_id)).first()
            if row is None:
                return None
            if not runs:
                return _experiment(row, [])
            columns = [column for column in experiment_runs.c if column.name not in ("num", "samples")]
            query = (
                sa.select(*columns)
                .where(experiment_runs.c.num == row.num)
                .order_by(experiment_runs.c.turn, experiment_runs.c.arm)
            )
            found = [dict(run) for run in connection.execute(query).mappings()]
        return _experiment(row, found)

    def page(self, limit: int, before: int | None = None) -> tuple[list[Experiment], int | None]:
        """The newest experiments without their repetitions, and the number after which older ones follow;
        None where there are no more."""
        query = sa.select(*_LISTED).order_by(experiments.c.num.desc()).limit(limit + 1)
        if before is not None:
            query = query.where(experiments.c.num < before)
        rows = self._all(query)
        more = rows[limit - 1].num if len(rows) > limit else None
        return [one for row in rows[:limit] if (one := _readable(row))], more

    def knows(self, key: str) -> bool:
        """Whether an experiment came under this Idempotency-Key."""
        return bool(self._all(sa.select(experiments.c.num).where(experiments.c.key == key)))

    def race(self, experiment_id: str) -> dict[str, list[tuple[float, float]]]:
        """The running turn's curves, (seconds, share of jobs that have ended), by `experiments.model.arm_key`."""
        found = self._all(sa.select(experiments.c.race).where(experiments.c.id == experiment_id))
        curves = (found[0].race if found else None) or {}
        return {name: [(x, y) for x, y in curve] for name, curve in curves.items()}

    def samples(self, experiment_id: str, turn: int, arm: int) -> list[Sample]:
        """The samples of one repetition; none where it was not kept."""
        query = (
            sa.select(experiment_runs.c.samples)
            .join(experiments, experiments.c.num == experiment_runs.c.num)
            .where(experiments.c.id == experiment_id, experiment_runs.c.turn == turn)
            .where(experiment_runs.c.arm == arm)
        )
        found = self._all(query)
        return unpack(found[0].samples) if found else []

    def overdue(self) -> list[str]:
        """Experiments that nobody runs any more: their leases have run out."""
        return self._late(experiments.c.status == "IN_PROGRESS")

    def not_cleaned_up(self) -> list[str]:
        """Experiments that have ended and whose leases have run out instead of being given back."""
        return self._late(experiments.c.status.not_in(OPEN), experiments.c.lease_until_us > 0)

    def _late(self, *wanted: sa.ColumnElement[bool]) -> list[str]:
        late = sa.select(experiments.c.id).where(experiments.c.lease_until_us < now_us(), *wanted)
        return [row.id for row in self._all(late)]

    def under_way(self) -> bool:
        """Whether an experiment runs."""
        query = sa.select(experiments.c.num).where(experiments.c.status == "IN_PROGRESS")
        return bool(self._all(query.limit(1)))

    def waiting(self) -> bool:
        """Whether an experiment waits for its turn."""
        query = sa.select(experiments.c.num).where(experiments.c.status == "PENDING")
        return bool(self._all(query.limit(1)))

    def unfinished_tasks(self, experiment_id: str, first: int = 0) -> list[str]:
        """The ids of its tasks numbered `first` and above that have not ended."""
        this = sa.and_(tasks.c.experiment_id == experiment_id, tasks.c.num >= first)
        return [row.id for row in self._all(sa.select(tasks.c.id).where(this, tasks.c.status.not_in(_FINAL)))]

    def database(self) -> str:
        """Which database the store is, such as "SQLite 3.40.1"."""
        names = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
        with self.engine.connect() as connection:
            dialect = connection.dialect
            version = dialect.server_version_info or ()
        return f"{names.get(dialect.name, dialect.name)} {'.'.join(map(str, version))}".strip()

    def last_event(self) -> int:
        """The number of the newest entry in any task's history; 0 if there is none."""
        return self._all(sa.select(sa.func.max(task_events.c.id)))[0][0] or 0

    def begun_by_others(self, experiment_id: str, method: str, event_id: int) -> int:
        """How many tasks of `method` that are not the experiment's workers have begun since that entry."""
        others = sa.func.coalesce(tasks.c.experiment_id, "") != experiment_id
        query = (
            sa.select(sa.func.count(sa.distinct(task_events.c.num)))
            .select_from(task_events.join(tasks, tasks.c.num == task_events.c.num))
            .where(task_events.c.id > event_id, task_events.c.status == TaskStatus.IN_PROGRESS.value)
            .where(tasks.c.method == method, others)
        )
        with self.engine.connect() as connection:
            return connection.execute(query).scalar_one()

    def ends_after(self, event_id: int) -> tuple[int, list[int]]:
        """The numbers of the tasks that have ended since that entry, and the number of the newest one."""
        query = sa.select(task_events.c.id, task_events.c.num, task_events.c.status)
        rows = self._all(query.where(task_events.c.id > event_id).order_by(task_events.c.id))
        return (rows[-1].id if rows else event_id), [row.num for row in rows if row.status in _FINAL]

    def sampled(
        self, experiment_id: str, first: int, last: int
    ) -> tuple[list[Row], list[Row], dict[int, int]]:
        """Its tasks numbered `first` to `last` with the times that samples hold, the entries of their histories
        about ends and retries, and how often those were begun that were begun more than once: at different times,
        since the same begin may be reported twice."""
        this = sa.and_(tasks.c.experiment_id == experiment_id, tasks.c.num.between(first, last))
        with_task = task_events.join(tasks, tasks.c.num == task_events.c.num)
        ends = task_events.c.status.in_([*_FINAL, TaskStatus.RETRYING.value])
        events = (
            sa.select(task_events.c.num, task_events.c.status, task_events.c.recorded_us)
            .select_from(with_task)
            .where(this, ends)
        )
        times = sa.func.count(sa.distinct(task_events.c.at_us))
        begins = (
            sa.select(task_events.c.num, times.label("times"))
            .select_from(with_task)
            .where(this, task_events.c.status == TaskStatus.IN_PROGRESS.value)
            .group_by(task_events.c.num)
            .having(times > 1)
        )
        with self.engine.connect() as connection:
            rows = connection.execute(sa.select(*(tasks.c[name] for name in _SAMPLED)).where(this))
            found = [dict(row) for row in rows.mappings()]
            told = [dict(row) for row in connection.execute(events).mappings()]
            return found, told, {row.num: row.times for row in connection.execute(begins)}

    def _all(self, query: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        with self.engine.connect() as connection:
            return connection.execute(query).all()


def _readable(row: sa.Row[Any]) -> Experiment | None:
    """The experiment in `row`; None where it cannot be read, which is logged: no row takes a list down."""
    try:
        return _experiment(row, [])
    except (ValueError, TypeError) as error:
        logger.warning("experiment %s cannot be read: %s", row.id, error)
        return None


def _experiment(row: sa.Row[Any], runs: Collection[Row]) -> Experiment:
    told = row._asdict()
    del told["num"]
    kept = (told.pop("setting") or {}) | (told.pop("outcome") or {})
    return Experiment.model_validate({**told, "plan": {**_BEFORE, **row.plan}, "runs": runs, **kept})
