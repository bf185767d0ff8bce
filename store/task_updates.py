"""What becomes of tasks: updates are facts, and which of them counts is decided here."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final, Protocol, TypedDict, cast

import sqlalchemy as sa

from lab.clock import now_us, to_us
from lab.status import StatusUpdate, TaskStatus, UpdateAnswer, may_follow
from store import fast_sql, followers
from store.engine import take_turn, writing
from store.options import is_followed
from store.tables import counters, outbox, task_events, tasks
from store.task_queries import Queries, Row

Answer = dict[str, Any]
"""The JSON answer to an update: the fields of `UpdateAnswer` that differ from their defaults."""

# What deciding needs to know, and what the moves below set.
READ: Final = (
    "num", "id", "method", "status", "attempt", "progress", "worker", "error", "run", "started_us", "cancel_us",
    "options", "workflow_id", "experiment_id",
)  # fmt: skip
# What it also needs of a task that others follow.
READ_FOLLOWED: Final = ("id", "node", "result")
BEGUN: Final = ("status", "attempt", "progress", "worker", "error", "change_id", "run", "started_us")
ENDED: Final = ("result", "status", "attempt", "progress", "worker", "error", "change_id", "finished_us")
EVENT: Final = ("num", "status", "attempt", "worker", "error", "at_us", "recorded_us")

FINAL: Final = frozenset(status.value for status in TaskStatus if status.final)
IN_PROGRESS: Final = TaskStatus.IN_PROGRESS.value
DONE: Final = TaskStatus.DONE.value

# The same few questions come with every batch.
_follows: Final = lru_cache(maxsize=1024)(
    lambda old, old_attempt, new, attempt: may_follow(TaskStatus(old), old_attempt, TaskStatus(new), attempt)
)
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


class Update(TypedDict):
    """One thing that a `StatusUpdate` says: its status as text, its time in microseconds since the epoch, and
    whether its run was stamped, which is told when the run has ended."""

    status: str
    at: int
    attempt: int
    worker: str
    run: str
    first: bool
    stamped: bool
    progress: float | None
    error: str | None
    result: Any


def facts_of(update: StatusUpdate) -> list[Update]:
    """What `update` says: two facts where it tells of its run's begin and end together."""
    told = {**vars(update), "status": update.status.value, "at": to_us(update.at), "stamped": False}
    if update.began_at is None or update.status in (TaskStatus.PENDING, TaskStatus.IN_PROGRESS):
        return [cast(Update, told)]
    begin = {"status": IN_PROGRESS, "at": to_us(update.began_at), "stamped": True}
    return [
        cast(Update, {**told, **begin, "progress": 0.0, "error": None, "result": None}),
        cast(Update, told),
    ]


def move(row: Row, fact: Update) -> tuple[bool, bool]:
    """Changes `row` as `fact` says, if it may; returns whether the status moved, and whether anything changed at
    all."""
    old, new, attempt, progress = row["status"], fact["status"], fact["attempt"], fact["progress"]
    if _follows(old, row["attempt"], new, attempt):
        row["status"], row["attempt"], row["error"] = new, attempt, fact["error"]
        if fact["worker"]:
            row["worker"] = fact["worker"]
        row["progress"] = 1.0 if new == DONE else progress or 0.0
        if new == IN_PROGRESS:
            row["run"] = fact["run"] or None
            if row["started_us"] is None:
                row["started_us"] = fact["at"]
        elif new in FINAL:
            row["finished_us"], row["result"] = fact["at"], fact["result"]
        return True, True
    same = new == IN_PROGRESS == old and attempt == row["attempt"]
    if same and progress is not None and progress > row["progress"]:
        row["progress"] = progress
        return False, True
    return False, False


def is_copy(row: Row, fact: Update) -> bool:
    """Whether `fact`, which moved nothing, asks for a message that is a copy of one being worked on.

    A copy is delivered for the first time, yet its task has been begun by another run. A message that was
    delivered before is never called a copy: it may be the last one left of its task.
    """
    return fact["first"] and _begins_another_run(row, fact)


def ran_again(row: Row, fact: Update) -> bool:
    """Whether `fact`, which moved nothing, tells of another run of a task of an experiment: one that was stamped,
    or one that goes on since its worker is not told to leave it. Its history is to hold it all the same."""
    goes_on = fact["stamped"] or not (fact["first"] or row["status"] in FINAL)
    return row["experiment_id"] is not None and goes_on and _begins_another_run(row, fact)


def _begins_another_run(row: Row, fact: Update) -> bool:
    begins = fact["status"] == IN_PROGRESS and not fact["progress"]
    return begins and bool(fact["run"]) and row["run"] != fact["run"]


def answer(row: Row, fact: Update, applied: bool) -> Answer:
    """The answer to `fact`, which the task in `row` has taken or not.

    Anyone who asks for a task that others follow, and that has ended, gets what it came to: what follows may
    still be to do.
    """
    status, cancel = row["status"], row["cancel_us"] is not None
    if cancel and status in FINAL:
        # A task that ended CANCELLED may still be running where that came too late to be told.
        cancel = status == TaskStatus.CANCELLED
    said: Answer = {"task_id": row["id"], "applied": applied, "status": status, "cancel": cancel}
    if applied:
        return said
    if status not in FINAL:
        if is_copy(row, fact):
            said["skip"] = True
    elif row["workflow_id"] is not None or is_followed(row["options"]):
        named = {TaskStatus.DONE: "result", TaskStatus.FAILED: "error"}.get(TaskStatus(status))
        if named and row[named] is not None:
            said["result"] = row[named]
    return said


@dataclass(frozen=True)
class Cancellation:
    """What a request to cancel came to: the task's row since, and its status `before`."""

    row: Row
    before: TaskStatus


class Follower(Protocol):
    """Advances workflows whose tasks moved, in the same transaction; returns callbacks to run after the commit."""

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
            said, errands = self._apply(connection, updates, now)
        for errand in errands:
            errand()
        return said

    def _apply(
        self, connection: sa.Connection, updates: Sequence[StatusUpdate], now: int
    ) -> tuple[list[Answer], list[Callable[[], object]]]:
        """The answers, and what is to be done after the commit."""
        said, moved = self._take(connection, updates, now)
        self._end_links(connection, [row for row in moved if is_followed(row["options"])], now)
        of_workflows = [row for row in moved if row["workflow_id"]]
        if not of_workflows or not self.follower:
            return said, []
        return said, self.follower.follow(connection, of_workflows, now)

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
            cancelled = [
                StatusUpdate(task_id=row["id"], status=TaskStatus.CANCELLED, attempt=max(1, row["attempt"]))
                for row in under_way
                if before[row["id"]] in (TaskStatus.PENDING, TaskStatus.RETRYING)
            ]
            # In the same transaction: no end that comes in between makes "it is cancelled" untrue.
            _, errands = self._apply(connection, cancelled, now_us())
        for errand in errands:
            errand()
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
        rows = fast_sql.select(connection, tasks, READ, list(dict.fromkeys(ids)))
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
