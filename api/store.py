"""The lab's memory: tasks, their history, and the decision which update counts.

Only this room and its neighbours `models`, `database`, `queries` and `outbox` speak SQLAlchemy.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Final, Protocol

import sqlalchemy as sa

from api import links
from api.database import writing
from api.models import (
    counters,
    outbox,
    submissions,
    task_counts,
    task_events,
    task_groups,
    tasks,
    workflows,
)
from api.moves import CANCEL, READ, UPDATE, NewTask, event, move, mutable, pending, verdict
from api.options import is_followed
from api.queries import Queries, Query, Row
from api.submissions import Added, Cancellation, KeyReused, NewGroup, NewWorkflow, fingerprint_of
from lab.clock import now_us, to_us
from lab.status import StatusUpdate, TaskStatus, Verdict

__all__ = [
    "Added",
    "Cancellation",
    "KeyReused",
    "NewGroup",
    "NewTask",
    "NewWorkflow",
    "Query",
    "Row",
    "Store",
]

OWN_LEASE_US: Final = 15_000_000
_CHUNK: Final = 500


class Follower(Protocol):
    """Who goes on from where tasks of workflows have come to, in the same transaction. What it returns is
    called after the commit."""

    def follow(
        self, connection: sa.Connection, moved: Sequence[Row], now: int
    ) -> list[Callable[[], object]]: ...


class Store(Queries):
    """Tasks in the database at `url`. May be shared by threads; processes have one each."""

    follower: Follower | None = None

    def add(
        self,
        new: NewTask | Sequence[NewTask],
        count: int = 1,
        *,
        relay: str | None = None,
        key: str | None = None,
        group: NewGroup | None = None,
        workflow: NewWorkflow | None = None,
    ) -> Added:
        """Stores `count` tasks like `new`, or `count` times one like each of several, as PENDING, the newest
        last.

        Args:
            relay: name of the relay that publishes them first; their outbox rows are committed with
                them. None for tasks that no broker carries.
            key: an Idempotency-Key; the same key with the same request returns the first one's tasks.
            group: the group that all of them make.
            workflow: the workflow whose nodes they are.

        Raises:
            KeyReused: `key` was used for another request.
        """
        news = [new] * count if isinstance(new, NewTask) else list(new) * count
        count, method = len(news), news[0].method
        now = now_us()
        with writing(self.engine) as connection:
            # The counter comes first: its row lock makes writers queue up on PostgreSQL as well.
            first = self.next(connection, "num", count)
            if key is not None:
                fingerprint = fingerprint_of(new, count, group)
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
            if group is not None:
                values = {**asdict(group), "method": method, "count": count, "created_us": now}
                connection.execute(task_groups.insert().values(values))
            if workflow is not None:
                values = {
                    **asdict(workflow),
                    "method": method,
                    "status": TaskStatus.PENDING,
                    "created_us": now,
                }
                connection.execute(workflows.insert().values(values))
            rows = self.insert(
                connection,
                news,
                first,
                now,
                relay=relay,
                group_id=None if group is None else group.id,
                workflow_id=None if workflow is None else workflow.id,
            )
        return Added(rows, anew=True)

    def insert(
        self,
        connection: sa.Connection,
        news: Sequence[NewTask],
        first: int,
        now: int,
        *,
        relay: str | None,
        group_id: str | None = None,
        workflow_id: str | None = None,
    ) -> list[Row]:
        """Inserts tasks of one method with the numbers from `first`; `relay` as `add` has it, "" for any."""
        method, count = news[0].method, len(news)
        change = self.next(connection, "change", count)
        rows = [pending(one, first + i, change + i, now, group_id, workflow_id) for i, one in enumerate(news)]
        links.tie(rows, news)
        connection.execute(tasks.insert(), rows)
        connection.execute(
            task_events.insert(),
            [event(row["num"], TaskStatus.PENDING, 0, None, None, now, now) for row in rows],
        )
        if relay is not None:
            lease = {"lease_owner": relay or None, "lease_until_us": now + OWN_LEASE_US if relay else 0}
            ready = [row["num"] for row, new in zip(rows, news, strict=True) if not new.waits]
            if ready:
                connection.execute(
                    outbox.insert(), [{"num": num, "method": method, **lease} for num in ready]
                )
        _count(connection, Counter({(method, TaskStatus.PENDING.value): count}))
        return rows

    def apply(self, updates: Sequence[StatusUpdate]) -> list[Verdict]:
        """Takes `updates` as facts and moves tasks on where `may_follow` says so, in one transaction.

        The answers come in the order of the updates; `error` is "unknown task" where there is none.
        Progress within an attempt moves forward only, and makes no entry in the history.
        """
        now = now_us()
        with writing(self.engine) as connection:
            verdicts, moved = self.take(connection, updates, now)
            self._end_links(connection, [row for row in moved if is_followed(row["options"])], now)
            of_workflows = [row for row in moved if row["workflow_id"]]
            errands = (
                self.follower.follow(connection, of_workflows, now) if of_workflows and self.follower else []
            )
        for errand in errands:
            errand()
        return verdicts

    def _end_links(self, connection: sa.Connection, ended: Sequence[Row], now: int) -> None:
        """Gives what these tasks came to to those that follow them, and ends those that are not to run."""
        if not ended:
            return
        for due in filter(None, map(links.due, ended)):
            connection.execute(tasks.update().where(tasks.c.num == due.num).values(params=due.params))
            if due.unsent:
                lease = {"lease_owner": None, "lease_until_us": 0}
                connection.execute(outbox.insert().values(num=due.num, method=due.method, **lease))
        never = [update for row in ended for update in links.never_run(row)]
        if never:
            self.take(connection, never, now)

    def take(
        self, connection: sa.Connection, updates: Sequence[StatusUpdate], now: int
    ) -> tuple[list[Verdict], list[Row]]:
        """What `apply` does with the tasks themselves; also returns the rows whose status moved."""
        verdicts: list[Verdict] = []
        known = self._lock(connection, {update.task_id for update in updates})
        changed: dict[int, Row] = {}
        went: dict[int, Row] = {}
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
                went[row["num"]] = row
                delta[row["method"], before] -= 1
                delta[row["method"], row["status"]] += 1
                at, worker = to_us(update.at), update.worker or None
                events.append(event(row["num"], update.status, update.attempt, worker, update.error, at, now))
            verdicts.append(verdict(row, update, applied))
        if changed:
            change = self.next(connection, "change", len(changed))
            for offset, row in enumerate(changed.values()):
                row["change_id"] = change + offset
            connection.execute(UPDATE, [mutable(row) for row in changed.values()])
        if events:
            connection.execute(task_events.insert(), events)
            _count(connection, delta)
        return verdicts, list(went.values())

    def request_cancel(self, task_ids: Iterable[str]) -> dict[str, Cancellation]:
        """Notes that these tasks are to be cancelled, and tells how each stands afterwards. One that no
        worker has begun is CANCELLED at once; one that runs is told so, and may finish first. An id that
        names no task is left out of the answer."""
        now = now_us()
        with writing(self.engine) as connection:
            known = self._lock(connection, task_ids)
            before = {task_id: TaskStatus(row["status"]) for task_id, row in known.items()}
            under_way = [row for row in known.values() if not before[row["id"]].final]
            self.mark_cancelled(connection, under_way, now)
        self.apply(
            [
                StatusUpdate(task_id=row["id"], status=TaskStatus.CANCELLED, attempt=max(1, row["attempt"]))
                for row in under_way
                if before[row["id"]] in (TaskStatus.PENDING, TaskStatus.RETRYING)
            ]
        )
        return {row["id"]: Cancellation(row, before[row["id"]]) for row in self.get_all(list(known))}

    def mark_cancelled(self, connection: sa.Connection, rows: Sequence[Row], now: int) -> None:
        """Notes that these tasks are to be cancelled, for their workers to be told."""
        if rows:
            changes = enumerate(rows, self.next(connection, "change", len(rows)))
            connection.execute(
                CANCEL, [{"row_num": row["num"], "at": now, "new_change": i} for i, row in changes]
            )

    def _lock(self, connection: sa.Connection, ids: Iterable[str]) -> dict[str, Row]:
        self.next(connection, "change", 0)
        found: dict[str, Row] = {}
        wanted = list(ids)
        for start in range(0, len(wanted), _CHUNK):
            query = sa.select(*READ).where(tasks.c.id.in_(wanted[start : start + _CHUNK]))
            found.update((row["id"], dict(row)) for row in connection.execute(query).mappings())
        return found

    def _rows(self, connection: sa.Connection, nums: range) -> list[Row]:
        query = sa.select(tasks).where(tasks.c.num.between(nums.start, nums.stop - 1)).order_by(tasks.c.num)
        return [dict(row) for row in connection.execute(query).mappings()]

    def next(self, connection: sa.Connection, name: str, count: int) -> int:
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
