"""How one run of a job reports."""

from collections.abc import Sequence
from typing import Any, Protocol

from lab.reporting.lines import Entitled, Line, Lines
from lab.reporting.stamps import Stamp, StampedReport
from lab.status import TaskStatus, UpdateAnswer


class ReportSink(Protocol):
    """Where the reports of jobs go: a Reporter, or what leads to one in another process."""

    def ask(self, lines: Sequence[Line], *, must: bool = False) -> list[UpdateAnswer]: ...
    def settle(self, lines: Sequence[Line]) -> list[UpdateAnswer]: ...
    def note_progress(self, line: Line) -> UpdateAnswer: ...
    def stamp(self, stamp: Stamp) -> None: ...
    def is_cancelled(self, task_id: str) -> bool: ...


def report_of(
    reporter: ReportSink, job: Entitled, worker: str, attempt: int, *, redelivered: bool = False
) -> "JobReport | StampedReport":
    """The report function of `job`, run by `worker` for the `attempt`-th time (from 1), in or beside its path."""
    if job.beside:
        return StampedReport(reporter, job, worker, attempt, redelivered=redelivered)
    return JobReport(reporter, job, worker, attempt, redelivered)


class JobReport(Lines):
    """The report function of one run of a job (`lab.jobs.context.Report`).

    IN_PROGRESS at the start asks whether to run. When nobody answers, a job runs unasked, save where its
    message was redelivered: that may be of a job that has ended, and waits for the answer. Progress is sent
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
