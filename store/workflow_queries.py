"""Reading what the store knows of workflows."""

import sqlalchemy as sa

from lab.status import TaskStatus
from store.tables import samples, tasks, workflows
from store.task_queries import TaskSets


class WorkflowRows(TaskSets):
    """The table of workflows, and the tasks that are their nodes."""

    nodes = TaskSets.tasks

    def __init__(self, engine: sa.Engine) -> None:
        super().__init__(engine, workflows, tasks.c.workflow_id)

    def overdue(self, now: int) -> list[str]:
        """The ids of workflows whose time is over and that have not ended."""
        open_ = (TaskStatus.PENDING.value, TaskStatus.IN_PROGRESS.value)
        query = sa.select(workflows.c.id).where(workflows.c.status.in_(open_), workflows.c.deadline_us < now)
        with self._engine.connect() as connection:
            return list(connection.scalars(query))

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
