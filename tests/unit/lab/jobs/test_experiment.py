import time
from typing import Any

import pytest

from lab.jobs.context import Cancelled, Context, TemporaryError
from lab.jobs.experiment import ExperimentFailure, experiment_job
from lab.jobs.kinds import KINDS
from lab.status import TaskStatus, UpdateAnswer


def context(cancel: bool = False) -> tuple[Context, list[float | None]]:
    """A context, and the progress that it is told."""
    told: list[float | None] = []

    def report(_status: TaskStatus, *, progress: float | None = None, **_: Any) -> UpdateAnswer:
        told.append(progress)
        return UpdateAnswer(task_id="x", cancel=cancel)

    return Context(1, report=report), told


def test_it_is_a_kind_of_job() -> None:
    assert KINDS["experiment_job"] is experiment_job


def test_it_waits_as_long_as_it_is_told_and_reports_nothing_below_half_a_second() -> None:
    here, told = context()
    begin = time.monotonic()
    assert experiment_job(here, 0.05) is None
    assert 0.05 <= time.monotonic() - begin < 2
    assert told == []


@pytest.mark.parametrize("work", ["cpu", "image"])
def test_it_works_for_so_many_seconds_of_its_own_processor_time(work: str) -> None:
    begin = time.thread_time()
    experiment_job(context()[0], 0.05, work)
    assert 0.05 <= time.thread_time() - begin < 2


def test_no_work_takes_no_time_whatever_was_asked() -> None:
    begin = time.monotonic()
    experiment_job(context()[0], 60.0, "noop", payload="x" * 1000)
    assert time.monotonic() - begin < 1


@pytest.mark.parametrize("work", ["wait", "cpu", "image", "noop", "failing"])
def test_it_fails_at_its_end_where_the_plan_says_so_and_is_not_tried_again(work: str) -> None:
    with pytest.raises(ExperimentFailure) as caught:
        experiment_job(context()[0], 0.0, work, fails=True)
    assert not isinstance(caught.value, TemporaryError | OSError)


@pytest.mark.parametrize("work", ["wait", "cpu"])
def test_a_long_one_hears_of_its_cancellation(work: str) -> None:
    here, told = context(cancel=True)
    with pytest.raises(Cancelled):
        experiment_job(here, 30.0, work)
    assert len(told) == 1


def test_work_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="tea"):
        experiment_job(context()[0], 0.0, "tea")
