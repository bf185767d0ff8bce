"""The job that every transport runs: one plain function, and the table of kinds it knows."""

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

from lab.logs import JobLog
from lab.status import TaskStatus, Verdict

MAX_TIMEOUT = 3600.0
MAX_NUMBERS = 10_000
PROGRESS_SECONDS = 0.5

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

    def arguments(self) -> str:
        """Number and parameters as logs show them, long lists by their length: `(7, 5.0)`."""
        shown = [f"[{len(v)} items]" if isinstance(v, list) else repr(v) for v in self.params.values()]
        return f"({', '.join([str(self.num), *shown])})"


class Report(Protocol):
    """Carries one status of the running job to whoever keeps it, and brings back the answer."""

    def __call__(
        self,
        status: TaskStatus,
        *,
        progress: float | None = None,
        result: Any = None,
        error: str | None = None,
    ) -> Verdict: ...


@dataclass(frozen=True)
class Context:
    """What a job function is given beside its own parameters."""

    num: int
    progress: Callable[[float], None]


def process_task(context: Context, timeout: float) -> dict[str, Any]:
    """Waits `timeout` seconds, telling its progress (0 to 1) at most every half second."""
    begin = time.monotonic()
    end = begin + timeout
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, PROGRESS_SECONDS))
        if time.monotonic() < end:
            context.progress((time.monotonic() - begin) / timeout)
    return {"status": "success", "task_num": context.num}


def process_data(context: Context, numbers: list[float]) -> dict[str, Any]:  # noqa: ARG001
    """Count, sum, smallest, largest, mean and standard deviation (of the population, as numpy's
    default) of `numbers`.

    Raises:
        ValueError: `numbers` is empty, or one of them is not a finite number.
    """
    if not numbers or not all(isinstance(n, int | float) and math.isfinite(n) for n in numbers):
        raise ValueError("process_data takes a list of at least one finite number")
    return {
        "count": len(numbers),
        "sum": math.fsum(numbers),
        "min": min(numbers),
        "max": max(numbers),
        "mean": statistics.fmean(numbers),
        "stdev": statistics.pstdev(numbers),
    }


KINDS: dict[str, Callable[..., dict[str, Any]]] = {
    "process_task": process_task,
    "process_data": process_data,
}


class UnknownKind(LookupError):
    """A job names a kind that this lab does not have."""


class Skipped(Exception):
    """The API said that this task has come to its end already, or is cancelled: it was not run."""


def run_job(job: Job, report: Report, log: JobLog) -> dict[str, Any]:
    """Runs `job` and reports IN_PROGRESS before, progress meanwhile, DONE or FAILED after it.

    Raises:
        Skipped: the answer to IN_PROGRESS was not to run.
        Exception: whatever the job itself raised, after FAILED was reported.
    """
    if not report(TaskStatus.IN_PROGRESS, progress=0.0).run:
        log.skipped(job.num)
        raise Skipped(job.task_id)
    log.started(job.num)

    def progress(share: float) -> None:
        report(TaskStatus.IN_PROGRESS, progress=min(max(share, 0.0), 1.0))

    try:
        work = KINDS.get(job.kind)
        if work is None:
            raise UnknownKind(f"unknown kind of job: {job.kind}")
        result = work(Context(job.num, progress), **job.params)
    except Exception as error:
        log.failed(job.num, error)
        report(TaskStatus.FAILED, error=f"{type(error).__name__}: {error}"[:2000])
        raise
    report(TaskStatus.DONE, progress=1.0, result=result)
    log.finished(job.num)
    return result
