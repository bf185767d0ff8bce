"""The lab's memory: tasks, their history, and the decision which update counts.

Only this room and its neighbours `models`, `database`, `queries` and `outbox` speak SQLAlchemy.
"""

import hashlib
import json
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import sqlalchemy as sa

from api.database import writing
from api.models import counters, outbox, submissions, task_counts, task_events, tasks
from api.moves import READ, UPDATE, event, is_copy, move, mutable
from api.queries import Queries, Query, Row
from lab.clock import now_us, to_us
from lab.delivery import Delivery
from lab.status import StatusUpdate, TaskStatus, Verdict

__all__ = ["Added", "KeyReused", "NewTask", "Query", "Row", "Store"]

OWN_LEASE_US: Final = 15_000_000
_CHUNK: Final = 500


class KeyReused(Exception):
    """An Idempotency-Key came again with another request."""


@dataclass(frozen=True)
class NewTask:
    """A task as it is asked for."""

    method: str
    kind: str
    params: dict[str, Any]
    timeout: float | None = None
    delivery: Delivery = Delivery.SAFE
    max_retries: int | None = None
    time_limit: float | None = None
    retry_of: str | None = None


@dataclass(frozen=True)
class Added:
    """Tasks that were stored: `anew` now, or earlier under the same Idempotency-Key."""

    rows: list[Row]
    anew: bool


class Store(Queries):
    """Tasks in the database at `url`. May be shared by threads; processes have one each."""

    def add(
        self,
        new: NewTask,
        count: int = 1,
        *,
        relay: str | None = None,
        key: str | None = None,
    ) -> Added:
        """Stores `count` tasks like `new` as PENDING, the newest last.

        Args:
            relay: name of the relay that publishes them first; their outbox rows are committed with
                them. None for tasks that no broker carries.
            key: an Idempotency-Key; the same key with the same request returns the first one's tasks.

        Raises:
            KeyReused: `key` was used for another request.
        """
        now = now_us()
        with writing(self.engine) as connection:
            # The counter comes first: its row lock makes writers queue up on PostgreSQL as well.
            first = self._next(connection, "num", count)
            if key is not None:
                fingerprint = _fingerprint(new, count)
                known = connection.execute(sa.select(submissions).where(submissions.c.key == key)).first()
                if known is not None:
                    if known.fingerprint != fingerprint:
                        raise KeyReused(key)
                    nums = range(known.first_num, known.first_num + known.count)
                    return Added(self._rows(connection, nums), anew=False)
                connection.execute(
                    submissions.insert().values(
                        key=key, fingerprint=fingerprint, first_num=first, count=count, created_us=now
                    )
                )
            change = self._next(connection, "change", count)
            rows: list[Row] = [
                {
                    "num": first + i,
                    "id": str(uuid.uuid4()),
                    "method": new.method,
                    "kind": new.kind,
                    "timeout": new.timeout,
                    "params": new.params,
                    "status": TaskStatus.PENDING.value,
                    "attempt": 0,
                    "progress": 0.0,
                    "worker": None,
                    "error": None,
                    "result": None,
                    "created_us": now,
                    "published_us": None,
                    "started_us": None,
                    "finished_us": None,
                    "change_id": change + i,
                    "delivery": new.delivery.value,
                    "max_retries": new.max_retries,
                    "time_limit": new.time_limit,
                    "cancel_us": None,
                    "retry_of": new.retry_of,
                    "run": None,
                }
                for i in range(count)
            ]
            connection.execute(tasks.insert(), rows)
            connection.execute(
                task_events.insert(),
                [event(row["num"], TaskStatus.PENDING, 0, None, None, now, now) for row in rows],
            )
            if relay is not None:
                connection.execute(
                    outbox.insert(),
                    [
                        {
                            "num": row["num"],
                            "method": new.method,
                            "lease_owner": relay,
                            "lease_until_us": now + OWN_LEASE_US,
                        }
                        for row in rows
                    ],
                )
            _count(connection, Counter({(new.method, TaskStatus.PENDING.value): count}))
        return Added(rows, anew=True)

    def apply(self, updates: Sequence[StatusUpdate]) -> list[Verdict]:
        """Takes `updates` as facts and moves tasks on where `may_follow` says so, in one transaction.

        The answers come in the order of the updates; `error` is "unknown task" where there is none.
        Progress within an attempt moves forward only, and makes no entry in the history.
        """
        now = now_us()
        verdicts: list[Verdict] = []
        with writing(self.engine) as connection:
            known = self._lock(connection, {update.task_id for update in updates})
            changed: dict[int, Row] = {}
            events: list[Row] = []
            delta: Counter[tuple[str, str]] = Counter()
            for update in updates:
                row = known.get(update.task_id)
                if row is None:
                    verdicts.append(Verdict(task_id=update.task_id, error="unknown task"))
                    continue
                before = row["status"]
                moved, applied = move(row, update)
                if applied:
                    changed[row["num"]] = row
                if moved:
                    delta[row["method"], before] -= 1
                    delta[row["method"], row["status"]] += 1
                    events.append(
                        event(
                            row["num"],
                            update.status,
                            update.attempt,
                            update.worker or None,
                            update.error,
                            to_us(update.at),
                            now,
                        )
                    )
                status = TaskStatus(row["status"])
                cancel = row["cancel_us"] is not None and not status.final
                skip = not applied and not status.final and is_copy(row, update)
                verdicts.append(
                    Verdict(task_id=update.task_id, applied=applied, status=status, cancel=cancel, skip=skip)
                )
            if changed:
                change = self._next(connection, "change", len(changed))
                for offset, row in enumerate(changed.values()):
                    row["change_id"] = change + offset
                connection.execute(UPDATE, [mutable(row) for row in changed.values()])
            if events:
                connection.execute(task_events.insert(), events)
                _count(connection, delta)
        return verdicts

    def request_cancel(self, task_id: str) -> tuple[Row, bool] | None:
        """Notes that the task is to be cancelled. One that no worker has begun is CANCELLED at once; one
        that runs is told so, and may finish first.

        Returns the task's row and whether its status allowed it; None where there is no such task.
        """
        now = now_us()
        with writing(self.engine) as connection:
            row = self._lock(connection, [task_id]).get(task_id)
            if row is None:
                return None
            status = TaskStatus(row["status"])
            if not status.final:
                change = self._next(connection, "change", 1)
                this = tasks.c.num == row["num"]
                first = sa.func.coalesce(tasks.c.cancel_us, now)
                connection.execute(tasks.update().where(this).values(cancel_us=first, change_id=change))
        if status in (TaskStatus.PENDING, TaskStatus.RETRYING):
            self.apply(
                [StatusUpdate(task_id=task_id, status=TaskStatus.CANCELLED, attempt=max(1, row["attempt"]))]
            )
        found = self.get(task_id)
        return None if found is None else (found, not status.final)

    def _lock(self, connection: sa.Connection, ids: Iterable[str]) -> dict[str, Row]:
        self._next(connection, "change", 0)
        found: dict[str, Row] = {}
        wanted = list(ids)
        for start in range(0, len(wanted), _CHUNK):
            query = sa.select(*READ).where(tasks.c.id.in_(wanted[start : start + _CHUNK]))
            found.update((row["id"], dict(row)) for row in connection.execute(query).mappings())
        return found

    def _rows(self, connection: sa.Connection, nums: range) -> list[Row]:
        query = sa.select(tasks).where(tasks.c.num.between(nums.start, nums.stop - 1)).order_by(tasks.c.num)
        return [dict(row) for row in connection.execute(query).mappings()]

    def _next(self, connection: sa.Connection, name: str, count: int) -> int:
        """Takes `count` numbers from the counter `name` and returns the first of them."""
        query = (
            counters.update()
            .where(counters.c.name == name)
            .values(value=counters.c.value + count)
            .returning(counters.c.value)
        )
        return int(connection.execute(query).scalar_one()) - count + 1


def _count(connection: sa.Connection, delta: Counter[tuple[str, str]]) -> None:
    for (method, status), n in delta.items():
        if n == 0:
            continue
        same = sa.and_(task_counts.c.method == method, task_counts.c.status == status)
        changed = connection.execute(task_counts.update().where(same).values(n=task_counts.c.n + n))
        if changed.rowcount == 0:
            connection.execute(task_counts.insert().values(method=method, status=status, n=n))


def _fingerprint(new: NewTask, count: int) -> str:
    text = json.dumps([asdict(new), count], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
