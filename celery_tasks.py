"""The lab's Celery tasks: thin wrappers around `lab.job.run_job`."""

import os
from functools import cache
from typing import Any

from celery import Task
from celery.exceptions import Ignore, Reject
from celery.signals import worker_ready

from celery_app import celery_app, settings
from lab.amqp import delivery_count
from lab.job import Job, Skipped, run_job
from lab.logs import JobLog
from lab.reporter import Reporter, ReportFailed
from lab.spool import Spool


@celery_app.task(bind=True, name="process_task")
def process_task(self: Task, task_num: int, timeout: float, worker_id: str = "celery") -> dict[str, Any]:
    """Waits `timeout` seconds under the number `task_num`, reporting its progress.

    From a shell: `process_task.delay(1, 5).get(timeout=30)`.
    """
    return _run(self, task_num, {"timeout": timeout}, worker_id)


@celery_app.task(bind=True, name="process_data")
def process_data(
    self: Task, numbers: list[float], task_num: int = 0, worker_id: str = "celery"
) -> dict[str, Any]:
    """Count, sum, min, max, mean and standard deviation of `numbers`."""
    return _run(self, task_num, {"numbers": numbers}, worker_id)


def _run(task: Task, num: int, params: dict[str, Any], worker_id: str) -> dict[str, Any]:
    request = task.request
    headers = request.headers or {}
    redelivered = bool((request.delivery_info or {}).get("redelivered"))
    job = Job(task_id=request.id, num=num, kind=task.name, params=params, token=headers.get("lab_token", ""))
    attempt = 1 + request.retries + delivery_count(headers, redelivered)
    report = _reporter(os.getpid()).for_job(job, request.hostname, attempt, must_ask=attempt > 1)
    try:
        return run_job(job, report, JobLog(f"Celery Worker {worker_id}", settings.log_language))
    except Skipped:
        raise Ignore from None
    except ReportFailed as error:
        raise Reject(str(error), requeue=True) from error


@worker_ready.connect
def _send_what_a_killed_worker_left(**_: Any) -> None:
    _reporter(os.getpid()).start()


@cache
def _reporter(pid: int) -> Reporter:  # noqa: ARG001 - each process of the pool has its own
    return Reporter(settings.api_url, Spool(settings.spool))
