"""The job that every transport runs, by one plain function."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import from_json, to_json

from lab.jobs.backoff import delay
from lab.jobs.context import MAX_TIME_LIMIT, Cancelled, Context, Report, TemporaryError
from lab.jobs.kinds import KINDS
from lab.jobs.signatures import open_parameter
from lab.logs import JobLog
from lab.options import NONE, Options
from lab.reporting.reporter import ReportFailed
from lab.status import WRONG_TOKEN, TaskStatus, UpdateAnswer
from lab.values import MAX_WHOLE

MAX_TIMEOUT = 3600.0
MAX_NUMBERS = 10_000
MAX_RETRIES = 10
MAX_ATTEMPT = 500_000  # the store takes twice as many, and redeliveries count too
MAX_SHOWN = 200
MAX_RESULT_BYTES = 1_048_576
MAX_ERROR = 2000
SUSPECT_COUNT = 2

Timeout = Annotated[float, Field(ge=0, le=MAX_TIMEOUT, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]


class Job(BaseModel):
    """One piece of work as it travels. The hand-written transport sends it as JSON; Celery's carries
    the same in its own message format."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    task_id: Annotated[str, Field(min_length=1, max_length=64)]
    num: Annotated[int, Field(ge=0, le=MAX_WHOLE)]
    kind: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")] = "process_task"
    params: dict[str, Any] = Field(default_factory=dict)
    token: Annotated[str, Field(max_length=128)] = ""
    attempt: Annotated[
        int, Field(ge=1, le=MAX_ATTEMPT, description="the number of the first delivery's attempt")
    ] = 1
    retries: Annotated[
        int, Field(ge=0, le=MAX_ATTEMPT, description="how often it was tried again after an error")
    ] = 0
    max_retries: Annotated[int, Field(ge=0, le=MAX_RETRIES)] = 3
    time_limit: Annotated[float, Field(gt=0, le=MAX_TIME_LIMIT, description="seconds")] = MAX_TIME_LIMIT
    group_id: Annotated[str | None, Field(max_length=64, description="the group that it was sent with")] = (
        None
    )
    beside: Annotated[
        bool, Field(description="its reports travel beside its path: nothing waits for them")
    ] = False
    options: Options = NONE
    link: Annotated[Self | None, Field(description="runs when this one is DONE, with its result")] = None
    link_error: Annotated[Self | None, Field(description="runs when this one FAILED, with its error")] = None
    suspect: Annotated[
        bool, Field(description="workers that held it died again and again: it runs in a process of its own")
    ] = False
    then: list[Self] = Field(
        default_factory=list,
        description="the routing slip: what of a workflow follows, each job with what follows it in turn",
    )

    def to_json(self) -> bytes:
        """The job as the hand-written transport sends it: what is as by default is left out."""
        return self.model_dump_json(exclude_defaults=True).encode()

    def with_input(self, value: Any) -> Self:
        """The job with `value` as its first parameter that it does not name yet; as it is where it names
        all."""
        work = KINDS.get(self.kind)
        name = None if work is None else open_parameter(work, self.params)
        return self if name is None else self.model_copy(update={"params": {name: value, **self.params}})

    def after_success(self, result: Any) -> list[Self]:
        """The jobs that are to run when this one is DONE, with its `result`."""
        following = [*self.then, *([self.link] if self.link is not None else [])]
        return [job.with_input(result) for job in following]

    def after_failure(self, text: str) -> list[Self]:
        """The jobs that are to run when this one FAILED, with the `text` of its error."""
        return [] if self.link_error is None else [self.link_error.with_input(text)]

    def after(self, verdict: UpdateAnswer) -> list[Self]:
        """The jobs that are to run where this one had ended before, as `verdict` says."""
        if verdict.status is TaskStatus.DONE:
            return self.after_success(verdict.result)
        return self.after_failure(str(verdict.result)) if verdict.status is TaskStatus.FAILED else []

    def again(self, attempt: int, not_before_us: int) -> Self:
        """The job as it is sent for its next retry, which is attempt number `attempt`."""
        options = self.options.model_copy(update={"not_before_us": not_before_us})
        return self.model_copy(update={"attempt": attempt, "retries": self.retries + 1, "options": options})

    def becomes_suspect(self, returns: int) -> bool:
        """Whether it may have killed its workers, now that its message came back so often. A neighbour may have done
        so as well, and its count is no proof. The priority queue does not count: there once is enough."""
        return not self.suspect and returns >= (SUSPECT_COUNT if self.options.priority is None else 1)

    def suspected(self, attempt: int) -> Self:
        """The job as it goes on through the ordinary queue, as attempt number `attempt`, to run where it
        can kill nobody but itself."""
        options = self.options.model_copy(update={"priority": None})
        return self.model_copy(update={"attempt": attempt, "options": options, "suspect": True})

    def arguments(self) -> str:
        """Number and parameters as logs show them, lists and long texts by their length: `(7, 5.0)`."""
        return f"({', '.join([str(self.num), *map(_shown, self.params.values())])})"


_PLAIN: Final = Job(task_id="-", num=0)


def trusted_job(**fields: Any) -> Job:
    """The job with these `fields`, of which each was checked where it came from."""
    return _PLAIN.model_copy(update=fields)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return f"[{len(value)} items]"
    return f"[{len(value)} characters]" if isinstance(value, str) and len(value) > MAX_SHOWN else repr(value)


class UnknownKind(LookupError):
    """A job names a kind that this lab does not have."""


class JobFailed(Exception):
    """A job failed as this says: before, or in another process."""


class KilledItsProcess(JobFailed):
    """A job ended the process that was its own."""


class UnstorableResult(Exception):
    """A job returned what is no JSON, or more of it than the lab keeps."""


def error_words(error: BaseException) -> str:
    """What `error` says, as far as it can be told: at most `MAX_ERROR` characters."""
    try:
        text = str(error)[:MAX_ERROR]
    except BaseException as another:  # it is the job's own code
        text = f"(what it says cannot be told: {type(another).__name__})"
    return text.encode(errors="backslashreplace").decode()[:MAX_ERROR]  # half of a surrogate pair is no text


def error_text(error: BaseException) -> str:
    """What is told of `error` in a task's history."""
    words = error_words(error)
    return words if isinstance(error, JobFailed) else f"{type(error).__name__}: {words}"[:MAX_ERROR]


def storable(result: Any) -> Any:
    """`result` as the plain values of JSON, which all methods carry and both databases keep.

    Raises:
        UnstorableResult: it has none; the message names the bounds.
    """
    if result is None:
        return None
    try:
        encoded = to_json(result)
        if len(encoded) > MAX_RESULT_BYTES:
            raise ValueError(f"it takes {len(encoded):,} bytes")
        # Every reader takes 201 levels; half of them are for what carries the result.
        from_json(b"[" * 101 + encoded + b"]" * 101)
        return _finite(encoded)
    except (ValueError, RecursionError) as error:
        bounds = f"{MAX_RESULT_BYTES:,} bytes, 100 levels, finite numbers of 4,300 digits"
        raise UnstorableResult(
            f"the result cannot be stored: {error_words(error)} (it takes JSON of at most {bounds})"
        ) from error


def _finite(encoded: bytes) -> Any:
    try:
        return from_json(encoded, allow_inf_nan=False)
    except ValueError as error:  # its own message names a position only
        raise ValueError("JSON has neither NaN nor infinity") from error


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run of a job ended.

    Attributes:
        error: what it raised, where it is not DONE.
        again_seconds: when it is to be tried again, where it is RETRYING.
        skipped: the answer not to run it; it was not run, and `status` is CANCELLED.
    """

    status: TaskStatus
    result: Any = None
    error: BaseException | None = None
    again_seconds: float = 0.0
    skipped: UpdateAnswer | None = None

    @property
    def text(self) -> str | None:
        """What is told of its error."""
        return error_text(self.error) if self.status in _TELLS_WHY and self.error is not None else None

    def following(self, job: Job) -> list[Job]:
        """The jobs that are to run now that `job` has ended so."""
        if self.skipped is not None:
            # The worker that brought it to its end may have died before it sent what follows.
            return job.after(self.skipped)
        if self.status is TaskStatus.DONE:
            return job.after_success(self.result)
        return job.after_failure(self.text or "") if self.status is TaskStatus.FAILED else []


_TELLS_WHY: Final = frozenset({TaskStatus.FAILED, TaskStatus.RETRYING})


def perform(job: Job, log: JobLog, context: Context) -> Outcome:
    """Runs the job function; tells nobody but the log how it ended."""
    log.started(job)
    try:
        work = KINDS.get(job.kind)
        if work is None:
            raise UnknownKind(f"unknown kind of job: {job.kind}")
        return Outcome(TaskStatus.DONE, storable(work(context, **job.params)))
    except Cancelled as error:
        log.cancelled(job)
        return Outcome(TaskStatus.CANCELLED, error=error)
    except BaseException as error:  # whatever a job raises ends it, and nothing else
        if context.leaving():
            raise
        if isinstance(error, TemporaryError | OSError) and job.retries < job.max_retries:
            seconds = delay(job.retries, job.options.retry)
            log.retrying(job, error_words(error), seconds)
            return Outcome(TaskStatus.RETRYING, error=error, again_seconds=seconds)
        log.failed(job, error_words(error))
        return Outcome(TaskStatus.FAILED, error=error)


def run(
    job: Job,
    report: Report,
    log: JobLog,
    context: Context,
    perform: Callable[[Job, JobLog, Context], Outcome] = perform,
) -> Outcome:
    """Runs `job` to its end: reports IN_PROGRESS, which asks whether to run it, and how it ended. Raises nothing
    but what `report` raises, and what ends a process that is leaving (`Context.leaving`)."""
    verdict = report(TaskStatus.IN_PROGRESS, progress=0.0)
    if verdict.error == WRONG_TOKEN and job.token:
        # Another lab's: its own workers may take it, or it comes to the dead letters; here nobody can tell its end.
        raise ReportFailed("the API did not send this task (its token is another lab's)")
    if not verdict.run:
        log.skipped(job)
        if verdict.cancel:
            report(TaskStatus.CANCELLED)
        return Outcome(TaskStatus.CANCELLED, skipped=verdict)
    outcome = perform(job, log, context)
    done = outcome.status is TaskStatus.DONE
    report(outcome.status, progress=1.0 if done else None, result=outcome.result, error=outcome.text)
    if done:
        log.finished(job)
    return outcome
