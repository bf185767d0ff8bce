"""Runs jobs in the request itself: the yardstick for the other methods."""

import time
from collections.abc import Sequence
from typing import ClassVar, Final

from lab.clock import now_us
from lab.delivery import Delivery
from lab.job import Job, run
from lab.jobs.context import Context
from lab.logs import JobLog
from lab.status import TaskStatus
from transports.base import Submission, Transport
from transports.methods import SYNC

# What the jobs' own seconds do not count: keeping their statuses, and waiting for the processor.
OVERHEAD: Final = 1.1
OVERHEAD_SECONDS: Final = 2.0


def longest_request(most: float) -> float:
    """Seconds after which a request whose jobs may take `most` seconds runs none any more."""
    return most * OVERHEAD + OVERHEAD_SECONDS


class SyncTransport(Transport):
    """No broker at all: `submit` returns when all jobs have ended, or the time of the request is over: those that
    have not ended then are FAILED."""

    name: ClassVar[str] = SYNC.name
    label: ClassVar[str] = "Sync"
    in_request: ClassVar[bool] = True

    def submit(self, jobs: Sequence[Job], delivery: Delivery = Delivery.SAFE) -> Submission:  # noqa: ARG002
        log = JobLog("Sync request", self._settings.log_language)
        begun: dict[str, int] = {}
        end = time.monotonic() + longest_request(self._settings.sync_max_seconds)
        for job in jobs:
            begun[job.task_id] = now_us()
            self._run(job, log, end)
        return Submission(begun)

    def _run(self, job: Job, log: JobLog, end: float) -> None:
        """Runs `job`, again and again as its retries allow: the request waits for all of it, until `end`."""
        attempt = 1
        while True:
            report = self._report_for(job, attempt)
            if (left := end - time.monotonic()) <= 0:
                most = self._settings.sync_max_seconds
                report(
                    TaskStatus.FAILED, error=f"its request took longer than the {most:g} s that it may take"
                )
                return
            outcome = run(job, report, log, Context(job.num, attempt, min(job.time_limit, left), report))
            if outcome.status is not TaskStatus.RETRYING:
                return
            time.sleep(max(0.0, min(outcome.again_seconds, end - time.monotonic())))
            attempt += 1
            job = job.model_copy(update={"retries": job.retries + 1})
