"""What is done to many tasks at once, so many in one transaction that nobody waits for it for long."""

from collections.abc import Collection, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Final

import sqlalchemy as sa

from lab.clock import now_us
from lab.status import TaskStatus
from store.engine import take_turn, writing
from store.removal import remove
from store.tables import outbox, submissions, task_events, tasks
from store.task_queries import Row
from store.tasks import Store, again, fingerprint_of

BATCH: Final = 500

_ENDED: Final = [TaskStatus.DONE.value, TaskStatus.FAILED.value]
_TOLD: Final = sa.exists().where(
    task_events.c.num == tasks.c.num,
    task_events.c.status == TaskStatus.CANCELLED.value,
    task_events.c.worker.is_not(None),
)
_UNSENT: Final = sa.and_(
    tasks.c.published_us.is_(None),
    ~sa.exists().where(outbox.c.num == tasks.c.num, outbox.c.lease_until_us > sa.bindparam("now")),
)
# A worker that meets a message of a task that is no more runs it: a task whose message may still wait in a queue stays.
_REMOVABLE: Final = sa.and_(
    tasks.c.experiment_id.is_(None),
    tasks.c.group_id.is_(None),
    tasks.c.workflow_id.is_(None),
    sa.or_(
        tasks.c.status.in_(_ENDED),
        sa.and_(tasks.c.status == TaskStatus.CANCELLED.value, sa.or_(_TOLD, _UNSENT)),
    ),
)


class BulkRows:
    """Tasks of `store`, many at a time: each call takes BATCH of them at most, in one transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def ids(self, nums: Sequence[int]) -> list[str]:
        """The ids of the tasks with these numbers."""
        with self._store.engine.connect() as connection:
            return list(connection.scalars(sa.select(tasks.c.id).where(tasks.c.num.in_(nums))))

    def delete(self, nums: Sequence[int]) -> int:
        """Removes those of these tasks that have ended and that no queue may still hold, but for those of groups,
        workflows and experiments; returns how many."""
        with writing(self._store.engine) as connection:
            take_turn(connection)
            query = sa.select(tasks.c.num).where(tasks.c.num.in_(nums), _REMOVABLE)
            found = connection.scalars(query, {"now": now_us()}).all()
            return remove(connection, found)

    def retry(self, nums: Sequence[int], methods: Collection[str], relay: str) -> list[Row]:
        """Submits those of these tasks again that FAILED or were CANCELLED, are of one of `methods`, no steps of
        workflows, and were not submitted again before; returns the rows of the new ones.

        Args:
            relay: name of the relay that publishes them first.
        """
        over = [TaskStatus.FAILED.value, TaskStatus.CANCELLED.value]
        own = sa.and_(tasks.c.experiment_id.is_(None), tasks.c.workflow_id.is_(None))
        may = sa.and_(tasks.c.num.in_(nums), tasks.c.status.in_(over), tasks.c.method.in_(methods), own)
        now, made = now_us(), []
        with writing(self._store.engine) as connection:
            take_turn(connection)
            query = sa.select(tasks).where(may).order_by(tasks.c.method, tasks.c.num)
            rows = [dict(row) for row in connection.execute(query).mappings()]
            keys = [_key(row) for row in rows]
            known = set(connection.scalars(sa.select(submissions.c.key).where(submissions.c.key.in_(keys))))
            due = [row for row in rows if _key(row) not in known]
            for _, of_method in groupby(due, itemgetter("method")):
                sets = [(row, again(row)) for row in of_method]
                news = [new for _, some in sets for new in some]
                first = self._store.next(connection, "num", len(news))
                made += self._store.insert(connection, news, first, now, relay=relay)
                sent = []
                for row, some in sets:
                    asked = {"fingerprint": fingerprint_of(some, len(some), None), "count": len(some)}
                    sent.append({"key": _key(row), "first_num": first, "created_us": now, **asked})
                    first += len(some)
                connection.execute(submissions.insert(), sent)
        return made


def _key(row: Row) -> str:
    """The Idempotency-Key under which a task is submitted again."""
    return f"retry:{row['id']}"
