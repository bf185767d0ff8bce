"""Jobs in processes of their own."""

import time
from typing import Any

import pytest

from lab.job import Job, KilledItsProcess, Outcome, run
from lab.jobs.apart import perform_apart
from lab.jobs.context import Context
from lab.logs import JobLog
from lab.status import TaskStatus, UpdateAnswer


def job(kind: str, **params: Any) -> Job:
    return Job(task_id="x", num=7, kind=kind, params=params, suspect=True)


def run_apart(job: Job, *, cancel: bool = False, attempt: int = 1) -> tuple[Outcome, list[Any]]:
    """How the job ends, and what was told of it."""
    told: list[Any] = []

    def report(
        status: TaskStatus, *, progress: float | None = None, result: Any = None, error: str | None = None
    ) -> UpdateAnswer:
        told.append((status, progress, result, error))
        return UpdateAnswer(task_id="x", cancel=cancel and bool(progress))

    context = Context(job.num, attempt, job.time_limit, report)
    return run(job, report, JobLog("test", "en"), context, perform_apart), told


def test_a_job_tells_its_progress_and_its_end_from_there() -> None:
    outcome, told = run_apart(job("process_task", timeout=1.2))
    assert (outcome.status, outcome.result) == (TaskStatus.DONE, {"status": "success", "task_num": 7})
    assert [status for status, *_ in told] == [TaskStatus.IN_PROGRESS] * 3 + [TaskStatus.DONE]
    shares = [progress for _, progress, _, _ in told]
    assert shares == sorted(shares)


def test_what_it_raises_arrives_in_the_same_words() -> None:
    outcome, told = run_apart(job("process_data", numbers=[]))
    assert outcome.status is TaskStatus.FAILED
    assert told[-1] == (TaskStatus.FAILED, None, None, outcome.text)
    assert str(outcome.text).startswith("ValueError: process_data takes")


def test_it_is_tried_again_and_knows_its_attempt() -> None:
    again, _ = run_apart(job("flaky_task", timeout=0.0, times=2), attempt=2)
    assert again.status is TaskStatus.RETRYING
    assert again.again_seconds > 0
    assert again.text == "TemporaryError: attempt 2 of 2 that fail"
    done, _ = run_apart(job("flaky_task", timeout=0.0, times=2), attempt=3)
    assert done.status is TaskStatus.DONE


def test_it_hears_that_it_is_cancelled() -> None:
    begin = time.monotonic()
    outcome, told = run_apart(job("process_task", timeout=60.0), cancel=True)
    assert outcome.status is TaskStatus.CANCELLED
    assert told[-1][0] is TaskStatus.CANCELLED
    assert time.monotonic() - begin < 30


def test_a_job_that_kills_its_process_convicts_itself(caplog: pytest.LogCaptureFixture) -> None:
    outcome, told = run_apart(job("killer_task", timeout=0.0))
    assert isinstance(outcome.error, KilledItsProcess)
    assert outcome.text == "the job ended its process (SIGKILL)"
    assert told[-1] == (TaskStatus.FAILED, None, None, outcome.text)
    assert caplog.records[-1].getMessage() == "Task 7 failed: the job ended its process (SIGKILL)"
