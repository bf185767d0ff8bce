"""What becomes of tasks: updates are facts, and which of them counts is decided here."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Final, Protocol

import sqlalchemy as sa

from lab.clock import now_us
from lab.status import StatusUpdate, TaskStatus, UpdateAnswer
from store import fast_sql, followers
from store.engine import take_turn, writing
from store.options import is_followed
from store.progress import (
    BEGUN,
    ENDED,
    EVENT,
    FINAL,
    READ,
    READ_FOLLOWED,
    Answer,
    answer,
    facts_of,
    move,
    ran_again,
    standing,
)
from store.submissions import Cancellation
from store.tables import counters, outbox, task_events, tasks
from store.task_queries import Queries, Row

_NEXT: Final = "UPDATE counters SET value = value + ? WHERE name = ? RETURNING value"
_CANCEL: Final = (
    tasks.update()
    .where(tasks.c.num == sa.bindparam("row_num"))
    .values(
        cancel_us=sa.func.coalesce(tasks.c.cancel_us, sa.bindparam("at")),
        change_id=sa.bindparam("new_change"),
    )
)
_COUNT: Final = (
    "INSERT INTO task_counts (method, status, n) VALUES (?, ?, ?)"
    " ON CONFLICT (method, status) DO UPDATE SET n = task_counts.n + excluded.n"
)
_BEGUN: Final = itemgetter(*BEGUN, "num")
_ENDED: Final = itemgetter(*ENDED[1:], "num")


class Follower(Protocol):
    """Who goes on from where tasks of workflows have come to, in the same transaction. What it returns is
    called after the commit."""

    def follow(
        self, connection: sa.Connection, moved: Sequence[Row], now: int
    ) -> list[Callable[[], object]]: ...


class Updates(Queries):
    """Moves tasks on."""

    follower: Follower | None = None

    def apply(self, updates: Sequence[StatusUpdate]) -> list[UpdateAnswer]:
        """As `answers`, each answer a `UpdateAnswer`."""
        return [UpdateAnswer.model_validate(said) for said in self.answers(updates)]

    def fail(self, attempts: Mapping[str, int], error: str) -> int:
        """Ends tasks FAILED with `error` where they have not ended; returns how many. `attempts` has by their ids the
        attempts that they stand at."""
        updates = [
            StatusUpdate(task_id=task_id, status=TaskStatus.FAILED, attempt=max(1, attempt), error=error)
            for task_id, attempt in attempts.items()
        ]
        return sum(verdict.applied for verdict in self.apply(updates))

    def answers(self, updates: Sequence[StatusUpdate]) -> list[Answer]:
        """Moves tasks on where `may_follow` says so, in one transaction.

        The answers come in the order of the updates; `error` is "unknown task" for an id that names none.
        Progress within an attempt moves forward only, and makes no entry in the history.
        """
        if not updates:
            return []
        now = now_us()
        with writing(self.engine) as connection:
            said, moved = self._take(connection, updates, now)
            self._end_links(connection, [row for row in moved if is_followed(row["options"])], now)
            of_workflows = [row for row in moved if row["workflow_id"]]
            errands = (
                self.follower.follow(connection, of_workflows, now) if of_workflows and self.follower else []
            )
        for errand in errands:
            errand()
        return said

    def take(self, connection: sa.Connection, updates: Sequence[StatusUpdate], now: int) -> None:
        """What `answers` does with the tasks themselves, and nothing with those that follow them."""
        self._take(connection, updates, now)

    def _take(
        self, connection: sa.Connection, updates: Sequence[StatusUpdate], now: int
    ) -> tuple[list[Answer], list[Row]]:
        """The answers, and the rows whose status moved, of those that something may follow."""
        known = self._lock(connection, [update.task_id for update in updates])
        said: list[Answer] = []
        begun: dict[int, Row] = {}
        ended: dict[int, Row] = {}
        followed: dict[int, Row] = {}
        events = []
        moves: list[tuple[str, str, str]] = []
        for update in updates:
            row = known.get(update.task_id)
            if row is None:
                unknown = {"task_id": update.task_id, "applied": False, "cancel": False}
                said.append({**unknown, "error": "unknown task"})
                continue
            num, applied = row["num"], False
            for fact in facts_of(update):
                before = row["status"]
                moved, applied = move(row, fact)
                if applied:
                    (ended if row["status"] in FINAL else begun)[num] = row
                if moved or ran_again(row, fact):
                    worker, at = fact["worker"] or None, fact["at"]
                    events.append((num, fact["status"], fact["attempt"], worker, fact["error"], at, now))
                if moved and row["experiment_id"] is None:
                    moves.append((row["method"], before, row["status"]))
                if moved and (row["workflow_id"] is not None or row["options"] is not None):
                    followed[num] = row
            said.append(answer(row, fact, applied))
        if changed := begun | ended:
            first = self.next(connection, "change", len(changed))
            for change, row in enumerate(changed.values(), first):
                row["change_id"] = change
            fast_sql.update(connection, tasks, BEGUN, [_BEGUN(row) for row in begun.values()])
            fast_sql.update(
                connection,
                tasks,
                ENDED,
                [(fast_sql.json_text(row["result"]), *_ENDED(row)) for row in ended.values()],
            )
            delta: Counter[tuple[str, str]] = Counter()
            for (method, before, after), n in Counter(moves).items():
                delta[method, before] -= n
                delta[method, after] += n
            self.count(connection, delta)
        fast_sql.insert(connection, task_events, EVENT, events)
        return said, list(followed.values())

    def _end_links(self, connection: sa.Connection, ended: Sequence[Row], now: int) -> None:
        """Gives what these tasks came to to those that follow them, and ends those that are not to run."""
        if not ended:
            return
        for due in filter(None, map(followers.due, ended)):
            connection.execute(tasks.update().where(tasks.c.num == due.num).values(params=due.params))
            if due.unsent:
                lease = {"lease_owner": None, "lease_until_us": 0}
                connection.execute(outbox.insert().values(num=due.num, method=due.method, **lease))
        never = [update for row in ended for update in followers.never_run(row)]
        if never:
            self.take(connection, never, now)

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
                _CANCEL, [{"row_num": row["num"], "at": now, "new_change": i} for i, row in changes]
            )

    def next(self, connection: sa.Connection, name: str, count: int) -> int:
        """Takes `count` numbers from the counter `name` and returns the first of them."""
        ((last,),) = fast_sql.fetch(connection, _NEXT, (count, name))
        return int(last) - count + 1

    def count_refused(self, new: int) -> int:
        """Adds `new` to how many reports were refused for their token, and returns how many that makes."""
        refused = counters.c.name == "refused"
        if new:
            with writing(self.engine) as connection:
                take_turn(connection)
                more = counters.update().where(refused).values(value=counters.c.value + new)
                if not connection.execute(more).rowcount:
                    connection.execute(counters.insert().values(name="refused", value=new))
        with self.engine.connect() as connection:
            return connection.execute(sa.select(counters.c.value).where(refused)).scalar() or 0

    def count(self, connection: sa.Connection, delta: Counter[tuple[str, str]]) -> None:
        """Adds `delta` to the counts of tasks, by method and status."""
        changes = [(method, status, n) for (method, status), n in delta.items() if n]
        if changes:
            fast_sql.each(connection, _COUNT, changes)

    def _lock(self, connection: sa.Connection, ids: Iterable[str]) -> dict[str, Row]:
        take_turn(connection)
        rows = fast_sql.select(connection, tasks, READ, list(dict.fromkeys(ids)), standing)
        known = {row["id"]: row for row in rows}
        followed = [
            row["id"]
            for row in known.values()
            if row["workflow_id"] or (row["options"] and is_followed(row["options"]))
        ]
        if followed:
            for row in fast_sql.select(connection, tasks, READ_FOLLOWED, followed):
                known[row["id"]] |= row
        return known
