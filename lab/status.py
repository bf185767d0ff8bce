"""A task's statuses, which may follow which, and the update that a worker sends."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, field_validator

from lab.clock import now_us, to_iso
from lab.values import Moment, Text

API_MARK: Final = "X-Transport-Lab"
"""The header of each answer of the API. What a gateway answers in its place has none."""
API_TIME: Final = "X-Transport-Lab-Time"
"""The header that tells when the API answered, in microseconds since the epoch."""


class TaskStatus(StrEnum):
    """Where a task stands. DONE, FAILED and CANCELLED are final."""

    PENDING = "PENDING"
    IN_PROGRESS = "IN_PROGRESS"
    RETRYING = "RETRYING"
    DONE = "DONE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def final(self) -> bool:
        """Whether nothing follows this status."""
        return not _NEXT[self]


_FINAL = frozenset({TaskStatus.DONE, TaskStatus.FAILED, TaskStatus.CANCELLED})
_NEXT: Final[dict[TaskStatus, frozenset[TaskStatus]]] = {
    TaskStatus.PENDING: _FINAL | {TaskStatus.IN_PROGRESS, TaskStatus.RETRYING},
    TaskStatus.IN_PROGRESS: _FINAL | {TaskStatus.RETRYING},
    TaskStatus.RETRYING: _FINAL,
    TaskStatus.DONE: frozenset(),
    TaskStatus.FAILED: frozenset(),
    TaskStatus.CANCELLED: frozenset(),
}


def may_follow(old: TaskStatus, old_attempt: int, new: TaskStatus, new_attempt: int) -> bool:
    """Whether `new` in attempt `new_attempt` moves a task on that stands at `old` in `old_attempt`.

    Delivery is at least once, so updates come late, twice and out of order: within an attempt only
    the table above counts; a later attempt may begin again, an earlier one is history; nothing leaves
    a final status.
    """
    if old.final or new is TaskStatus.PENDING or new_attempt < old_attempt:
        return False
    return new_attempt > old_attempt or new in _NEXT[old]


TaskId = Annotated[Text, Field(min_length=1, max_length=64)]
Token = Annotated[str, Field(max_length=128)]
Attempt = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
Worker = Annotated[Text, Field(max_length=255)]
Progress = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
Error = Annotated[Text, Field(max_length=10_000)]
Run = Annotated[Text, Field(max_length=64, description="names one run of the job")]
First = Annotated[bool, Field(description="its message was not delivered before")]


class StatusUpdate(BaseModel):
    """One fact about a task, as a worker POSTs it to the API."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    task_id: TaskId
    status: TaskStatus
    token: Token = ""
    attempt: Attempt = 1
    worker: Worker = ""
    at: Moment = Field(default_factory=lambda: datetime.fromisoformat(to_iso(now_us())))
    began_at: Moment | None = Field(default=None, description="when this run began, if not told before")
    progress: Progress | None = None
    error: Error | None = None
    result: Any = None
    run: Run = ""
    first: First = False

    @field_validator("at", "began_at", mode="before")
    @classmethod
    def _at_is_text(cls, value: object) -> object:
        if isinstance(value, int | float):
            raise ValueError("a time is ISO 8601 with a zone, such as 2026-01-31T12:00:00.000000Z")
        return value


class UpdateAnswer(BaseModel):
    """The API's answer to one update: whether it moved the task, where the task stands now, whether it
    is to be cancelled, whether the asker's message is a copy of one that is being worked on, and what a
    node of a workflow that was done before returned."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    task_id: str
    applied: bool = False
    status: TaskStatus | None = None
    cancel: bool = False
    skip: bool = False
    result: Any = None
    error: str | None = None

    @property
    def run(self) -> bool:
        """Whether the job should run: yes, unless the task has already come to its end, is to be
        cancelled, or is being run by somebody else. A task that the API does not know still runs."""
        return not self.cancel and not self.skip and not (self.status is not None and self.status.final)


WRONG_TOKEN: Final = "token: wrong for this task"  # noqa: S105 - says what is wrong, is none
"""The error of an update whose task the API did not send, or whose secret has changed since."""

GO_ON: Final = UpdateAnswer(task_id="")
"""The answer where nobody was asked: there is nothing to do but to go on."""
