from collections import deque

from consumer.handler import Run
from consumer.quick import MOST_TOGETHER, Durations, key_of
from consumer.work import Work
from lab.job import Job
from lab.status import Verdict


def work(key: int, kind: str = "process_task") -> Work:
    job = Job(task_id="x", num=1, kind=kind, params={"timeout": 0.0})
    return Work(Run(job, 1, lambda status, **_: Verdict(task_id="x")), [], lambda: True, key)


def knowing(seconds: dict[int, float]) -> Durations:
    durations = Durations()
    for key, took in seconds.items():
        for _ in range(5):
            durations.note(key, took)
    return durations


def test_jobs_with_the_same_parameters_are_alike() -> None:
    jobs = [
        Job(task_id=name, num=1, params={"timeout": seconds})
        for name, seconds in (("a", 0.0), ("b", 0.0), ("c", 9.0))
    ]
    keys = [key_of(job) for job in jobs]
    assert keys[0] == keys[1] != keys[2]
    assert key_of(Job(task_id="d", num=1, kind="process_data", params={"numbers": [1.0]})) == 0


def test_a_job_is_expected_to_be_quick_after_it_was_so_several_times() -> None:
    durations = Durations()
    durations.note(1, 0.0001)
    assert durations.expected(1) is None
    assert knowing({1: 0.0001}).expected(1) is not None


def test_one_that_took_long_ends_that() -> None:
    durations = knowing({1: 0.0001})
    durations.note(1, 0.5)
    assert durations.expected(1) is None


def test_what_is_quick_is_taken_from_the_front_until_one_is_not() -> None:
    durations = knowing({1: 0.00001, 2: 0.5})
    line = deque([work(1), work(1), work(2), work(1)])
    assert [one.key for one in durations.take_quick(line, lambda _: True)] == [1, 1]
    assert [one.key for one in line] == [2, 1]


def test_no_more_goes_together_than_is_over_in_hundredths_of_a_second() -> None:
    durations = knowing({1: 0.0009, 2: 0.000001})
    assert 20 <= len(durations.take_quick(deque(work(1) for _ in range(500)), lambda _: True)) <= 30
    assert len(durations.take_quick(deque(work(2) for _ in range(900)), lambda _: True)) == MOST_TOGETHER


def test_what_has_to_wait_for_its_turn_is_left() -> None:
    durations = knowing({1: 0.00001})
    assert durations.take_quick(deque([work(1), work(1)]), lambda _: False) == []
