"""The job that every transport runs, by one plain function."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from lab.backoff import delay
from lab.context import MAX_TIME_LIMIT, Cancelled, Context, Report, TemporaryError
from lab.kinds import KINDS
from lab.logs import JobLog
from lab.status import TaskStatus

MAX_TIMEOUT = 3600.0
MAX_NUMBERS = 10_000
MAX_RETRIES = 10

Timeout = Annotated[float, Field(ge=0, le=MAX_TIMEOUT, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]


class Job(BaseModel):
    """One piece of work as it travels. The hand-written transport sends it as JSON; Celery's carries
    the same in its own message format."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    task_id: Annotated[str, Field(min_length=1, max_length=64)]
    num: Annotated[int, Field(ge=0)]
    kind: Annotated[str, Field(pattern=r"^[a-z_]{1,64}$")] = "process_task"
    params: dict[str, Any] = Field(default_factory=dict)
    token: Annotated[str, Field(max_length=128)] = ""
    attempt: Annotated[int, Field(ge=1, description="the number of the first delivery's attempt")] = 1
    retries: Annotated[int, Field(ge=0, description="how often it was tried again after an error")] = 0
    max_retries: Annotated[int, Field(ge=0, le=MAX_RETRIES)] = 3
    time_limit: Annotated[float, Field(gt=0, le=MAX_TIME_LIMIT, description="seconds")] = MAX_TIME_LIMIT

    def arguments(self) -> str:
        """Number and parameters as logs show them, long lists by their length: `(7, 5.0)`."""
        shown = [f"[{len(v)} items]" if isinstance(v, list) else repr(v) for v in self.params.values()]
        return f"({', '.join([str(self.num), *shown])})"


class UnknownKind(LookupError):
    """A job names a kind that this lab does not have."""


class Skipped(Exception):
    """The API said that this task has come to its end already, or is cancelled: it was not run."""


class Retry(Exception):
    """The job failed and is to be tried again after `seconds`; RETRYING was reported."""

    def __init__(self, seconds: float, cause: Exception) -> None:
        super().__init__(f"again in {seconds:.1f} s: {cause}")
        self.seconds = seconds


def run_job(job: Job, report: Report, log: JobLog, attempt: int = 1) -> dict[str, Any]:
    """Runs `job` for the `attempt`-th time (from 1) and reports IN_PROGRESS before, progress meanwhile,
    and DONE, FAILED, RETRYING or CANCELLED after it.

    Raises:
        Skipped: the answer to IN_PROGRESS was not to run.
        Cancelled: the task was cancelled while it ran.
        Retry: it failed with what may pass (TemporaryError, OSError) and has retries left.
        Exception: whatever else the job raised, after FAILED was reported.
    """
    verdict = report(TaskStatus.IN_PROGRESS, progress=0.0)
    if not verdict.run:
        log.skipped(job.num)
        if verdict.cancel:
            report(TaskStatus.CANCELLED)
        raise Skipped(job.task_id)
    log.started(job.num)
    try:
        work = KINDS.get(job.kind)
        if work is None:
            raise UnknownKind(f"unknown kind of job: {job.kind}")
        context = Context(job.num, attempt, job.time_limit, report)
        result = work(context, **job.params)
    except Cancelled:
        log.cancelled(job.num)
        report(TaskStatus.CANCELLED)
        raise
    except Exception as error:
        text = f"{type(error).__name__}: {error}"[:2000]
        if isinstance(error, TemporaryError | OSError) and job.retries < job.max_retries:
            seconds = delay(job.retries)
            log.retrying(job.num, error, seconds)
            report(TaskStatus.RETRYING, error=text)
            raise Retry(seconds, error) from error
        log.failed(job.num, error)
        report(TaskStatus.FAILED, error=text)
        raise
    report(TaskStatus.DONE, progress=1.0, result=result)
    log.finished(job.num)
    return result
