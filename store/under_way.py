"""Tasks that are under way, as the books ask for them."""

from collections.abc import Collection
from typing import Final

import sqlalchemy as sa

from lab.clock import now_us
from lab.delivery import Delivery
from lab.status import TaskStatus
from store import fast_sql
from store.engine import take_turn, writing
from store.tables import outbox, task_events, tasks
from store.task_queries import Row
from store.task_updates import EVENT

MOST: Final = 2000  # at a time
FIGURES_US: Final = 10_000_000
LOST: Final = "lost: its message was in no queue and with no worker"
_CHUNK: Final = 500
_OPEN: Final = [status.value for status in TaskStatus if not status.final]
_READ: Final = [
    tasks.c[name]
    for name in ("num", "id", "method", "status", "attempt", "worker", "started_us", "workflow_id")
]
_UNSENT: Final = sa.select(outbox.c.num).where(outbox.c.num == tasks.c.num).exists()
_UNDER_WAY: Final = sa.and_(
    tasks.c.experiment_id.is_(None),
    tasks.c.status.in_(_OPEN),
    sa.or_(tasks.c.published_us.is_not(None), tasks.c.status != TaskStatus.PENDING.value),
    ~_UNSENT,
)
_TIMES: Final = (
    sa.select(sa.func.count())
    .where(task_events.c.num == tasks.c.num, task_events.c.error.startswith(LOST))
    .scalar_subquery()
)


class UnderWay:
    """The tasks in the database behind `engine` that were published or begun, have not ended, and do not wait in the
    outbox; without those of experiments."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def beyond(self, method: str, delivery: Delivery, others: int, running: Collection[str]) -> list[Row]:
        """Those that exceed the `others` messages in the queues, beside those that run: the oldest, since queues
        keep their order, and MOST at most."""
        fits = sa.and_(
            _UNDER_WAY,
            tasks.c.method == method,
            tasks.c.delivery == delivery.value,
            tasks.c.id.not_in(running),
            # RabbitMQ's own figures are some seconds old.
            sa.func.coalesce(tasks.c.published_us, 0) < now_us() - FIGURES_US,
        )
        with self._engine.connect() as connection:
            count = sa.select(sa.func.count()).select_from(tasks).where(fits)
            excess = connection.execute(count).scalar_one() - others
            if excess <= 0:
                return []
            query = sa.select(*_READ).where(fits).order_by(tasks.c.num).limit(min(excess, MOST))
            return [dict(row) for row in connection.execute(query).mappings()]

    def into_outbox(self, task_ids: Collection[str], most: int | None = None) -> list[Row]:
        """Puts those of these ids into the outbox, with an entry in their histories, and returns them; not those
        that came there in this way `most` times."""
        now, ids = now_us(), list(task_ids)
        chunks = [ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK)]
        asked = sa.select(*_READ, _TIMES.label("times")).where(_UNDER_WAY)
        with writing(self._engine) as connection:
            take_turn(connection)
            rows = [
                dict(row)
                for chunk in chunks
                for row in connection.execute(asked.where(tasks.c.id.in_(chunk))).mappings()
                if most is None or row["times"] < most
            ]
            if rows:
                waits = [{"num": row["num"], "method": row["method"], "lease_until_us": 0} for row in rows]
                connection.execute(outbox.insert(), waits)
            why = f"{LOST}; sent again"
            told = [(row["num"], row["status"], row["attempt"], None, why, now, now) for row in rows]
            fast_sql.insert(connection, task_events, EVENT, told)
        return rows
