"""A task's row as it begins, how one update changes it, and the entry that it makes in the history."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypedDict, cast

from lab.clock import to_us
from lab.delivery import Delivery
from lab.status import StatusUpdate, TaskStatus, may_follow
from store.options import is_followed, settle
from store.task_queries import Row

Answer = dict[str, Any]
"""What an update is answered with, as JSON has it: the fields of a `UpdateAnswer` that there is something to say of."""

# What deciding needs to know, and what the moves below set.
READ: Final = (
    "num", "id", "method", "status", "attempt", "progress", "worker", "error", "run", "started_us", "cancel_us",
    "options", "workflow_id", "experiment_id",
)  # fmt: skip
# And what it needs besides of a task that others follow.
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


@dataclass(frozen=True)
class NewTask:
    """A task as it is asked for; `node` is its name in the workflow that it is part of. One that `waits`
    is published when something before it has ended. `link` says that it is a "callback" or an "errback" of
    the task that is asked for `after` places before it."""

    method: str
    kind: str
    params: dict[str, Any]
    timeout: float | None = None
    delivery: Delivery = Delivery.SAFE
    max_retries: int | None = None
    time_limit: float | None = None
    retry_of: str | None = None
    options: dict[str, Any] | None = None
    node: str | None = None
    waits: bool = False
    link: str | None = None
    after: int = 0


def pending(
    new: NewTask,
    num: int,
    change_id: int,
    now: int,
    group_id: str | None,
    workflow_id: str | None = None,
    experiment_id: str | None = None,
) -> Row:
    """The row of the task `new`, as it is stored first."""
    return {
        "num": num,
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
        "change_id": change_id,
        "delivery": new.delivery.value,
        "max_retries": new.max_retries,
        "time_limit": new.time_limit,
        "cancel_us": None,
        "retry_of": new.retry_of,
        "run": None,
        "group_id": group_id,
        "options": settle(new.options, now),
        "workflow_id": workflow_id,
        "node": new.node,
        "experiment_id": experiment_id,
    }


def standing(found: Iterable[tuple[Any, ...]]) -> list[Row]:
    """Rows of the columns READ. Written out, since that takes half the time of going by a list of names."""
    return [
        {
            "num": num,
            "id": task_id,
            "method": method,
            "status": status,
            "attempt": attempt,
            "progress": progress,
            "worker": worker,
            "error": error,
            "run": run,
            "started_us": started_us,
            "cancel_us": cancel_us,
            "options": options,
            "workflow_id": workflow_id,
            "experiment_id": experiment_id,
        }
        for num, task_id, method, status, attempt, progress, worker, error, run, started_us, cancel_us, options,
        workflow_id, experiment_id in found
    ]  # fmt: skip


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
