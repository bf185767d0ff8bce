"""How one update changes one task's row, and the entry that it makes in the history."""

from typing import Final

import sqlalchemy as sa

from api.models import tasks
from api.queries import Row
from lab.clock import to_us
from lab.status import StatusUpdate, TaskStatus, may_follow

MUTABLE: Final = (
    "status", "attempt", "progress", "worker", "error", "result", "started_us", "finished_us", "change_id", "run",
)  # fmt: skip
READ: Final = (
    tasks.c.num,
    tasks.c.id,
    tasks.c.method,
    tasks.c.cancel_us,
    *(tasks.c[name] for name in MUTABLE),
)
UPDATE: Final = (
    tasks.update()
    .where(tasks.c.num == sa.bindparam("row_num"))
    .values({name: sa.bindparam(f"new_{name}") for name in MUTABLE})
)


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
