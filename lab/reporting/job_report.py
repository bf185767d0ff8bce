"""How one run of a job reports: the lines of JSON that tell its statuses, each encoded once, in or beside its path."""

import itertools
import logging
import os
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from pydantic_core import from_json, to_json

from lab.clock import now_us, to_iso
from lab.status import GO_ON, TaskStatus, UpdateAnswer

# Stamps wait for each other: nobody waits for them, and a POST costs the same whether it carries one or many.
QUIET_SECONDS: Final = 0.25
STAMP_SECONDS: Final = 2.0
MOST_STAMPS: Final = 200_000

_MACHINE: Final = secrets.token_hex(6)
_runs = itertools.count()

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Line:
    """One update, as `lab.status.StatusUpdate` reads it."""

    task_id: str
    json: bytes


def head_of(line: bytes) -> dict[str, Any]:
    """The fields of an update before its result and its error, which may be large or unreadable.

    Raises:
        ValueError: it is no update.
    """
    # Within a string of JSON quotes are escaped, so that this is found between fields only.
    head = line.split(b',"result":', 1)[0].split(b',"error":', 1)[0]
    found = from_json(head if head.endswith(b"}") else head + b"}")
    if not isinstance(found, dict) or not isinstance(found.get("task_id"), str):
        raise ValueError("no task_id")
    return found


def without_result(line: Line, reason: str) -> Line | None:
    """The update as FAILED with `reason` as its error; None where it has no result to leave out."""
    if b',"result":' not in line.json:
        return None
    return Line(line.task_id, to_json(head_of(line.json) | {"status": TaskStatus.FAILED, "error": reason}))


class Entitled(Protocol):
    """What may be reported on: a `lab.job.Job`, or as much of one as that takes."""

    @property
    def task_id(self) -> str: ...
    @property
    def token(self) -> str: ...
    @property
    def beside(self) -> bool: ...


class Lines:
    """Writes the updates of one run of `job` by `worker`, its `attempt`-th (from 1).

    Args:
        redelivered: its message was delivered before.
    """

    __slots__ = ("_attempt", "_first", "_head", "_token", "_worker", "run", "task_id")

    def __init__(self, job: Entitled, worker: str, attempt: int, redelivered: bool) -> None:
        self.task_id, self._token = job.task_id, job.token
        self._worker, self._attempt, self._first = worker, attempt, not redelivered
        self.run = f"{_MACHINE}-{os.getpid()}-{next(_runs)}"  # forked processes count alike
        self._head = b""

    def line(
        self,
        status: TaskStatus,
        *,
        progress: float | None = None,
        result: Any = None,
        error: str | None = None,
        at_us: int | None = None,
        began_us: int | None = None,
    ) -> Line:
        """The update that the task stands at `status`, `at_us` (microseconds since the epoch) or now, and that
        this run began at `began_us`, where that was not told before."""
        if not self._head:
            head = {
                "task_id": self.task_id,
                "token": self._token,
                "attempt": self._attempt,
                "worker": self._worker,
                "run": self.run,
                "first": self._first,
            }
            self._head = to_json(head)[:-1]
        at = to_iso(now_us() if at_us is None else at_us)
        parts = [self._head, f',"status":"{status}","at":"{at}"'.encode()]
        if began_us is not None:
            parts.append(f',"began_at":"{to_iso(began_us)}"'.encode())
        if progress is not None:
            parts.append(b',"progress":%r' % float(progress))
        if result is not None:
            parts += (b',"result":', to_json(result, inf_nan_mode="null"))
        if error is not None:
            parts += (b',"error":', to_json(error))
        return Line(self.task_id, b"".join((*parts, b"}")))


@dataclass(frozen=True, slots=True)
class Stamp:
    """One run of a job: when it began and ended (microseconds since the epoch), and how. Encoded when it is sent,
    so that it costs the job next to nothing."""

    lines: Lines
    status: TaskStatus
    began_us: int
    ended_us: int
    progress: float | None = None
    result: Any = None
    error: str | None = None

    def line(self) -> Line:
        """The update that tells it."""
        return self.lines.line(
            self.status,
            progress=self.progress,
            result=self.result,
            error=self.error,
            at_us=self.ended_us,
            began_us=self.began_us,
        )


class StampDesk(Protocol):
    """Where stamps go: a Reporter, or what leads to one in another process."""

    def stamp(self, stamp: Stamp) -> None: ...
    def is_cancelled(self, task_id: str) -> bool: ...


class ReportSink(StampDesk, Protocol):
    """Where the reports of jobs go: a Reporter, or what leads to one in another process."""

    def ask(self, lines: Sequence[Line], *, must: bool = False) -> list[UpdateAnswer]: ...
    def settle(self, lines: Sequence[Line]) -> list[UpdateAnswer]: ...
    def note_progress(self, line: Line) -> UpdateAnswer: ...


class JobReport(Lines):
    """The report function of one run of a job (`lab.jobs.context.Report`).

    IN_PROGRESS at the start asks whether to run. When nobody answers, a job runs unasked, unless its
    message was redelivered: that job may have ended already, so it waits for the answer. Progress is sent
    in the background, the newest of each task. A final status returns once the API has taken it or it lies
    in the spool, and raises ReportFailed where neither is available.
    """

    __slots__ = ("_reporter", "must_ask")

    def __init__(
        self, reporter: ReportSink, job: Entitled, worker: str, attempt: int, redelivered: bool
    ) -> None:
        super().__init__(job, worker, attempt, redelivered)
        self._reporter = reporter
        self.must_ask = redelivered

    def __call__(
        self,
        status: TaskStatus,
        *,
        progress: float | None = None,
        result: Any = None,
        error: str | None = None,
    ) -> UpdateAnswer:
        line = self.line(status, progress=progress, result=result, error=error)
        if status is not TaskStatus.IN_PROGRESS:
            return self._reporter.settle([line])[0]
        if progress:
            return self._reporter.note_progress(line)
        return self._reporter.ask([line], must=self.must_ask)[0]


class StampedReport:
    """The report function (`lab.jobs.context.Report`) of one run of a job whose reports travel beside its path.

    A job of an experiment waits for nobody: it is not asked for before it begins, and its message is acknowledged
    without the API having heard of its end. Every contender stamps by this code.

    The begin is placed by the wall clock, the end by the begin and the monotonic clock, so that a clock that is
    set meanwhile changes no duration. Both are handed over together when the job has ended.
    """

    def __init__(
        self, desk: StampDesk, job: Entitled, worker: str, attempt: int, *, redelivered: bool = False
    ) -> None:
        self._desk = desk
        self._lines = Lines(job, worker, attempt, redelivered)
        self._began_us = now_us()
        self._clock_ns = time.monotonic_ns()

    def __call__(
        self,
        status: TaskStatus,
        *,
        progress: float | None = None,
        result: Any = None,
        error: str | None = None,
    ) -> UpdateAnswer:
        if status is not TaskStatus.IN_PROGRESS:
            ended_us = self._began_us + (time.monotonic_ns() - self._clock_ns) // 1_000
            self._desk.stamp(Stamp(self._lines, status, self._began_us, ended_us, progress, result, error))
            return GO_ON
        if not progress:
            self._began_us, self._clock_ns = now_us(), time.monotonic_ns()
        if self._desk.is_cancelled(self._lines.task_id):
            return UpdateAnswer(task_id=self._lines.task_id, cancel=True)
        return GO_ON


def report_of(
    reporter: ReportSink, job: Entitled, worker: str, attempt: int, *, redelivered: bool = False
) -> JobReport | StampedReport:
    """The report function of `job`, run by `worker` for the `attempt`-th time (from 1), in or beside its path."""
    if job.beside:
        return StampedReport(reporter, job, worker, attempt, redelivered=redelivered)
    return JobReport(reporter, job, worker, attempt, redelivered)


class WaitingStamps:
    """Stamps that wait to be sent together: until none has come for a quarter of a second, two seconds at most. At
    most `MOST_STAMPS` wait, of which the oldest are dropped. The reporter's lock is held by each caller."""

    def __init__(self) -> None:
        self._stamps: list[Stamp | Line] = []
        self._first_at = self._last_at = 0.0
        self._under_way = 0

    def __bool__(self) -> bool:
        return bool(self._stamps or self._under_way)

    def add(self, stamp: Stamp | Line) -> bool:
        """Whether it is the first, and the sending thread has to hear of it."""
        first, self._last_at = not self._stamps, time.monotonic()
        if first:
            self._first_at = self._last_at
        self._stamps.append(stamp)
        if len(self._stamps) > MOST_STAMPS:
            dropped = MOST_STAMPS // 100  # many at a time, as each drop moves all that stay
            logger.error("the API is away for too long: the oldest %d stamps are dropped", dropped)
            del self._stamps[:dropped]
        return first

    def hurry(self) -> None:
        """Has them sent at once."""
        self._first_at = 0.0

    def seconds(self) -> float:
        """Until the next are due to be sent."""
        if not self._stamps:
            return float("inf")
        due_at = min(self._first_at + STAMP_SECONDS, self._last_at + QUIET_SECONDS)
        return max(0.0, due_at - time.monotonic())

    def take(self, room: int, enough: int) -> list[Stamp | Line]:
        """Those that are due, at most `room`; where `enough` are left, they follow at once."""
        if room <= 0 or self.seconds():
            return []
        taken, self._stamps = self._stamps[:room], self._stamps[room:]
        self._under_way = len(taken)
        if len(self._stamps) < enough:
            self._first_at = time.monotonic()
        return taken

    def sent(self) -> None:
        """Those that were taken have arrived."""
        self._under_way = 0

    def put_back(self, taken: Sequence[Stamp | Line]) -> None:
        """Those that were `taken` have not arrived."""
        self._stamps[:0] = taken
        self._under_way = 0
