"""What the store knows of the schedule: each due time that was taken up, and the task it became."""

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from api.database import writing
from api.models import schedule_runs, tasks
from api.queries import Row
from lab.clock import now_us


class RunRows:
    """The table of runs. May be shared by threads."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def add(self, entry: str, due_us: int | None, task_id: str) -> bool:
        """Notes that `entry` became the task `task_id`, for `due_us` or (None) by hand; False where that due
        time was taken up before."""
        values = {"entry": entry, "due_us": due_us, "task_id": task_id, "created_us": now_us()}
        try:
            with writing(self._engine) as connection:
                connection.execute(schedule_runs.insert().values(values))
        except IntegrityError:
            return False
        return True

    def newest(self, entry: str, limit: int) -> list[Row]:
        """The newest runs of `entry`, each with its task's number, status, error and end; those are None
        where the task was removed since."""
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
