"""How Celery's processes report: those of a pool by one forwarder, and by themselves where it is gone.

As it comes, Celery reports as the tutorials do (`lab.reporting.plain_reports`); stamps go by the forwarder in both
modes.
"""

import logging
import os
import threading
from functools import cache
from typing import Any
from weakref import WeakValueDictionary

from celery.exceptions import TimeLimitExceeded
from celery.signals import (
    task_failure,
    task_received,
    task_retry,
    task_revoked,
    worker_init,
    worker_process_shutdown,
)

from celery_app import settings
from celery_worker.remote_reporter import RemoteReporter, clock_offset, start_forwarder
from lab.broker.amqp import delivery_count
from lab.delivery import Delivery
from lab.job import Job, trusted_job
from lab.jobs.context import Report
from lab.reporting.plain_reports import PlainReports
from lab.reporting.reporter import Reporter
from lab.reporting.spool import Spool
from lab.reporting.untracked import Untracked
from lab.status import TaskStatus

FLUSH_SECONDS = 2.0
BROKEN_OFF = "broken off: its worker lost its queue or its connection to the broker"

logger = logging.getLogger(__name__)

_forwarder: list[str] = []  # where it listens; the processes of the pool have it from their parent


@worker_init.connect  # type: ignore[untyped-decorator]
def _report_for_all_processes(**_: Any) -> None:
    settings.private()
    if settings.tracked:
        _forwarder.append(start_forwarder())


def known_clock_offset() -> float | None:
    """Seconds by which this machine's clock is ahead of the API's; None if unknown."""
    return clock_offset(_forwarder[0]) if _forwarder else None


@cache
def _reporter(pid: int) -> RemoteReporter | Reporter | Untracked:  # noqa: ARG001 - each process of the pool has its own
    """What the process `pid`, which is this one, reports with."""
    if not settings.tracked:
        return Untracked()
    if _forwarder:
        return RemoteReporter(_forwarder[0], settings)
    return Reporter(settings.api_url, Spool(settings.spool))


@worker_process_shutdown.connect  # type: ignore[untyped-decorator]
def _send_what_is_left(**_: Any) -> None:
    _reporter(os.getpid()).flush(FLUSH_SECONDS)


@cache
def _plain_reports(pid: int) -> PlainReports:
    return PlainReports(settings.api_url, _reporter(pid))


def report_of(job: Job, worker: str, attempt: int, *, redelivered: bool = False) -> Report:
    """The report function of `job`, run by `worker` for the `attempt`-th time (from 1), in this process."""
    pid = os.getpid()
    if not job.token and not job.beside:
        return _untracked(pid).for_job(job)
    if settings.delivery is Delivery.NAIVE and settings.tracked:
        return _plain_reports(pid).for_job(job, worker, attempt)
    return _reporter(pid).for_job(job, worker, attempt, redelivered=redelivered)


# What is not at its end, by id: signals of Celery's main process tell of a task without its message.
_received: WeakValueDictionary[str, Any] = WeakValueDictionary()


@task_received.connect  # type: ignore[untyped-decorator]
def _note(request: Any, **_: Any) -> None:
    _received[request.id] = request


@task_failure.connect  # type: ignore[untyped-decorator]
def _report_killed(task_id: str, exception: BaseException, **_: Any) -> None:
    """A task whose process was killed by the hard time limit tells so from the worker's main process, before Celery
    acknowledges its message."""
    request = _received.get(task_id) if isinstance(exception, TimeLimitExceeded) else None
    if request is not None and any(request.time_limits):
        error = f"TimeLimitExceeded: its time limit was over, and its process was killed after {exception.args[0]:g} s"
        _report_for(request)[1](TaskStatus.FAILED, error=error)


@cache
def _untracked(pid: int) -> Untracked:  # noqa: ARG001 - said once by each process
    logger.info("a task that the API has not made is not tracked: it runs as any Celery task")
    return Untracked()


@task_revoked.connect  # type: ignore[untyped-decorator]
def _report_cancelled(request: Any, expired: bool = False, **_: Any) -> None:
    """A revoked or expired task tells so from the worker's main process: its own process is gone, or never ran it."""
    _report_beside(request, TaskStatus.CANCELLED, "expired" if expired else None)


@task_retry.connect  # type: ignore[untyped-decorator]
def _report_broken_off(request: Any, einfo: Any = None, **_: Any) -> None:
    """A task whose process Celery ends since it has lost its connection tells so from the worker's main process. The
    broker delivers its message again, unless the queue is gone; then the books send it again, and have to know that
    it does not run."""
    of_message = _received.get(request.id)
    # A task that is to be tried again by its own wish has told so, and comes with a traceback.
    if einfo is None and of_message is not None and settings.delivery is Delivery.SAFE:
        _report_beside(of_message, TaskStatus.RETRYING, BROKEN_OFF)


def _report_beside(request: Any, status: TaskStatus, error: str | None) -> None:
    """Tells of the task of `request` while the worker's main process goes on."""
    by, report = _report_for(request)

    def tell() -> None:
        report(status, error=error)
        if isinstance(by, RemoteReporter):
            by.leave()

    threading.Thread(target=tell, daemon=True).start()


def _report_for(request: Any) -> tuple[RemoteReporter | Reporter | Untracked, Report]:
    """What the worker's main process reports with, and the report function of the task of `request`."""
    headers = request.request_dict if hasattr(request, "request_dict") else (request.headers or {})
    job = trusted_job(task_id=request.id, token=headers.get("lab_token") or "")
    attempt = headers.get("lab_attempt", 1) + delivery_count(headers, False)
    by = _reporter(os.getpid()) if job.token else Untracked()  # nobody waits to hear of a task without one
    return by, by.for_job(job, request.hostname, attempt)
