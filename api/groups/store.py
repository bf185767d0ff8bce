"""What the store knows of groups: the hand-written counting of their tasks."""

import sqlalchemy as sa

from api.models import submissions, task_groups, tasks
from api.queries import Row, counts_of


class GroupRows:
    """The table of groups, and the tasks in them. May be shared by threads."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def get(self, group_id: str) -> Row | None:
        """The group with this id, or None."""
        if "\x00" in group_id:
            return None
        with self._engine.connect() as connection:
            query = sa.select(task_groups).where(task_groups.c.id == group_id)
            row = connection.execute(query).mappings().first()
        return None if row is None else dict(row)

    def recent(self, limit: int) -> list[Row]:
        """The newest groups."""
        query = sa.select(task_groups).order_by(task_groups.c.created_us.desc()).limit(limit)
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def sent_under(self, key: str) -> str | None:
        """The id of the group that came with this Idempotency-Key; None where none did."""
        query = (
            sa.select(tasks.c.group_id)
            .join(submissions, submissions.c.first_num == tasks.c.num)
            .where(submissions.c.key == key)
        )
        with self._engine.connect() as connection:
            return connection.execute(query).scalar()

    def tasks(self, group_id: str) -> list[Row]:
        """The group's tasks, in the order of its images."""
        query = sa.select(tasks).where(tasks.c.group_id == group_id).order_by(tasks.c.num)
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def counts(self, group_ids: list[str]) -> dict[str, dict[str, int]]:
        """How many tasks of each group stand at each status."""
        return counts_of(self._engine, tasks.c.group_id, group_ids)
