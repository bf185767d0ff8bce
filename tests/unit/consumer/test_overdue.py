import threading

import pytest

from consumer.jobs import Action
from consumer.overdue import watch
from lab.job import Job
from lab.status import TaskStatus
from tests.unit.consumer.stage import Message, Stage, hanging, until


@pytest.fixture
def stage() -> Stage:
    """One thread that is watched."""
    made = Stage(1)
    threading.Thread(target=watch, args=(made.jobs, made.cancelled.__contains__), daemon=True).start()
    return made


def test_a_job_over_its_time_limit_is_given_up_and_its_thread_replaced(stage: Stage) -> None:
    stuck, after = Message(hanging("stuck", 4.0, time_limit=0.2)), Message(hanging("after", 0.0))
    stage.take(stuck, after)
    assert stuck.wait(3.5)
    assert stage.statuses("stuck") == [TaskStatus.IN_PROGRESS, TaskStatus.FAILED]
    assert after.wait(1)
    until(lambda: stage.statuses("stuck")[-1] is TaskStatus.DONE)  # its thread ends after all
    assert stuck.settled == [(Action.ACK, [])]


def test_a_cancelled_job_that_does_not_listen_is_given_up(stage: Stage) -> None:
    deaf = Message(hanging("deaf", 30.0))
    stage.take(deaf)
    stage.cancelled.add("deaf")
    assert deaf.wait(10)
    assert stage.statuses("deaf") == [TaskStatus.IN_PROGRESS, TaskStatus.CANCELLED]


def test_the_errback_of_a_job_that_is_given_up_goes_out_with_its_message(stage: Stage) -> None:
    errback = Job(task_id="errback", num=2, kind="word_count")
    stuck = Message(hanging("stuck", 3.0, time_limit=0.2, link_error=errback))
    stage.take(stuck)
    assert stuck.wait(3.5)
    ((action, (following,)),) = stuck.settled
    assert action is Action.ACK
    assert "TimeLimitExceeded" in following.params["text"]


def test_a_given_up_job_whose_end_nobody_takes_goes_back_to_the_queue() -> None:
    stage = Stage(1, fail_on=TaskStatus.FAILED)
    threading.Thread(target=watch, args=(stage.jobs, stage.cancelled.__contains__), daemon=True).start()
    stuck = Message(hanging("stuck", 3.0, time_limit=0.2))
    stage.take(stuck)
    assert stuck.wait(3.5)
    assert stuck.settled == [(Action.REQUEUE, [])]
