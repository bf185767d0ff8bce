"""Reading what the store knows of workflows."""

from collections.abc import Sequence

import sqlalchemy as sa

from api.models import samples, submissions, tasks, workflows
from api.queries import Row, counts_of
from lab.status import TaskStatus


class WorkflowRows:
    """The table of workflows, and the tasks that are their nodes. May be shared by threads."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def get(self, workflow_id: str) -> Row | None:
        """The workflow with this id, or None."""
        if "\x00" in workflow_id:
            return None
        query = sa.select(workflows).where(workflows.c.id == workflow_id)
        with self._engine.connect() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else dict(row)

    def recent(self, limit: int) -> list[Row]:
        """The newest workflows."""
        query = sa.select(workflows).order_by(workflows.c.created_us.desc()).limit(limit)
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def overdue(self, now: int) -> list[str]:
        """The ids of workflows whose time is over and that have not ended."""
        open_ = (TaskStatus.PENDING.value, TaskStatus.IN_PROGRESS.value)
        query = sa.select(workflows.c.id).where(workflows.c.status.in_(open_), workflows.c.deadline_us < now)
        with self._engine.connect() as connection:
            return list(connection.scalars(query))

    def nodes(self, workflow_id: str) -> list[Row]:
        """Its nodes, in the order of their numbers."""
        query = sa.select(tasks).where(tasks.c.workflow_id == workflow_id).order_by(tasks.c.num)
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def counts(self, workflow_ids: Sequence[str]) -> dict[str, dict[str, int]]:
        """How many nodes of each workflow stand at each status."""
        return counts_of(self._engine, tasks.c.workflow_id, workflow_ids)

    def sent_under(self, key: str) -> str | None:
        """The id of the workflow that came with this Idempotency-Key; None where none did."""
        query = (
            sa.select(tasks.c.workflow_id)
            .join(submissions, submissions.c.first_num == tasks.c.num)
            .where(submissions.c.key == key)
        )
        with self._engine.connect() as connection:
            return connection.execute(query).scalar()

    def is_earlier(self, earlier_id: str, task_id: str) -> bool:
        """Whether both tasks are nodes of one workflow, and the first one is done."""
        earlier, later = tasks.alias(), tasks.alias()
        query = sa.select(earlier.c.num).where(
            later.c.id == task_id,
            earlier.c.id == earlier_id,
            earlier.c.workflow_id == later.c.workflow_id,
            earlier.c.id != later.c.id,
            earlier.c.status == TaskStatus.DONE.value,
        )
        with self._engine.connect() as connection:
            return connection.execute(query).first() is not None

    def paths(self) -> list[str]:
        """The paths in the table of samples."""
        with self._engine.connect() as connection:
            return list(connection.scalars(sa.select(samples.c.path).order_by(samples.c.num)))
