"""The outbox: which tasks are still to be handed to a broker, and who is doing it."""

from collections.abc import Collection
from typing import Any, Final

import sqlalchemy as sa

from api.database import writing
from api.models import counters, outbox, tasks
from api.store import Store
from lab.clock import now_us

LEASE_US: Final = 15_000_000


class Outbox:
    """Tasks of `store` that wait for their broker. A relay takes them on a lease, so that two never
    publish the same one while both live, and a dead one's are taken up by another."""

    def __init__(self, store: Store) -> None:
        self._engine = store.engine

    def claim(self, owner: str, method: str, limit: int) -> list[dict[str, Any]]:
        """Up to `limit` waiting tasks of `method`, oldest first, leased to `owner` for 15 seconds: its own, and
        those whose lease has run out. Where the last one is of a group, the rest of it comes too."""
        now = now_us()
        with self._engine.connect() as connection:
            mine = outbox.c.method == method
            if connection.execute(sa.select(outbox.c.num).where(mine).limit(1)).first() is None:
                return []
        with writing(self._engine) as connection:
            _take_write_lock(connection)
            free = sa.and_(mine, sa.or_(outbox.c.lease_owner == owner, outbox.c.lease_until_us < now))
            nums = list(
                connection.scalars(sa.select(outbox.c.num).where(free).order_by(outbox.c.num).limit(limit))
            )
            if not nums:
                return []
            nums += self._rest_of_group(connection, nums[-1], free)
            connection.execute(
                outbox.update()
                .where(outbox.c.num.in_(nums))
                .values(lease_owner=owner, lease_until_us=now + LEASE_US)
            )
            query = sa.select(tasks).where(tasks.c.num.in_(nums)).order_by(tasks.c.num)
            return [dict(row) for row in connection.execute(query).mappings()]

    def _rest_of_group(self, connection: sa.Connection, last: int, free: sa.ColumnElement[bool]) -> list[int]:
        """The waiting tasks after number `last` that are of its group: a group is published as a whole."""
        its_group = sa.select(tasks.c.group_id).where(tasks.c.num == last).scalar_subquery()
        query = (
            sa.select(outbox.c.num)
            .join(tasks, tasks.c.num == outbox.c.num)
            .where(free, outbox.c.num > last, tasks.c.group_id == its_group)
            .order_by(outbox.c.num)
        )
        return list(connection.scalars(query))

    def published(self, nums: Collection[int]) -> None:
        """Takes tasks out: the broker has confirmed them."""
        if not nums:
            return
        now = now_us()
        with writing(self._engine) as connection:
            _take_write_lock(connection)
            connection.execute(outbox.delete().where(outbox.c.num.in_(nums)))
            connection.execute(tasks.update().where(tasks.c.num.in_(nums)).values(published_us=now))

    def release(self, owner: str) -> None:
        """Gives back everything that `owner` holds, for another relay to take at once."""
        with writing(self._engine) as connection:
            connection.execute(
                outbox.update()
                .where(outbox.c.lease_owner == owner)
                .values(lease_until_us=0, lease_owner=None)
            )

    def waiting(self) -> int:
        """How many tasks wait for their broker."""
        with self._engine.connect() as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(outbox)).scalar_one()


def _take_write_lock(connection: sa.Connection) -> None:
    connection.execute(counters.update().where(counters.c.name == "change").values(value=counters.c.value))
