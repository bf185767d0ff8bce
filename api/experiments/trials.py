"""One arm of an experiment in one repetition, on the lab itself: its jobs go the way that all tasks go."""

import queue
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from api.control.queues import METHODS
from api.experiments.outages import BrokerWatch
from api.experiments.queries import ExperimentQueries
from api.moves import NewTask
from api.relay import Relay, job_of
from api.store import Row, Store
from api.submit import store_reports
from experiments.model import Sample, Usage
from experiments.plan import KIND, Arm, Plan, PlannedJob, Work
from experiments.sampling import samples_of
from experiments.usage import UsageMeter
from lab.context import Report
from lab.job import Job
from lab.settings import Settings
from lab.status import TaskStatus, Verdict
from transports import ReportFor, create_transport

# A task may have ended before the relay has noted when its message was written.
NOTED_SECONDS: Final = 3.0
CANCELLED_AT_ONCE: Final = 1_000
# Beyond a plan's deadline, which begins when its last job is due.
_LEASE_SECONDS: Final = 3_600.0


@dataclass(frozen=True)
class Desk:
    """What trials work with; `threads` run the jobs of `sync`, `stop` is set when the experiment is to end."""

    settings: Settings
    secret: bytes
    store: Store
    rows: ExperimentQueries
    relay: Relay
    meter: UsageMeter
    experiment_id: str
    plan: Plan
    threads: int
    watch: BrokerWatch
    stop: threading.Event


class BrokeredTrial:
    """A trial whose jobs run in workers.

    Attributes:
        longest: how many seconds the longest of its jobs that were sent works.
    """

    in_request = False

    def __init__(self, desk: Desk, arm: Arm) -> None:
        self._desk = desk
        self.arm = arm
        self._nums: list[int] = []
        self._own: set[int] = set()
        self._others: set[int] = set()
        self._ended = 0
        self._seen = desk.rows.last_event()
        self.longest = 0.0
        self._payload = "x" * desk.plan.payload_bytes
        # What waits for longer than usual is this process's all the same: another relay would publish it unseen.
        self._lease_us = round((desk.plan.deadline + _LEASE_SECONDS) * 1_000_000)
        self._losses = desk.watch.losses - desk.watch.away
        desk.meter.begin(arm)

    def send(self, jobs: Sequence[PlannedJob]) -> None:
        """Stores the jobs' tasks, and has them go on from there."""
        relay = None if self.in_request else self._desk.relay.name
        news = [self._task(job) for job in jobs]
        self.longest = max(self.longest, *(job.seconds for job in jobs))
        rows = self._desk.store.add(
            news, relay=relay, experiment_id=self._desk.experiment_id, lease_us=self._lease_us
        ).rows
        nums = [row["num"] for row in rows]
        self._nums += nums
        self._own.update(nums)
        self._go_on(rows)

    def ended(self) -> int:
        """How many of its tasks have ended."""
        self._seen, ended = self._desk.rows.ends_after(self._seen)
        # A quick one may have ended before `send` was told its number.
        self._others.update(ended)
        found = self._others & self._own
        self._others -= found
        self._ended += len(found)
        return self._ended

    def samples(self, jobs: Sequence[PlannedJob], begun_us: int) -> list[Sample]:
        """What the store knows of each of `jobs`."""
        tasks, events = self._sampled()
        return samples_of(jobs, begun_us, self._nums, tasks, events, in_request=self.in_request)

    def usage(self) -> Mapping[str, Usage]:
        """What the stand has used since this trial was made."""
        return self._desk.meter.end()

    def outages(self) -> int:
        """How often the broker has been away since this trial was made; it may have been so from its begin."""
        over_rabbitmq = queue_of(self._desk.settings, self.arm) is not None
        return self._desk.watch.losses - self._losses if over_rabbitmq else 0

    def close(self) -> None:
        """Cancels what has not ended; where the whole experiment is to end, `cancel_all` does that at last."""
        if self.left_behind and not self._desk.stop.is_set():
            cancel_all(self._desk, self._nums[0])

    def leave(self) -> None:
        """Waits a moment for those of its jobs that run in this process, and were cancelled."""

    @property
    def left_behind(self) -> bool:
        """Whether some of its tasks had not ended when that was last looked at."""
        return self._ended < len(self._nums)

    def _sampled(self) -> tuple[list[Row], list[Row]]:
        if not self._nums:
            return [], []
        until = time.monotonic() + NOTED_SECONDS
        while True:
            tasks, events = self._desk.rows.sampled(self._desk.experiment_id, self._nums[0], self._nums[-1])
            begun = [task for task in tasks if task["started_us"] is not None]
            noted = self.in_request or all(task["published_us"] is not None for task in begun)
            if noted or time.monotonic() > until:
                return tasks, events
            time.sleep(0.05)

    def _task(self, job: PlannedJob) -> NewTask:
        params: dict[str, Any] = {"seconds": job.seconds, "work": self._work()}
        if job.fails:
            params["fails"] = True
        if self._payload:
            params["payload"] = self._payload
        return NewTask(self.arm.method, KIND, params, job.seconds, self.arm.delivery)

    def _work(self) -> str:
        return (Work.WAIT if self._desk.plan.work is Work.FAILING else self._desk.plan.work).value

    def _go_on(self, rows: Sequence[Row]) -> None:  # noqa: ARG002 - the relay reads them from the outbox
        self._desk.relay.wake(self.arm.method)


class SyncTrial(BrokeredTrial):
    """A trial whose jobs run in threads of this process, as a server runs them in its requests' threads."""

    in_request = True

    def __init__(self, desk: Desk, arm: Arm) -> None:
        super().__init__(desk, arm)
        self._error: Exception | None = None
        self._waiting: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(f"sync-{i + 1}",), name=f"sync {i + 1}", daemon=True)
            for i in range(desk.threads)
        ]
        for thread in self._threads:
            thread.start()

    def ended(self) -> int:
        """How many of its tasks have ended; raises what the store has raised in one of its threads."""
        if self._error is not None:
            raise self._error
        return super().ended()

    def close(self) -> None:
        """Ends the threads; one that runs a job ends it first, or is cancelled with it."""
        self._closed.set()
        for _ in self._threads:
            self._waiting.put(None)
        super().close()
        if not self._desk.stop.is_set():
            self.leave()

    def leave(self) -> None:
        """Waits for the threads."""
        for thread in self._threads:
            thread.join(1.0)

    def _go_on(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self._waiting.put(job_of(row, self._desk.secret))

    def _run(self, name: str) -> None:
        transport = create_transport("sync", self._desk.settings, self._noting(name))
        while (job := self._waiting.get()) is not None and not self._closed.is_set():
            transport.submit([job])

    def _noting(self, name: str) -> ReportFor:
        """Reports to the store, and notes what that raises: the transport takes it for the job's own failure."""
        reports = store_reports(self._desk.store, name)

        def report_for(job: Job, attempt: int) -> Report:
            inner = reports(job, attempt)

            def report(status: TaskStatus, **more: Any) -> Verdict:
                try:
                    return inner(status, **more)
                except Exception as error:
                    self._error = error
                    raise

            return report

        return report_for


def queue_of(settings: Settings, arm: Arm) -> str | None:
    """The queue on the lab's RabbitMQ that the arm's jobs go through; None where they go another way."""
    if arm.method == "celery" and settings.celery_broker_url != settings.rmq_url:
        return None
    return next((arm.delivery.queue(name) for name, method in METHODS.items() if method == arm.method), None)


def cancel_all(desk: Desk, first: int = 0) -> None:
    """Cancels the experiment's tasks numbered `first` and above that have not ended: at once where no worker
    has begun them, by their workers where one has."""
    left = desk.rows.unfinished_tasks(desk.experiment_id, first)
    for start in range(0, len(left), CANCELLED_AT_ONCE):
        asked = desk.store.request_cancel(left[start : start + CANCELLED_AT_ONCE])
        for task_id, answer in asked.items():
            if answer.before is TaskStatus.IN_PROGRESS and answer.row["method"] != "sync":
                desk.relay.cancel(answer.row["method"], task_id)
