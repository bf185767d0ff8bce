import threading
import time

import pytest

from consumer.handler import ACK, Handler, Run, Settlement
from consumer.runner import Runner
from lab.job import Job
from lab.logs import JobLog
from lab.status import TaskStatus, Verdict


class Notes:
    """What one job reported, and how its message was settled."""

    def __init__(self, job: Job) -> None:
        self.statuses: list[TaskStatus] = []
        self.settled: list[Settlement] = []
        self.done = threading.Event()
        self.run = Run(job, 1, self._report)

    def _report(self, status: TaskStatus, **_: object) -> Verdict:
        self.statuses.append(status)
        return Verdict(task_id=self.run.job.task_id)

    def settle(self, settlement: Settlement) -> None:
        self.settled.append(settlement)
        self.done.set()


def runner(concurrency: int, cancelled: set[str]) -> Runner:
    handler = Handler(lambda job, attempt, again: pytest.fail("not here"), JobLog("test", "en"))
    return Runner(handler, concurrency, cancelled.__contains__)


def hanging(name: str, seconds: float, time_limit: float = 7200.0) -> Notes:
    params = {"timeout": seconds}
    return Notes(Job(task_id=name, num=1, kind="hanging_task", params=params, time_limit=time_limit))


def watch(running: Runner, notes: Notes, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not notes.done.wait(0.05):
        running.give_up_overdue()
        assert time.monotonic() < deadline


def test_as_many_jobs_run_at_once_as_it_is_told() -> None:
    running, all_notes = runner(3, set()), [hanging(str(n), 0.4) for n in range(6)]
    begin = time.monotonic()
    for notes in all_notes:
        running.submit(notes.run, notes.settle)
    for notes in all_notes:
        assert notes.done.wait(5)
    assert 0.8 <= time.monotonic() - begin < 2
    assert all(notes.settled == [ACK] for notes in all_notes)


def test_a_job_over_its_time_limit_is_given_up_and_its_thread_replaced() -> None:
    running, stuck = runner(1, set()), hanging("stuck", 4.0, time_limit=0.2)
    running.submit(stuck.run, stuck.settle)
    watch(running, stuck, 3.5)
    assert stuck.statuses == [TaskStatus.IN_PROGRESS, TaskStatus.FAILED]
    after = hanging("after", 0.0)
    running.submit(after.run, after.settle)
    assert after.done.wait(1)
    time.sleep(3)
    assert stuck.settled == [ACK]


def test_a_cancelled_job_that_does_not_listen_is_given_up() -> None:
    cancelled: set[str] = set()
    running, deaf = runner(1, cancelled), hanging("deaf", 30.0)
    running.submit(deaf.run, deaf.settle)
    cancelled.add("deaf")
    watch(running, deaf, 10)
    assert deaf.statuses == [TaskStatus.IN_PROGRESS, TaskStatus.CANCELLED]


def test_a_message_that_is_not_wanted_any_more_is_not_run() -> None:
    running, stale = runner(1, set()), hanging("stale", 0.0)
    running.submit(stale.run, stale.settle, lambda: False)
    assert not stale.done.wait(0.3)
    assert stale.statuses == []


def test_a_message_of_a_job_that_runs_here_already_is_settled_with_it_and_not_run_again() -> None:
    running, first = runner(2, set()), hanging("same", 0.6)
    again = hanging("same", 0.6)
    running.submit(first.run, first.settle)
    time.sleep(0.2)
    running.submit(again.run, again.settle)
    assert first.done.wait(5)
    assert again.done.wait(1)
    assert again.settled == first.settled == [ACK]
    assert again.statuses == []
