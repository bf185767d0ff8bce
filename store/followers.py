"""Tasks that follow another one: a callback when it is DONE, an errback when it FAILED.

Workers send them, by Celery's `link` and `link_error` or by hand. The store knows which of the two is never
to be run, and sends an errback itself where no worker is left that could.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lab.job import Job
from lab.status import StatusUpdate, TaskStatus
from lab.token import sign
from store.task_queries import Row

DEAD_LETTER: Final = "dead letter: "
LINKS: Final = {"callback": TaskStatus.DONE, "errback": TaskStatus.FAILED}


@dataclass(frozen=True)
class Due:
    """A task that is to run now, with what the one before gave it among its parameters. It is `unsent` where
    no worker sends it."""

    num: int
    method: str
    params: dict[str, Any]
    unsent: bool


def follows(row: Row) -> bool:
    """Whether the task waits for another one's end."""
    return "after" in (row["options"] or {})


def job_of(link: Mapping[str, Any] | None, secret: bytes) -> Job | None:
    """The job of a task that follows, as the first one's options name it."""
    if link is None:
        return None
    token = sign(secret, link["id"])
    return Job(task_id=link["id"], num=link["num"], kind=link["kind"], params=link["params"], token=token)


def outcome(row: Row) -> Any:
    """What a task that has ended gives to the one that follows: its result, or its error."""
    return row["result"] if row["status"] == TaskStatus.DONE else row["error"]


def due(row: Row) -> Due | None:
    """The follower that is to run now that the task in `row` has ended, if there is one."""
    for link, status in LINKS.items():
        if row["status"] == status and link in (row["options"] or {}):
            named = row["options"][link]
            job = Job(task_id=named["id"], num=named["num"], kind=named["kind"], params=named["params"])
            unsent = (row["error"] or "").startswith(DEAD_LETTER)
            return Due(named["num"], row["method"], job.with_input(outcome(row)).params, unsent)
    return None


def never_run(row: Row) -> list[StatusUpdate]:
    """The end of the followers that are not to run any more."""
    if not TaskStatus(row["status"]).final:
        return []
    return [
        StatusUpdate(
            task_id=row["options"][link]["id"],
            status=TaskStatus.CANCELLED,
            error=f"never run: task #{row['num']} ended {row['status']}",
        )
        for link, status in LINKS.items()
        if link in (row["options"] or {}) and row["status"] != status
    ]
