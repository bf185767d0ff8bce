import threading
import time
from collections.abc import Callable

import pytest

from consumer.handler import ACK, REQUEUE, Handler, Run, Settlement
from consumer.runner import Runner
from lab.clock import now_us
from lab.job import Job
from lab.logs import JobLog
from lab.options import Options
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


def until(holds: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_grown_pool_runs_more_at_once_and_a_shrunk_one_lets_what_runs_end() -> None:
    running, all_notes = runner(1, set()), [hanging(str(n), 1.0) for n in range(4)]
    running.grow(2)
    for notes in all_notes:
        running.submit(notes.run, notes.settle)
    until(lambda: len(running.picture()["active"]) == 3)
    assert running.picture()["reserved"] == 1
    running.shrink(2)
    assert running.picture()["reserved"] == 1
    assert len(running.picture()["active"]) == 3
    for notes in all_notes:
        assert notes.done.wait(5)
    last = [hanging(f"last{n}", 0.3) for n in range(2)]
    for notes in last:
        running.submit(notes.run, notes.settle)
    until(lambda: len(running.picture()["active"]) == 1)
    assert (running.picture()["reserved"], running.concurrency) == (1, 1)
    for notes in last:
        assert notes.done.wait(5)
    until(lambda: running.picture()["done"] == 6)


def test_a_job_that_a_limit_holds_keeps_no_thread_busy() -> None:
    running = runner(1, set())
    running.rate_limit("hanging_task", "1/h")
    held = [hanging(str(n), 0.0) for n in range(3)]
    for notes in held:
        running.submit(notes.run, notes.settle)
    assert held[0].done.wait(5)
    until(lambda: running.picture()["scheduled"] == 2)
    other = Notes(Job(task_id="other", num=1, params={"timeout": 0.0}))
    running.submit(other.run, other.settle)
    assert other.done.wait(5)
    assert not held[1].done.is_set()
    running.rate_limit("hanging_task", "0")
    assert held[1].done.wait(5)
    assert held[2].done.wait(5)


def test_held_jobs_go_back_to_the_queue_when_they_are_asked_for() -> None:
    running = runner(1, set())
    running.rate_limit("hanging_task", "1/h")
    notes = [hanging(str(n), 0.0) for n in range(2)]
    for one in notes:
        running.submit(one.run, one.settle)
    assert notes[0].done.wait(5)
    running.hand_back_held()
    assert notes[1].settled == [REQUEUE]
    assert running.picture()["scheduled"] == 0


def test_a_held_job_that_is_cancelled_or_whose_connection_went_takes_no_turn() -> None:
    cancelled: set[str] = set()
    running = runner(1, cancelled)
    running.rate_limit("hanging_task", "1/h")
    first, gone, stopped = hanging("first", 0.0), hanging("gone", 0.0), hanging("stopped", 0.0)
    wanted = [True]
    running.submit(first.run, first.settle)
    running.submit(gone.run, gone.settle, lambda: wanted[0])
    running.submit(stopped.run, stopped.settle)
    assert first.done.wait(5)
    until(lambda: running.picture()["scheduled"] == 2)
    wanted[0] = False
    cancelled.add("stopped")
    assert stopped.done.wait(5)
    until(lambda: running.picture()["scheduled"] == 0)
    assert gone.statuses == []


def test_who_stands_in_line_begins_only_when_it_is_told() -> None:
    running, first, second = runner(1, set()), hanging("a", 0.3), hanging("b", 0.0)
    for notes in (first, second):
        running.stand_in_line(notes.run, notes.settle)
    assert running.picture()["reserved"] == 2
    assert (running.begin_next(), running.free) == (True, 0)
    assert first.done.wait(5)
    assert (running.free, second.statuses) == (1, [])
    assert (running.begin_next(), running.begin_next()) == (True, False)
    assert second.done.wait(5)


def test_a_job_waits_for_its_time_without_a_thread() -> None:
    running = runner(1, set())
    options = Options(not_before_us=now_us() + 600_000)
    later = Notes(Job(task_id="later", num=1, params={"timeout": 0.0}, options=options))
    running.submit(later.run, later.settle)
    assert (running.free, running.picture()["scheduled"]) == (1, 1)
    at_once = hanging("at once", 0.0)
    running.submit(at_once.run, at_once.settle)
    assert at_once.done.wait(0.5)
    assert later.done.wait(5)
    assert now_us() >= (options.not_before_us or 0)


def test_what_waits_here_goes_back_to_the_queue() -> None:
    running = runner(1, set())
    options = Options(not_before_us=now_us() + 5_000_000)
    later = Notes(Job(task_id="later", num=1, params={"timeout": 0.0}, options=options))
    running.submit(later.run, later.settle)
    in_line = hanging("in line", 0.0)
    running.stand_in_line(in_line.run, in_line.settle)
    running.hand_back_held()
    assert later.settled == in_line.settled == [REQUEUE]
    assert running.begin_next() is False


def test_the_errback_of_a_job_that_is_given_up_goes_out_with_its_message() -> None:
    running, stuck = runner(1, set()), hanging("stuck", 3.0, time_limit=0.2)
    errback = Job(task_id="errback", num=2, kind="word_count")
    stuck.run = Run(stuck.run.job.model_copy(update={"link_error": errback}), 1, stuck.run.report)
    running.submit(stuck.run, stuck.settle)
    watch(running, stuck, 3.5)
    (following,) = stuck.settled[0].then
    assert "TimeLimitExceeded" in following.params["text"]
