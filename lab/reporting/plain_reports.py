"""Reports as the tutorials write them: one POST at the begin, one at the end, and nothing done where one fails."""

import logging
from typing import Any

from lab.jobs.context import Report
from lab.reporting.callback_client import CallbackClient, Unreachable
from lab.reporting.job_report import Entitled, Lines, StampDesk, StampedReport
from lab.status import GO_ON, TaskStatus, UpdateAnswer

logger = logging.getLogger(__name__)


class PlainReports:
    """What the contenders as they come report with. Belongs to one thread.

    Args:
        url: where to POST (the setting API_URL).
        desk: takes the stamps of jobs whose reports travel beside their path.
    """

    def __init__(self, url: str, desk: StampDesk) -> None:
        self._client = CallbackClient(url)
        self._desk = desk

    def for_job(self, job: Entitled, worker: str, attempt: int, *, redelivered: bool = False) -> Report:
        """The report function of `job`, run by `worker` for the `attempt`-th time (from 1)."""
        if job.beside:
            return StampedReport(self._desk, job, worker, attempt, redelivered=redelivered)
        lines = Lines(job, worker, attempt, redelivered)

        def report(status: TaskStatus, **told: Any) -> UpdateAnswer:
            line = lines.line(status, **told)
            try:
                answer = self._client.post([line])[0]
            except Unreachable as failure:
                logger.warning("a status of task %s is lost: %s", job.task_id, failure)
                return GO_ON
            # No tutorial asks a store whether a job that comes again was done before: it runs it again.
            heeded = answer.cancel or answer.status is TaskStatus.CANCELLED
            return answer if heeded else answer.model_copy(update={"status": None, "skip": False})

        return report
