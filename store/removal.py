"""Removing tasks with what belongs to them."""

from collections import Counter
from collections.abc import Sequence

import sqlalchemy as sa

from store.tables import outbox, task_counts, task_events, tasks


def remove(connection: sa.Connection, nums: Sequence[int]) -> int:
    """Removes the tasks with these numbers, their histories and what waits in the outbox; returns how many."""
    names = ("method", "status", "experiment_id")
    rows = connection.execute(
        sa.select(*(tasks.c[name] for name in names)).where(tasks.c.num.in_(nums))
    ).all()
    counted = Counter((row.method, row.status) for row in rows if row.experiment_id is None)
    for table in (task_events, outbox, tasks):
        connection.execute(table.delete().where(table.c.num.in_(nums)))
    for (method, status), n in counted.items():
        same = sa.and_(task_counts.c.method == method, task_counts.c.status == status)
        connection.execute(task_counts.update().where(same).values(n=task_counts.c.n - n))
    return len(rows)
