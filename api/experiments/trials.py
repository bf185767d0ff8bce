"""One arm of an experiment in one repetition, on the lab itself.

With reports in the path its jobs go the way that all tasks go: stored when they are due, published by a relay. With
reports beside it they are stored before the repetition begins, and published one by one as they are due.
"""

import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from api.experiments.outages import BrokerWatch
from api.relay import Relay, job_of
from experiments.equalise import is_fixed
from experiments.model import Disturbance, Sample, Usage
from experiments.plan import KIND, Arm, Plan, PlannedJob, Reports, Workload
from experiments.runner import at_once
from experiments.sampling import samples_of
from experiments.usage import UsageMeter
from lab.job import Job
from lab.reporting.reporter import Reporter
from lab.settings import Settings
from lab.status import TaskStatus
from store.experiments import ExperimentRows
from store.tasks import NewTask, Row, Store
from transports import Transport
from transports.base import SendError
from transports.methods import CELERY, METHODS, QUEUES

# A task may have ended before the relay has noted when its message was written.
NOTED_SECONDS: Final = 3.0
CANCELLED_AT_ONCE: Final = 1_000
# Published one by one, after which it is looked whether the repetition is over.
SENT_AT_ONCE: Final = 100
# Until workers have heard of a cancellation.
CANCEL_SECONDS: Final = 1.0
# Beyond a plan's deadline, which begins when its last job is due.
_LEASE_SECONDS: Final = 3_600.0


logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrialTools:
    """What trials work with.

    Attributes:
        threads: run the jobs of `sync`.
        stop: set when the experiment is to end.
        senders: by method, publish jobs whose reports travel beside their path. Used by one trial at a time.
        reporter: sends the stamps of the jobs of `sync`.
        serials: numbers the jobs, so that no two of the experiment have the same parameters.
    """

    settings: Settings
    secret: bytes
    store: Store
    rows: ExperimentRows
    relay: Relay
    meter: UsageMeter
    experiment_id: str
    plan: Plan
    threads: int
    watch: BrokerWatch
    stop: threading.Event
    senders: Mapping[str, Transport]
    reporter: Reporter
    serials: Iterator[int] = field(default_factory=lambda: itertools.count(1))


class BrokeredTrial:
    """A trial whose jobs run in workers.

    Attributes:
        longest: how many seconds the longest of its jobs that were sent works.
    """

    in_request = False

    def __init__(self, desk: TrialTools, arm: Arm) -> None:
        self._desk = desk
        self.arm = arm
        self._nums: list[int] = []
        self._own: set[int] = set()
        self._others: set[int] = set()
        self._ended = 0
        self._seen = self._first_event = 0
        self.beside = desk.plan.reports is Reports.BESIDE
        self._ready: deque[Job] = deque()
        self._published: dict[int, int] = {}
        self._submits: dict[int, int] = {}
        self.longest = 0.0
        self._payload = "x" * desk.plan.payload_bytes
        # What waits for longer than usual is this process's all the same: another relay would publish it unseen.
        self._lease_us = round((desk.plan.deadline + _LEASE_SECONDS) * 1_000_000)
        self._losses = desk.watch.losses - desk.watch.away

    def prepare(self, jobs: Sequence[PlannedJob]) -> None:
        """Stores the tasks of jobs whose reports travel beside their path, and begins to measure."""
        if self.beside:
            most = at_once(self._desk.plan.payload_bytes)
            for start in range(0, len(jobs), most):
                if self._desk.stop.is_set():
                    break
                for row in self._store(jobs[start : start + most], None):
                    job = job_of(row, self._desk.secret)
                    self._ready.append(job.model_copy(update={"beside": True}))
        self._seen = self._first_event = self._desk.rows.last_event()
        self._desk.meter.begin(self.arm)

    def send(self, jobs: Sequence[PlannedJob]) -> int:
        """Publishes prepared jobs; in the path, stores the jobs' tasks and has them go on from there."""
        if self.beside:
            return self._publish(min(len(jobs), SENT_AT_ONCE, len(self._ready)))
        self._go_on(self._store(jobs, None if self.in_request else self._desk.relay.name))
        return len(jobs)

    def _publish(self, count: int) -> int:
        """Hands over the next `count` of the prepared jobs; returns how many were taken."""
        for done in range(count):
            num, begun_ns = self._ready[0].num, time.monotonic_ns()
            try:
                self._published[num] = self._hand_over(self._ready[0])
                # A job of `sync` may have run by now, and has told how long that took.
                self._submits.setdefault(num, (time.monotonic_ns() - begun_ns) // 1_000)
            except SendError as error:
                logger.warning("%s does not take jobs: %s", self.arm.method, error)
                return done
            self._ready.popleft()
        return count

    def _hand_over(self, job: Job) -> int:
        """Publishes one job; returns when its message was written. Raises SendError."""
        return self._desk.senders[self.arm.method].send(job, self.arm.delivery)

    def _store(self, jobs: Sequence[PlannedJob], relay: str | None) -> list[Row]:
        news = [self._task(job) for job in jobs]
        self.longest = max(self.longest, *(job.seconds for job in jobs))
        rows = self._desk.store.add(
            news, relay=relay, experiment_id=self._desk.experiment_id, lease_us=self._lease_us
        ).rows
        nums = [row["num"] for row in rows]
        self._nums += nums
        self._own.update(nums)
        return rows

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
        if self.beside:
            self._desk.rows.note_published(self._published)
        in_request = self.in_request and not self.beside
        return samples_of(jobs, begun_us, self._nums, *self._sampled(), self._submits, in_request=in_request)

    def usage(self) -> Mapping[str, Usage]:
        """What the stand has used since this trial was prepared."""
        return self._desk.meter.end()

    def disturbance(self) -> Disturbance:
        """What came from outside since this trial was prepared. The broker may have been away from its begin."""
        over_rabbitmq = queue_of(self._desk.settings, self.arm) is not None
        outages = self._desk.watch.losses - self._losses if over_rabbitmq else 0
        seen = self._desk.meter.disturbance()
        stored = self._desk.rows.begun_by_others(self._desk.experiment_id, self.arm.method, self._first_event)
        # What somebody has sent past the API is in no store.
        others = max(stored, seen.others - len(self._nums))
        return seen.model_copy(update={"outages": outages, "others": others})

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

    @property
    def lingers(self) -> float:
        """For how many seconds workers may still be at jobs that were cancelled: of those whose reports travel
        beside their path the store does not know, and the tutorial's worker cannot be told to stop."""
        deaf = is_fixed(self.arm.method, self.arm.delivery)
        return (self.longest if deaf else CANCEL_SECONDS) if self.beside else 0.0

    def _sampled(self) -> tuple[list[Row], list[Row], dict[int, int]]:
        if not self._nums:
            return [], [], {}
        until = time.monotonic() + NOTED_SECONDS
        while True:
            found = self._desk.rows.sampled(self._desk.experiment_id, self._nums[0], self._nums[-1])
            begun = [task for task in found[0] if task["started_us"] is not None]
            noted = self.in_request or all(task["published_us"] is not None for task in begun)
            if noted or self.beside or time.monotonic() > until:
                return found
            time.sleep(0.05)

    def _task(self, job: PlannedJob) -> NewTask:
        params: dict[str, Any] = {
            "seconds": job.seconds,
            "work": self._work(),
            "serial": next(self._desk.serials),
        }
        if job.fails:
            params["fails"] = True
        if self._payload:
            params["payload"] = self._payload
        return NewTask(self.arm.method, KIND, params, job.seconds, self.arm.delivery)

    def _work(self) -> str:
        return (Workload.WAIT if self._desk.plan.work is Workload.FAILING else self._desk.plan.work).value

    def _go_on(self, rows: Sequence[Row]) -> None:  # noqa: ARG002 - the relay reads them from the outbox
        self._desk.relay.wake(self.arm.method)


def queue_of(settings: Settings, arm: Arm) -> str | None:
    """The queue on the lab's RabbitMQ that the arm's jobs go through; None where they go another way."""
    if arm.method == CELERY.name and not settings.celery_on_rabbitmq:
        return None
    queue = METHODS[arm.method].queue
    return queue and arm.delivery.queue(queue)


def cancel_all(desk: TrialTools, first: int = 0) -> None:
    """Cancels the experiment's tasks numbered `first` and above that have not ended: at once where no worker
    has begun them, by their workers where one has."""
    left = desk.rows.unfinished_tasks(desk.experiment_id, first)
    beside = desk.plan.reports is Reports.BESIDE
    for start in range(0, len(left), CANCELLED_AT_ONCE):
        asked = desk.store.request_cancel(left[start : start + CANCELLED_AT_ONCE])
        for task_id, answer in asked.items():
            # One whose reports travel beside its path may run without the store's knowing.
            runs = not answer.before.final if beside else answer.before is TaskStatus.IN_PROGRESS
            if runs and answer.row["method"] in QUEUES:
                desk.relay.cancel(answer.row["method"], task_id)
