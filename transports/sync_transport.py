"""Runs jobs in the request itself: the yardstick for the other methods."""

import time
from collections.abc import Sequence
from typing import ClassVar

from lab.clock import now_us
from lab.context import Context
from lab.delivery import Delivery
from lab.job import Job, run
from lab.logs import JobLog
from lab.status import TaskStatus
from transports.base import Submission, Transport


class SyncTransport(Transport):
    """No broker at all: `submit` returns when all jobs have ended."""

    name: ClassVar[str] = "sync"
    label: ClassVar[str] = "Sync"
    in_request: ClassVar[bool] = True

    def submit(self, jobs: Sequence[Job], delivery: Delivery = Delivery.SAFE) -> Submission:  # noqa: ARG002
        log = JobLog("Sync request", self._settings.log_language)
        begun: dict[str, int] = {}
        for job in jobs:
            begun[job.task_id] = now_us()
            self._run(job, log)
        return Submission(begun)

    def _run(self, job: Job, log: JobLog) -> None:
        """Runs `job`, again and again as its retries allow: the request waits for all of it."""
        attempt = 1
        while True:
            report = self._report_for(job, attempt)
            outcome = run(job, report, log, Context(job.num, attempt, job.time_limit, report))
            if outcome.status is not TaskStatus.RETRYING:
                return
            time.sleep(outcome.again_seconds)
            attempt += 1
            job = job.model_copy(update={"retries": job.retries + 1})
