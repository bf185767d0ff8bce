"""The outbox: which tasks are still to be handed to a broker, and who is doing it."""

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa

from lab.clock import now_us
from lab.status import StatusUpdate, TaskStatus
from store.engine import take_turn, writing
from store.tables import outbox, tasks
from store.task_queries import Row
from store.tasks import Store

LEASE_US: Final = 15_000_000
MAX_REASON: Final = 2_000
NEEDED: Final = (
    "num",
    "id",
    "attempt",
    "kind",
    "params",
    "delivery",
    "max_retries",
    "time_limit",
    "group_id",
    "published_us",
    "options",
    "workflow_id",
)

_FROM, _TO, _AT, _AFTER, _NOW, _UNTIL = (
    sa.bindparam(name, type_=sa.BigInteger) for name in ("from", "to", "at", "after", "now", "until")
)
_METHOD, _OWNER, _GROUP = (sa.bindparam(name, type_=sa.String) for name in ("of", "owner", "group"))

_WAITS: Final = sa.and_(outbox.c.method == _METHOD, outbox.c.num > _AFTER)
_FREE: Final = sa.and_(_WAITS, sa.or_(outbox.c.lease_owner == _OWNER, outbox.c.lease_until_us < _NOW))
_ANY: Final = sa.select(outbox.c.num).where(_WAITS).limit(1)
_ALL: Final = (
    sa.select(*(tasks.c[name] for name in NEEDED))
    .join(outbox, outbox.c.num == tasks.c.num)
    .where(_FREE)
    .order_by(outbox.c.num)
)
_SOME: Final = _ALL.limit(sa.bindparam("limit", type_=sa.Integer))
_REST: Final = _ALL.where(outbox.c.num > _FROM, tasks.c.group_id == _GROUP)
_TAKE: Final = (
    outbox.update().where(_FREE, outbox.c.num <= _TO).values(lease_owner=_OWNER, lease_until_us=_UNTIL)
)
_PUBLISHED: Final = tasks.update().where(tasks.c.num.between(_FROM, _TO)).values(published_us=_AT)
_DONE: Final = outbox.delete().where(outbox.c.num.between(_FROM, _TO))


class Outbox:
    """Tasks of `store` that wait for their broker. A relay takes them on a lease, so that two never
    publish the same one while both live, and a dead one's are taken up by another."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._engine = store.engine

    def claim(self, owner: str, method: str, limit: int, after: int = 0) -> list[Row]:
        """Up to `limit` waiting tasks of `method` with numbers beyond `after`, oldest first, leased to `owner`
        for 15 seconds: its own, and those whose lease has run out. Where the last one is of a group, the rest
        of it comes too. A row holds what the task's message needs."""
        now = now_us()
        asked = {"of": method, "after": after, "owner": owner, "now": now}
        with self._engine.connect() as connection:
            if connection.execute(_ANY, asked).first() is None:
                return []
        with writing(self._engine) as connection:
            take_turn(connection)
            rows = _rows(connection, _SOME, {**asked, "limit": limit})
            if not rows:
                return []
            last = rows[-1]
            if last["group_id"] is not None:
                rows += _rows(connection, _REST, {**asked, "from": last["num"], "group": last["group_id"]})
            connection.execute(_TAKE, {**asked, "to": rows[-1]["num"], "until": now + LEASE_US})
            return rows

    def published(self, times: Mapping[int, int]) -> None:
        """Takes tasks out: the broker has confirmed them.

        Args:
            times: when the message of each was written to the broker (microseconds since the epoch), by number.
        """
        if not times:
            return
        with writing(self._engine) as connection:
            take_turn(connection)
            runs = _runs(times)
            connection.execute(_DONE, runs)
            connection.execute(_PUBLISHED, runs)

    def give_up(self, reasons: Mapping[str, str]) -> None:
        """Takes tasks out that no broker can be sent: each is FAILED for its reason, by its id."""
        if not reasons:
            return
        self._store.apply(
            [
                StatusUpdate(task_id=task_id, status=TaskStatus.FAILED, error=reason[:MAX_REASON])
                for task_id, reason in reasons.items()
            ]
        )
        ids = sa.select(tasks.c.num).where(tasks.c.id.in_(list(reasons)))
        with writing(self._engine) as connection:
            take_turn(connection)
            connection.execute(outbox.delete().where(outbox.c.num.in_(ids)))

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


def _rows(connection: sa.Connection, query: sa.Select[Any], asked: Mapping[str, Any]) -> list[Row]:
    return [dict(row) for row in connection.execute(query, asked).mappings()]


def _runs(times: Mapping[int, int]) -> list[dict[str, int]]:
    """Numbers that follow each other and were written at one time are handled in one statement."""
    runs: list[dict[str, int]] = []
    for num, at in sorted(times.items()):
        if runs and runs[-1]["to"] == num - 1 and runs[-1]["at"] == at:
            runs[-1]["to"] = num
        else:
            runs.append({"from": num, "to": num, "at": at})
    return runs
