"""A task's row as it begins, how one update changes it, and the entry that it makes in the history."""

import uuid
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from api.models import tasks
from api.options import is_followed, settle
from api.queries import Row
from lab.clock import to_us
from lab.delivery import Delivery
from lab.status import StatusUpdate, TaskStatus, Verdict, may_follow

MUTABLE: Final = (
    "status", "attempt", "progress", "worker", "error", "result", "started_us", "finished_us", "change_id", "run",
)  # fmt: skip
READ: Final = (
    tasks.c.num,
    tasks.c.id,
    tasks.c.method,
    tasks.c.cancel_us,
    tasks.c.workflow_id,
    tasks.c.options,
    tasks.c.node,
    *(tasks.c[name] for name in MUTABLE),
)
UPDATE: Final = (
    tasks.update()
    .where(tasks.c.num == sa.bindparam("row_num"))
    .values({name: sa.bindparam(f"new_{name}") for name in MUTABLE})
)

CANCEL: Final = (
    tasks.update()
    .where(tasks.c.num == sa.bindparam("row_num"))
    .values(
        cancel_us=sa.func.coalesce(tasks.c.cancel_us, sa.bindparam("at")),
        change_id=sa.bindparam("new_change"),
    )
)


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
    new: NewTask, num: int, change_id: int, now: int, group_id: str | None, workflow_id: str | None = None
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
    }


def mutable(row: Row) -> Row:
    return {"row_num": row["num"], **{f"new_{name}": row[name] for name in MUTABLE}}


def move(row: Row, update: StatusUpdate) -> tuple[bool, bool]:
    """Changes `row` as `update` says, if it may; returns whether the status moved, and whether
    anything changed at all."""
    status, at = TaskStatus(row["status"]), to_us(update.at)
    if may_follow(status, row["attempt"], update.status, update.attempt):
        row["status"], row["attempt"] = update.status.value, update.attempt
        row["worker"] = update.worker or row["worker"]
        row["error"] = update.error
        row["progress"] = 1.0 if update.status is TaskStatus.DONE else update.progress or 0.0
        if update.status is TaskStatus.IN_PROGRESS:
            row["run"] = update.run or None
            row["started_us"] = at if row["started_us"] is None else row["started_us"]
        if update.status.final:
            row["finished_us"], row["result"] = at, update.result
        return True, True
    same = update.status is status is TaskStatus.IN_PROGRESS and update.attempt == row["attempt"]
    if same and update.progress is not None and update.progress > row["progress"]:
        row["progress"] = update.progress
        return False, True
    return False, False


def is_copy(row: Row, update: StatusUpdate) -> bool:
    """Whether `update`, which moved nothing, asks for a message that is a copy of one being worked on.

    A copy is delivered for the first time, yet its task has been begun by another run. A message that was
    delivered before is never called a copy: it may be the last one left of its task.
    """
    asks = update.status is TaskStatus.IN_PROGRESS and not update.progress
    return asks and update.first and bool(update.run) and row["run"] != update.run


def verdict(row: Row, update: StatusUpdate, applied: bool) -> Verdict:
    """The answer to `update`, which the task in `row` has taken or not.

    Whoever asks for a task that others follow, and that has ended, gets what it came to: what follows may
    still be to do.
    """
    status = TaskStatus(row["status"])
    # A task that ended CANCELLED may still be running where that came too late to be told.
    stopped = not status.final or status is TaskStatus.CANCELLED
    followed = not applied and (row["workflow_id"] is not None or is_followed(row["options"]))
    outcome = {TaskStatus.DONE: "result", TaskStatus.FAILED: "error"}.get(status) if followed else None
    return Verdict(
        task_id=update.task_id,
        applied=applied,
        status=status,
        cancel=row["cancel_us"] is not None and stopped,
        skip=not applied and not status.final and is_copy(row, update),
        result=row[outcome] if outcome else None,
    )


def event(
    num: int,
    status: TaskStatus,
    attempt: int,
    worker: str | None,
    error: str | None,
    at_us: int,
    recorded_us: int,
) -> Row:
    return {
        "num": num,
        "status": status.value,
        "attempt": attempt,
        "worker": worker,
        "error": error,
        "at_us": at_us,
        "recorded_us": recorded_us,
    }
