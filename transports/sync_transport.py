"""Runs jobs in the request itself: the yardstick for the other methods."""

from collections.abc import Sequence
from typing import ClassVar

from lab.job import Job, Skipped, run_job
from lab.logs import JobLog
from transports.base import Submission, Transport


class SyncTransport(Transport):
    """No broker at all: `submit` returns when all jobs have ended."""

    name: ClassVar[str] = "sync"
    label: ClassVar[str] = "Sync"
    in_request: ClassVar[bool] = True

    def submit(self, jobs: Sequence[Job]) -> Submission:
        log = JobLog("Sync request", self._settings.log_language)
        for job in jobs:
            try:
                run_job(job, self._report_for(job), log)
            except Skipped:
                continue
            except Exception:  # noqa: S112 - the job's own failure is reported and logged by run_job
                continue
        return Submission(frozenset(job.task_id for job in jobs))
