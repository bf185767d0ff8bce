"""What a job function is given beside its own parameters, and what it may raise."""

import time
from dataclasses import dataclass, field
from typing import Any, Protocol

from lab.status import TaskStatus, Verdict

MAX_TIME_LIMIT = 7200.0
PROGRESS_SECONDS = 0.5


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


class TemporaryError(Exception):
    """A job failed in a way that may pass: it is tried again, up to its limit."""


class TimeLimitExceeded(Exception):
    """A job took longer than its time limit."""


class Cancelled(Exception):
    """The job stopped because its task was cancelled."""


@dataclass
class Context:
    """What a job function is given beside its own parameters."""

    num: int
    attempt: int = 1
    time_limit: float = MAX_TIME_LIMIT
    report: Report | None = None
    _began: float = field(default_factory=time.monotonic)

    def progress(self, share: float) -> None:
        """Tells how much is done, 0 to 1.

        Raises:
            Cancelled: the task was cancelled meanwhile.
            TimeLimitExceeded: the time is over.
        """
        if time.monotonic() - self._began > self.time_limit:
            raise TimeLimitExceeded(f"the job took longer than {self.time_limit:g} s")
        if self.report is not None:
            share = min(max(share, 1e-6), 1.0)
            if self.report(TaskStatus.IN_PROGRESS, progress=share).cancel:
                raise Cancelled

    def wait(self, seconds: float) -> None:
        """Waits `seconds`, telling its progress at most every half second."""
        begin = time.monotonic()
        end = begin + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, PROGRESS_SECONDS))
            if time.monotonic() < end:
                self.progress((time.monotonic() - begin) / seconds)
