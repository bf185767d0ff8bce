"""How Celery's processes report: those of a pool by one forwarder, and by themselves where it is gone.

A job's beginning is told by the worker's main process (`celery_pool.py`), which asks for all that begin at that
moment; so is its end, where nothing has to happen between the two. Whatever else a job tells, its own process does.
"""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

from celery.signals import task_revoked, worker_init

from celery_app import settings
from lab.amqp import delivery_count
from lab.context import Report
from lab.job import Assignment
from lab.job_report import Continued
from lab.lines import Line, Ticket
from lab.remote_reporter import RemoteReporter, start_forwarder
from lab.reporter import Reporter, ReportFailed
from lab.spool import Spool
from lab.status import TaskStatus
from lab.untracked import Untracked

_forwarder: list[str] = []  # where it listens; the processes of the pool have it from their parent


@worker_init.connect  # type: ignore[untyped-decorator]
def _report_for_all_processes(**_: Any) -> None:
    if settings.tracked:
        _forwarder.append(start_forwarder())


def forwarder() -> str | None:
    """Where this worker's forwarder listens; None where there is none."""
    return _forwarder[0] if _forwarder else None


@cache
def reporter(pid: int) -> RemoteReporter | Reporter | Untracked:  # noqa: ARG001 - each process of the pool has its own
    """What the process `pid`, which is this one, reports with."""
    if not settings.tracked:
        return Untracked()
    if _forwarder:
        return RemoteReporter(_forwarder[0], settings)
    return Reporter(settings.api_url, Spool(settings.spool))


def settle(line: Line) -> None:
    """Tells `line` from this process, and waits until it was taken. Raises ReportFailed where nobody takes it."""
    by = reporter(os.getpid())
    if not isinstance(by, Untracked):
        by.settle([line])


class _Run:
    """A job that runs in this process, begun by the worker's main process."""

    def __init__(self, name: str, answer: bytes | None) -> None:
        self.name, self.answer = name, answer
        self.report: Continued | None = None

    def left(self) -> bytes:
        """The DONE that is still to be told."""
        return b"" if self.report is None else self.report.left

    def tell(self) -> None:
        """Tells it from here: in Celery's eyes the task has not succeeded, and its end is handed to nobody."""
        if self.report is not None and self.report.left:
            with suppress(ReportFailed):
                settle(self.report.whole(self.report.left))


_running: list[_Run] = []  # one at most


def run(
    name: str, answer: bytes | None, trace: Callable[..., Any], args: tuple[Any, ...]
) -> tuple[int, Any, float]:
    """Runs a job in a process of the pool, as its run `name`, on the API's `answer` (as `Continued` has it).

    Returns what `trace`, Celery's own function, does; where the job's DONE is still to be told, this and the text
    of its result take that text's place (plain values: each class costs a look-up when it is unpickled).
    """
    current = _Run(name, answer)
    _running.append(current)
    try:
        failed, said, runtime = trace(*args)
    except BaseException:
        current.tell()
        raise
    finally:
        _running.clear()
    if failed:
        current.tell()
    elif left := current.left():
        said = (said, left)
    return failed, said, runtime


def report_of(job: Assignment, request: Any, attempt: int, *, redelivered: bool) -> Report:
    """The report function of `job`, for the `request` that Celery runs now.

    Its end is left to the main process where nothing follows from it: no result to be kept, nobody to be called.
    """
    by = reporter(os.getpid())
    if not _running or isinstance(by, Untracked):
        return by.for_job(job, request.hostname, attempt, redelivered=redelivered)
    current = _running[0]
    alone = not (request.callbacks or request.chain or request.chord)
    hands_over = bool(request.ignore_result) and alone
    current.report = Continued(
        by, job, request.hostname, attempt, current.name, current.answer, hands_over=hands_over
    )
    return current.report


@task_revoked.connect  # type: ignore[untyped-decorator]
def _report_cancelled(request: Any, expired: bool = False, **_: Any) -> None:
    """A revoked or expired task tells so from the worker's main process: its own process is gone, or never ran it."""
    headers = request.request_dict if hasattr(request, "request_dict") else (request.headers or {})
    job = Ticket(request.id, headers.get("lab_token") or "")
    attempt = headers.get("lab_attempt", 1) + delivery_count(headers, False)
    by = reporter(os.getpid())
    report = by.for_job(job, request.hostname, attempt)

    def tell() -> None:
        report(TaskStatus.CANCELLED, error="expired" if expired else None)
        if isinstance(by, RemoteReporter):
            by.leave()

    threading.Thread(target=tell, daemon=True).start()
