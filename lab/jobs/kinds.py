"""The kinds of jobs, each a plain function of its context and its parameters."""

import math
import os
import signal
import statistics
import time
from collections.abc import Callable
from typing import Any, Final

from lab import own_tasks
from lab.jobs.context import Context, TemporaryError
from lab.jobs.experiment import experiment_job
from lab.jobs.image import process_image
from lab.jobs.ledger import entered
from lab.jobs.schedule import cleanup_old_data, generate_daily_report, health_check
from lab.jobs.signatures import kinds_of
from lab.jobs.steps import STEPS


def process_task(context: Context, timeout: float) -> dict[str, Any]:
    """Waits `timeout` seconds."""
    with entered(context):
        context.wait(timeout)
    return {"status": "success", "task_num": context.num}


def process_data(context: Context, numbers: list[float]) -> dict[str, Any]:
    """Count, sum, smallest, largest, mean and standard deviation (of the population, as numpy's
    default) of `numbers`.

    Raises:
        ValueError: `numbers` is empty, or one of them is not a finite number.
    """
    if not numbers or not all(isinstance(n, int | float) and math.isfinite(n) for n in numbers):
        raise ValueError("process_data takes a list of at least one finite number")
    context.progress(0.5)
    return {
        "count": len(numbers),
        "sum": math.fsum(numbers),
        "min": min(numbers),
        "max": max(numbers),
        "mean": statistics.fmean(numbers),
        "stdev": statistics.pstdev(numbers),
    }


def add(context: Context, x: float, y: float) -> float:  # noqa: ARG001 - as every kind is called
    """The sum of `x` and `y`."""
    return x + y


def multiply(context: Context, x: float, y: float) -> float:  # noqa: ARG001 - as every kind is called
    """The product of `x` and `y`."""
    return x * y


def flaky_task(context: Context, timeout: float, times: int) -> dict[str, Any]:
    """Waits `timeout` seconds and fails in the first `times` attempts, then succeeds.

    Raises:
        TemporaryError: in those attempts.
    """
    context.wait(timeout)
    if context.attempt <= times:
        raise TemporaryError(f"attempt {context.attempt} of {times} that fail")
    return {"status": "success", "task_num": context.num, "attempt": context.attempt}


def failing_task(context: Context, timeout: float) -> dict[str, Any]:
    """Waits `timeout` seconds and fails, every time.

    Raises:
        TemporaryError: always.
    """
    context.wait(timeout)
    raise TemporaryError("this job always fails")


def hanging_task(context: Context, timeout: float) -> dict[str, Any]:
    """Waits `timeout` seconds without ever looking up: it tells no progress and hears of no cancellation."""
    time.sleep(timeout)
    return {"status": "success", "task_num": context.num}


def killer_task(context: Context, timeout: float) -> dict[str, Any]:
    """Waits `timeout` seconds and kills the process that runs it, as running out of memory would."""
    with entered(context):
        context.wait(timeout)
        os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


_BUILT_IN: Final[dict[str, Callable[..., Any]]] = {
    work.__name__: work
    for work in (
        process_task,
        process_data,
        process_image,
        flaky_task,
        failing_task,
        hanging_task,
        killer_task,
        experiment_job,
        health_check,
        generate_daily_report,
        cleanup_old_data,
    )
}
# Tasks of the Celery side alone.
CELERYS: Final = frozenset(
    {"send_email", "reliable_task", "send_errback", "beat_due", "get_files_from_bucket", "get_paths_from_db",
     "download_file_from_s3", "download_file_from_gcp", "download_file_from_azure", "write_paths_to_file"}
)  # fmt: skip
_SUMS: Final[dict[str, Callable[..., Any]]] = {"add": add, "multiply": multiply}
_OWN: Final = kinds_of(own_tasks)
if _twice := (_BUILT_IN.keys() | STEPS.keys() | CELERYS | _SUMS.keys()) & _OWN.keys():
    raise TypeError(f"lab.own_tasks: the lab has a task {_twice.pop()} already")
# Kinds whose parameters their signature tells: the API and the page need no more to offer them.
PLAIN: Final = _SUMS | _OWN
KINDS: Final = _BUILT_IN | STEPS | PLAIN
