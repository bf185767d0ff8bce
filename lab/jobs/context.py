"""What a job function is given beside its own parameters, and what it may raise."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from lab.places import Places
from lab.status import TaskStatus, UpdateAnswer

MAX_TIME_LIMIT = 7200.0
PROGRESS_SECONDS = 0.5


class Report(Protocol):
    """Carries one status of the running job to anyone who keeps it, and brings back the answer."""

    def __call__(
        self,
        status: TaskStatus,
        *,
        progress: float | None = None,
        result: Any = None,
        error: str | None = None,
    ) -> UpdateAnswer: ...


class Files(Protocol):
    """A task's files at the API: what it works on, what it made, and what earlier steps of its workflow
    made."""

    task_id: str

    def fetch(self, target: Path) -> None: ...
    def fetch_from(self, task_id: str, target: Path) -> None: ...
    def deliver(self, source: Path, part: str = "result") -> None: ...


class API(Protocol):
    """What a task may ask of the API in its own name."""

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any: ...


class MailSender(Protocol):
    """Sends a mail (`lab.jobs.mail.Mail`), and tells when the server is about to be given its text."""

    def send(self, mail: Any, handing_over: Callable[[], object]) -> None: ...


class TemporaryError(Exception):
    """A job failed in a way that may pass: it is tried again, up to its limit."""


class TimeLimitExceeded(Exception):
    """A job took longer than its time limit."""


class Cancelled(Exception):
    """The job stopped because its task was cancelled."""


@dataclass
class Context:
    """What a job function is given beside its own parameters.

    Attributes:
        leaving: whether the process was asked to end; what the job raises from then on is no end of the job.
    """

    num: int
    attempt: int = 1
    time_limit: float = MAX_TIME_LIMIT
    report: Report | None = None
    files: Files | None = None
    api: API | None = None
    mailer: MailSender | None = None
    places: Places = field(default_factory=Places)
    leaving: Callable[[], bool] = lambda: False
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
            share = min(max(1e-6, share), 1.0)  # in this order not a number is 1e-6
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
