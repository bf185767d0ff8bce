"""Reports beside the path: a job's begin and end, stamped where it runs and sent in the background.

A job of an experiment waits for nobody: it is not asked for before it begins, and its message is acknowledged
without the API having heard of its end. Every contender stamps by this code.
"""

import time
from dataclasses import dataclass
from typing import Any, Protocol

from lab.clock import now_us
from lab.reporting.lines import Entitled, Line, Lines
from lab.status import GO_ON, TaskStatus, UpdateAnswer


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


class StampedReport:
    """The report function (`lab.jobs.context.Report`) of one run of a job whose reports travel beside its path.

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
