"""The lab's Celery tasks: thin wrappers around `lab.job.run_job`."""

import os
import threading
from functools import cache
from typing import Any

from celery import Task
from celery.exceptions import Ignore, Reject
from celery.signals import task_revoked, worker_ready

import celery_consumer  # noqa: F401 - named in the settings; the command `celery` finds only what is imported
from celery_app import celery_app, settings
from lab.amqp import delivery_count
from lab.context import Cancelled
from lab.job import Job, Retry, Skipped, run_job
from lab.kinds import KINDS
from lab.logs import JobLog
from lab.reporter import Reporter, ReportFailed
from lab.spool import Spool
from lab.status import TaskStatus


@celery_app.task(bind=True, name="process_task", max_retries=None)
def process_task(self: Task, task_num: int, timeout: float, worker_id: str = "celery") -> dict[str, Any]:
    """Waits `timeout` seconds under the number `task_num`, reporting its progress.

    From a shell: `process_task.delay(1, 5).get(timeout=30)`.
    """
    return _run(self, task_num, {"timeout": timeout}, worker_id)


@celery_app.task(bind=True, name="process_data", max_retries=None)
def process_data(
    self: Task, numbers: list[float], task_num: int = 0, worker_id: str = "celery"
) -> dict[str, Any]:
    """Count, sum, min, max, mean and standard deviation of `numbers`."""
    return _run(self, task_num, {"numbers": numbers}, worker_id)


def _add_task(kind: str) -> None:
    @celery_app.task(bind=True, name=kind, max_retries=None)
    def task(self: Task, task_num: int = 0, worker_id: str = "celery", **params: Any) -> dict[str, Any]:
        return _run(self, task_num, params, worker_id)

    task.__doc__ = KINDS[kind].__doc__


for _kind in KINDS.keys() - {"process_task", "process_data"}:
    _add_task(_kind)


def _run(task: Task, num: int, params: dict[str, Any], worker_id: str) -> dict[str, Any]:
    request = task.request
    headers = request.headers or {}
    redelivered = bool((request.delivery_info or {}).get("redelivered"))
    deliveries = delivery_count(headers, redelivered)
    attempt = headers.get("lab_attempt", 1) + deliveries
    job = Job(
        task_id=request.id,
        num=num,
        kind=task.name,
        params=params,
        token=headers.get("lab_token", ""),
        retries=request.retries,
        max_retries=headers.get("lab_max_retries", 3),
    )
    again = redelivered or deliveries > 0
    report = _reporter(os.getpid()).for_job(job, request.hostname, attempt, redelivered=again)
    try:
        return run_job(job, report, JobLog(f"Celery Worker {worker_id}", settings.log_language), attempt)
    except (Skipped, Cancelled):
        raise Ignore from None
    except Retry as retry:
        carried = {**_own(headers), "lab_attempt": attempt + 1}
        # On quorum queues a countdown is whole seconds, at least one.
        seconds = max(1, round(retry.seconds))
        raise task.retry(exc=retry.__cause__, countdown=seconds, headers=carried) from retry
    except ReportFailed as error:
        raise Reject(str(error), requeue=True) from error


def _own(headers: dict[str, Any]) -> dict[str, Any]:
    """The lab's own headers, to be carried to the next attempt."""
    return {name: value for name, value in headers.items() if name.startswith("lab_")}


@worker_ready.connect
def _send_what_a_killed_worker_left(**_: Any) -> None:
    _reporter(os.getpid()).start()


@task_revoked.connect
def _report_cancelled(request: Any, **_: Any) -> None:
    """A revoked task tells so from the worker's main process: its own process is gone, or never ran it."""
    headers = request.request_dict if hasattr(request, "request_dict") else (request.headers or {})
    job = Job(task_id=request.id, num=0, token=headers.get("lab_token") or "")
    attempt = headers.get("lab_attempt", 1) + delivery_count(headers, False)
    report = _reporter(os.getpid()).for_job(job, request.hostname, attempt)
    threading.Thread(target=report, args=(TaskStatus.CANCELLED,), daemon=True).start()


@cache
def _reporter(pid: int) -> Reporter:  # noqa: ARG001 - each process of the pool has its own
    return Reporter(settings.api_url, Spool(settings.spool))
