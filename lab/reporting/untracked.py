"""What a worker reports with where LAB_TRACKED is 0: nothing, to measure what reporting costs."""

from typing import Any, Final

from lab.jobs.context import Report
from lab.reporting.api_clock import ApiClock
from lab.reporting.job_report import Entitled, Stamp
from lab.reporting.reporter import Recent
from lab.status import GO_ON, TaskStatus, UpdateAnswer

_STOPPED: Final = UpdateAnswer(task_id="", cancel=True)


class Untracked:
    """Stands in for `lab.reporting.reporter.Reporter`: every job runs, and nobody hears of it. Cancelling works."""

    def __init__(self) -> None:
        self._cancelled = Recent()
        self.clock = ApiClock()  # nobody sets it

    def start(self) -> None:
        """Nothing: there is nothing to send."""

    def for_job(self, job: Entitled, *_: Any, **__: Any) -> Report:
        """The report function of `job`."""
        task_id, cancelled = job.task_id, self._cancelled

        def report(status: TaskStatus, **_: Any) -> UpdateAnswer:  # noqa: ARG001
            return _STOPPED if task_id in cancelled else GO_ON

        return report

    def stamp(self, stamp: Stamp) -> None:
        """Nobody is told."""

    def flush(self, seconds: float) -> bool:  # noqa: ARG002
        """There is nothing to send."""
        return True

    def cancel(self, task_id: str) -> None:
        """Notes that the task is to be cancelled."""
        self._cancelled.add(task_id)

    def is_cancelled(self, task_id: str) -> bool:
        """Whether the task is known to be cancelled."""
        return task_id in self._cancelled
