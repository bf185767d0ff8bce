"""Jobs in threads, without a broker or an API."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from pika.spec import BasicProperties

from consumer.jobs import Action, Jobs
from lab.clock import now_us
from lab.job import Job
from lab.jobs.context import Context, Report
from lab.logs import JobLog
from lab.reporting.reporter import ReportFailed
from lab.status import TaskStatus, UpdateAnswer


class Message:
    """A message of `job` as the broker delivers it, and how it was settled."""

    def __init__(self, job: Job | bytes, *, redelivered: bool = False, count: int | None = None) -> None:
        self.body = job if isinstance(job, bytes) else job.to_json()
        headers = None if count is None else {"x-delivery-count": count}
        self.properties = BasicProperties(message_id="x", headers=headers)
        self.redelivered = redelivered
        self.settled: list[tuple[Action, list[Job]]] = []
        self.wanted = True
        self._done = threading.Event()

    def settle(self, action: Action, following: Sequence[Job]) -> None:
        self.settled.append((action, list(following)))
        self._done.set()

    def wait(self, seconds: float = 5.0) -> bool:
        return self._done.wait(seconds)


class Stage:
    """Jobs whose reports are written down.

    Args:
        verdict: what each report is answered with.
        fail_on: the status at which a report fails.
        now_us: what the jobs take for the present moment.
    """

    def __init__(
        self,
        concurrency: int = 1,
        *,
        verdict: UpdateAnswer | None = None,
        fail_on: TaskStatus | None = None,
        now_us: Callable[[], int] = now_us,
    ) -> None:
        self.reports: list[tuple[str, TaskStatus, int, bool]] = []
        self.cancelled: set[str] = set()
        self._verdict = verdict or UpdateAnswer(task_id="x")
        self._fail_on = fail_on
        self.jobs = Jobs(
            concurrency,
            self._report_for,
            self._context_for,
            JobLog("test", "en"),
            self.cancelled.__contains__,
            now_us,
        )

    def _report_for(self, job: Job, attempt: int, redelivered: bool) -> Report:
        def report(status: TaskStatus, **_: Any) -> UpdateAnswer:
            if status is self._fail_on:
                raise ReportFailed("away")
            self.reports.append((job.task_id, status, attempt, redelivered))
            return self._verdict

        return report

    def _context_for(self, job: Job, attempt: int, report: Report) -> Context:
        return Context(job.num, attempt, job.time_limit, report)

    def take(self, *messages: Message) -> None:
        """Has the messages come."""
        for one in messages:
            self.jobs.take(one.body, one.properties, one.redelivered, one.settle, lambda one=one: one.wanted)

    def settlement(self, message: Message) -> tuple[Action, list[Job]]:
        """How `message` is settled."""
        self.take(message)
        assert message.wait()
        (settled,) = message.settled
        return settled

    def statuses(self, task_id: str = "x") -> list[TaskStatus]:
        """What was reported of a task."""
        return [status for told, status, _, _ in self.reports if told == task_id]


def hanging(name: str, seconds: float, **fields: Any) -> Job:
    """A job that takes `seconds` and hears of nothing meanwhile."""
    return Job(task_id=name, num=1, kind="hanging_task", params={"timeout": seconds}, **fields)


def until(holds: Callable[[], bool], seconds: float = 5.0) -> None:
    """Waits until `holds` says so."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)
