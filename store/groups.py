"""What the store knows of groups: the hand-written counting of their tasks."""

import sqlalchemy as sa

from store.tables import submissions, task_groups, tasks
from store.task_queries import TaskSets


class GroupRows(TaskSets):
    """The table of groups, and the tasks in them, in the order of their images."""

    def __init__(self, engine: sa.Engine) -> None:
        super().__init__(engine, task_groups, tasks.c.group_id)

    def sent_under(self, key: str) -> str | None:
        """The id of the group that came with this Idempotency-Key; None where none did."""
        query = (
            sa.select(tasks.c.group_id)
            .join(submissions, submissions.c.first_num == tasks.c.num)
            .where(submissions.c.key == key)
        )
        with self._engine.connect() as connection:
            return connection.execute(query).scalar()
