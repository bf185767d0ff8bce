"""Quick jobs that are run and told about together."""

import itertools
import threading
import time
from collections.abc import Callable, Sequence

import pytest

from consumer.batch import Batch
from consumer.handler import ACK, REQUEUE, Handler, Run, Settlement
from consumer.quick import Durations, key_of
from consumer.runner import Runner
from consumer.work import Work
from lab.context import Report
from lab.job import Job, Outcome
from lab.kinds import KINDS
from lab.logs import JobLog
from lab.status import TaskStatus, Verdict

JOB = Job(task_id="x", num=0, kind="hanging_task", params={"timeout": 0.0})
QUICK = key_of(JOB)


class Desk:
    """Notes who was told about together; stops or fails as it is told."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.ended: list[list[TaskStatus]] = []
        self.ended_us: list[int] = []
        self.stopped: set[int] = set()
        self.fails = False
        self.reports: dict[int, list[TaskStatus]] = {}

    def report_of(self, num: int) -> Report:
        def report(status: TaskStatus, **_: object) -> Verdict:
            self.reports.setdefault(num, []).append(status)
            return Verdict(task_id=str(num), cancel=num in self.stopped)

        report.num = num  # type: ignore[attr-defined]
        return report

    def begin_all(self, reports: Sequence[Report]) -> list[Verdict]:
        self.begun.append(len(reports))
        return [Verdict(task_id="", cancel=report.num in self.stopped) for report in reports]  # type: ignore[attr-defined]

    def end_all(self, ends: Sequence[tuple[Report, Outcome]]) -> None:
        if self.fails:
            raise OSError("away")
        self.ended.append([outcome.status for _, outcome in ends])
        self.ended_us += [outcome.at_us for _, outcome in ends]


class Quick(Durations):
    """Has every job that waits no time be quick, however busy this machine is."""

    def expected(self, key: int) -> float | None:
        return 0.00001 if key == QUICK else None


class Stage:
    """A runner of one thread."""

    def __init__(self) -> None:
        self.desk = Desk()
        handler = Handler(
            lambda job, attempt, again: pytest.fail("not here"), JobLog("test", "en"), desk=self.desk
        )
        self.runner = Runner(handler, 1, lambda task_id: False, Quick())
        self.settled: dict[int, Settlement] = {}
        self.num = 0

    def send(
        self,
        count: int,
        timeout: float = 0.0,
        task_id: str | None = None,
        wanted: Callable[[], bool] = lambda: True,
    ) -> list[int]:
        nums = []
        for _ in range(count):
            self.num += 1
            nums.append(self.num)
            job = Job(
                task_id=task_id or str(self.num),
                num=self.num,
                kind="hanging_task",
                params={"timeout": timeout},
            )
            run = Run(job, 1, self.desk.report_of(self.num))
            self.runner.stand_in_line(
                run, lambda settlement, num=self.num: self.settled.update({num: settlement}), wanted
            )
        return nums

    def begin_all(self) -> None:
        while self.runner.begin_next():
            pass

    def wait(self, condition: Callable[[], bool], seconds: float = 5.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline
            self.runner.give_up_overdue()
            time.sleep(0.01)


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_quick_jobs_are_told_about_together_and_each_is_acknowledged(stage: Stage) -> None:
    nums = stage.send(50)
    stage.begin_all()
    stage.wait(lambda: set(nums) <= stage.settled.keys())
    assert stage.desk.begun == [50]
    assert stage.desk.ended == [[TaskStatus.DONE] * 50]
    assert all(stage.settled[num] is ACK for num in nums)
    assert stage.desk.reports == {}
    assert stage.runner.free == 1


def test_each_tells_when_it_ended_itself(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "hanging_task", lambda context, timeout: time.sleep(0.003))
    nums = stage.send(5)
    stage.begin_all()
    stage.wait(lambda: set(nums) <= stage.settled.keys())
    (together,) = stage.desk.ended
    assert len(together) == 5
    gaps = [later - earlier for earlier, later in itertools.pairwise(stage.desk.ended_us)]
    assert min(gaps) >= 3_000


def test_a_batch_that_was_broken_up_when_its_last_job_had_ended_is_told_about_once() -> None:
    work = Work(Run(JOB, 1, Desk().report_of(1)), [], lambda: True)
    outcome = Outcome(TaskStatus.DONE)
    for first_is_thread in (True, False):
        batch = Batch([work])
        assert batch.next() is work
        assert batch.end(work, outcome)
        told = [batch.finish, lambda batch=batch: batch.break_up()[0]]
        found = [take() for take in (told if first_is_thread else reversed(told))]
        assert found == [[(work, outcome)], []]


def test_one_that_is_not_to_run_is_not_run_with_the_others(stage: Stage) -> None:
    nums = stage.send(3)
    stage.desk.stopped.add(nums[1])
    stage.begin_all()
    stage.wait(lambda: set(nums) <= stage.settled.keys())
    assert stage.desk.ended == [[TaskStatus.DONE] * 2]
    assert TaskStatus.DONE not in stage.desk.reports[nums[1]]


def test_where_nobody_takes_their_ends_all_go_back_to_the_queue(stage: Stage) -> None:
    stage.desk.fails = True
    nums = stage.send(5)
    stage.begin_all()
    stage.wait(lambda: set(nums) <= stage.settled.keys())
    assert all(stage.settled[num] is REQUEUE for num in nums)
    assert stage.runner.free == 1


def test_a_batch_whose_job_turns_out_slow_is_broken_up(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    seen: list[int] = []

    def sometimes_slow(context: object, timeout: float) -> None:
        seen.append(context.num)  # type: ignore[attr-defined]
        if len(seen) == 3:
            go_on.wait(5)

    monkeypatch.setitem(KINDS, "hanging_task", sometimes_slow)
    nums = stage.send(6)
    stage.begin_all()
    stage.wait(lambda: set(nums[:2]) <= stage.settled.keys())
    assert not set(nums[2:]) & stage.settled.keys()
    go_on.set()
    stage.wait(lambda: set(nums) <= stage.settled.keys())
    assert sorted(seen) == nums
    assert stage.desk.ended[0] == [TaskStatus.DONE] * 2
    stage.wait(lambda: stage.runner.free == 1)


def test_two_messages_of_one_job_are_one_run_and_both_are_settled(stage: Stage) -> None:
    nums = stage.send(2, task_id="twin")
    stage.begin_all()
    stage.wait(lambda: set(nums) <= stage.settled.keys())
    assert stage.desk.begun == [1]
    assert stage.desk.ended == [[TaskStatus.DONE]]


def test_other_jobs_go_alone(stage: Stage) -> None:
    nums = stage.send(3, timeout=0.01)
    stage.begin_all()
    stage.wait(lambda: set(nums) <= stage.settled.keys())
    assert stage.desk.begun == []
    assert all(TaskStatus.DONE in stage.desk.reports[num] for num in nums)


def test_what_its_lost_connection_left_unrun_is_run_when_it_comes_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, lost = threading.Event(), threading.Event()
    seen: list[int] = []

    def first_slow(context: object, timeout: float) -> None:
        seen.append(context.num)  # type: ignore[attr-defined]
        if len(seen) == 1:
            go_on.wait(5)

    monkeypatch.setitem(KINDS, "hanging_task", first_slow)
    first = stage.send(1, wanted=lambda: not lost.is_set())
    left = stage.send(1, task_id="left", wanted=lambda: not lost.is_set())
    stage.begin_all()
    stage.wait(lambda: seen == first)
    lost.set()
    time.sleep(0.15)
    stage.runner.give_up_overdue()  # breaks the batch up
    again = stage.send(1, task_id="left")  # the broker delivers it anew
    go_on.set()
    stage.begin_all()
    stage.wait(lambda: set(again) <= stage.settled.keys())
    if stage.settled[again[0]] is REQUEUE:  # it was given back with what waited, and comes once more
        again = stage.send(1, task_id="left")
        stage.begin_all()
        stage.wait(lambda: set(again) <= stage.settled.keys())
    assert stage.settled[again[0]] is ACK
    assert len(seen) == 2
    assert left
