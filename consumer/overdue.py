"""Gives up jobs that do not end.

Python cannot stop a thread from outside. A job that notices its cancellation or its time limit ends by itself; of one
that does not the task is settled, its thread is left to itself, and another one takes its place. Celery's prefork pool
kills the process instead.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from consumer.jobs import Action, Jobs, ReceivedJob
from lab.reporting.reporter import ReportFailed
from lab.status import TaskStatus

CHECK_SECONDS: Final = 0.25
CANCEL_SECONDS: Final = 2.0
LIMIT_GRACE_SECONDS: Final = 1.0

logger = logging.getLogger(__name__)


def watch(jobs: Jobs, is_cancelled: Callable[[str], bool]) -> None:
    """Gives up, for ever, the jobs that have not ended after their cancellation or their time limit."""
    while True:
        now = time.monotonic()
        for work in list(jobs.running.values()):
            limit = work.job.time_limit
            if work.cancelled_at is None and is_cancelled(work.job.task_id):
                work.cancelled_at = now
            if work.cancelled_at is not None and now > work.cancelled_at + CANCEL_SECONDS:
                _give_up(jobs, work, TaskStatus.CANCELLED)
            elif now > work.began + limit + LIMIT_GRACE_SECONDS:
                error = f"TimeLimitExceeded: the job took longer than {limit:g} s"
                _give_up(jobs, work, TaskStatus.FAILED, error)
        time.sleep(CHECK_SECONDS)


def _give_up(jobs: Jobs, work: ReceivedJob, status: TaskStatus, error: str | None = None) -> None:
    def report() -> None:
        try:
            work.report(status, error=error)
            work.settle(Action.ACK, work.job.after_failure(error) if error else ())
        except ReportFailed as failure:
            logger.error("task %d goes back to the queue: %s", work.job.num, failure)
            work.settle(Action.REQUEUE)

    if jobs.end(work):
        jobs.add_thread()
        logger.error("task %d does not end and is given up", work.job.num)
        threading.Thread(target=report, daemon=True).start()  # it may have to wait for the API
