"""What the store knows of the schedule: the due times that were taken up, and removing what ended long ago."""

from collections import Counter
from collections.abc import Callable
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from lab.clock import now_us
from lab.status import TaskStatus
from store.engine import take_turn, writing
from store.removal import remove
from store.tables import (
    experiments,
    fault_runs,
    reports,
    schedule_runs,
    submissions,
    task_groups,
    tasks,
    workflows,
)
from store.task_queries import Row

BATCH: Final = 500
_FEW: Final = 10
_FINAL: Final = [status.value for status in TaskStatus if status.final]


class RunRows:
    """The table of runs. May be shared by threads."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def add(self, entry: str, due_us: int | None, task_id: str | None) -> bool:
        """Notes that `entry` became the task `task_id` (None: was passed over), for `due_us` or (None) by hand;
        False where that due time was taken up before."""
        values = {"entry": entry, "due_us": due_us, "task_id": task_id or "", "created_us": now_us()}
        try:
            with writing(self._engine) as connection:
                connection.execute(schedule_runs.insert().values(values))
        except IntegrityError:
            return False
        return True

    def newest(self, entry: str, limit: int) -> list[Row]:
        """The newest runs of `entry`, each with its task's number, status, error and end; those are None where the
        task was removed since. `task_id` is empty where a due time was passed over."""
        its_task = (tasks.c.num, tasks.c.status, tasks.c.error, tasks.c.finished_us)
        query = (
            sa.select(schedule_runs, *its_task)
            .outerjoin(tasks, tasks.c.id == schedule_runs.c.task_id)
            .where(schedule_runs.c.entry == entry)
            .order_by(schedule_runs.c.id.desc())
            .limit(limit)
        )
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def heard_us(self) -> int | None:
        """When beat's word was last taken up; None where it never was."""
        by_beat = schedule_runs.c.due_us.is_not(None)
        query = sa.select(schedule_runs.c.created_us).where(by_beat).order_by(schedule_runs.c.id.desc())
        with self._engine.connect() as connection:
            return connection.execute(query.limit(1)).scalar()


class Cleanup:
    """Removes old tasks and what belongs to them from the store of `engine`, so little in one transaction that
    nobody waits for it. May be shared by threads; two that clean at once share the work."""

    def __init__(self, engine: sa.Engine, batch: int = BATCH) -> None:
        self._engine = engine
        self._batch = batch

    def step(self, before_us: int) -> tuple[dict[str, int], bool]:
        """Removes some of what ended before `before_us`; returns how much of what, and whether there is more.

        Tasks go with their histories; those of a group or a workflow once all of it has ended before, and
        then the group or workflow too. A task that waits or runs is never touched, however old.
        """
        removed: Counter[str] = Counter()
        steps: tuple[Callable[[sa.Connection, int], Counter[str]], ...] = (
            self._single_tasks,
            self._groups,
            self._workflows,
            self._experiments,
            self._others,
        )
        for step in steps:
            with writing(self._engine) as connection:
                take_turn(connection)
                done = step(connection, before_us)
            removed += done
        return dict(removed), bool(removed)

    def _single_tasks(self, connection: sa.Connection, before_us: int) -> Counter[str]:
        alone = sa.and_(tasks.c.group_id.is_(None), tasks.c.workflow_id.is_(None))
        old = sa.and_(tasks.c.finished_us < before_us, tasks.c.status.in_(_FINAL), alone)
        return self._tasks(connection, old)

    def _groups(self, connection: sa.Connection, before_us: int) -> Counter[str]:
        old = task_groups.c.created_us < before_us
        return self._together(connection, task_groups, tasks.c.group_id, old, before_us)

    def _workflows(self, connection: sa.Connection, before_us: int) -> Counter[str]:
        old = workflows.c.finished_us < before_us
        return self._together(connection, workflows, tasks.c.workflow_id, old, before_us)

    def _experiments(self, connection: sa.Connection, before_us: int) -> Counter[str]:
        """Experiments and fault runs that have ended before; experiments' tasks go as single ones."""
        removed: Counter[str] = Counter()
        for table in (experiments, fault_runs):
            old = sa.select(table.c.num).where(table.c.finished_us < before_us).limit(_FEW)
            removed[table.name] = connection.execute(table.delete().where(table.c.num.in_(old))).rowcount
        return +removed

    def _together(
        self,
        connection: sa.Connection,
        table: sa.Table,
        member: sa.ColumnElement[str],
        old: sa.ColumnElement[bool],
        before_us: int,
    ) -> Counter[str]:
        """The oldest of `table` that has wholly ended: some of its tasks, and itself after the last one."""
        young = sa.or_(tasks.c.finished_us.is_(None), tasks.c.finished_us >= before_us)
        lives = sa.exists().where(member == table.c.id, young)
        query = sa.select(table.c.id).where(old, ~lives).order_by(table.c.created_us).limit(1)
        found = connection.execute(query).scalar()
        if found is None:
            return Counter()
        removed = self._tasks(connection, member == found)
        if not connection.execute(sa.select(tasks.c.num).where(member == found).limit(1)).first():
            connection.execute(table.delete().where(table.c.id == found))
            removed[table.name.removeprefix("task_")] += 1
        return removed

    def _others(self, connection: sa.Connection, before_us: int) -> Counter[str]:
        removed: Counter[str] = Counter()
        for table, key in (
            (reports, reports.c.id),
            (schedule_runs, schedule_runs.c.id),
            (submissions, submissions.c.key),
        ):
            some = sa.select(key).where(table.c.created_us < before_us).limit(self._batch)
            removed[table.name] += connection.execute(table.delete().where(key.in_(some))).rowcount
        return +removed

    def _tasks(self, connection: sa.Connection, which: sa.ColumnElement[bool]) -> Counter[str]:
        nums = connection.scalars(sa.select(tasks.c.num).where(which).limit(self._batch)).all()
        return Counter(tasks=remove(connection, nums)) if nums else Counter()
