from statistics import fmean

import pytest

from experiments.arrivals import WARM_UP, jobs_of
from experiments.plan import (
    WARM_UP_JOBS,
    Arm,
    Burst,
    ExponentialDuration,
    FixedDuration,
    OpenLoop,
    Plan,
    Uniform,
    Values,
    Workload,
)

ARMS = [Arm(method="celery"), Arm(method="sync")]


def plan(**changes: object) -> Plan:
    return Plan.model_validate({"arms": ARMS, "jobs": 2_000, **changes})


def test_the_same_seed_gives_the_same_jobs_and_another_one_others() -> None:
    open_loop = plan(
        arrival=OpenLoop(law="open", rate=50),
        duration=ExponentialDuration(law="exponential", mean=0.1),
        seed=7,
    )
    assert jobs_of(open_loop, 1) == jobs_of(open_loop, 1)
    assert jobs_of(open_loop, 1) != jobs_of(open_loop, 2)
    assert jobs_of(open_loop, 1) != jobs_of(open_loop.model_copy(update={"seed": 8}), 1)


def test_a_known_seed_gives_known_jobs_on_every_machine() -> None:
    drawn = jobs_of(
        plan(
            jobs=3,
            seed=1,
            arrival=OpenLoop(law="open", rate=10),
            duration=Uniform(law="uniform", low=0, high=1),
        ),
        1,
    )
    assert [(round(job.at, 6), round(job.seconds, 6)) for job in drawn] == [
        (0.0, 0.212784),
        (0.091815, 0.967202),
        (0.198966, 0.8013),
    ]


def test_another_law_of_one_thing_leaves_the_others_as_they_were() -> None:
    one = plan(duration=Uniform(law="uniform", low=0, high=1), arrival=Burst())
    other = plan(
        duration=Uniform(law="uniform", low=0, high=1),
        arrival=OpenLoop(law="open", rate=9),
        work=Workload.FAILING,
    )
    assert [job.seconds for job in jobs_of(one, 1)] == [job.seconds for job in jobs_of(other, 1)]


def test_the_warm_up_has_at_most_fifty_jobs() -> None:
    assert len(jobs_of(plan(), WARM_UP)) == WARM_UP_JOBS == 50
    assert len(jobs_of(plan(jobs=7), WARM_UP)) == 7


def test_a_burst_is_due_all_at_once() -> None:
    assert {job.at for job in jobs_of(plan(), 1)} == {0.0}


def test_even_arrivals_have_equal_distances() -> None:
    times = [job.at for job in jobs_of(plan(arrival=OpenLoop(law="open", rate=100, spacing="even")), 1)]
    assert times == pytest.approx([i / 100 for i in range(2_000)])


def test_independent_arrivals_come_at_their_rate_and_in_order() -> None:
    times = [job.at for job in jobs_of(plan(arrival=OpenLoop(law="open", rate=100)), 1)]
    assert times == sorted(times)
    assert 18 < times[-1] < 22  # 20 seconds, within four standard deviations


@pytest.mark.parametrize(
    ("law", "mean", "low", "high"),
    [
        (FixedDuration(seconds=0.25), 0.25, 0.25, 0.25),
        (Uniform(law="uniform", low=0.1, high=0.3), 0.2, 0.1, 0.3),
        (ExponentialDuration(law="exponential", mean=0.2), 0.2, 0.0, 4.0),
        (ExponentialDuration(law="exponential", mean=20.0), 19.0, 0.0, 60.0),
        (Values(law="values", values=[0.1, 0.1, 0.4]), 0.2, 0.1, 0.4),
    ],
)
def test_durations_follow_their_law(law: object, mean: float, low: float, high: float) -> None:
    seconds = [job.seconds for job in jobs_of(plan(duration=law), 1)]
    assert fmean(seconds) == pytest.approx(mean, rel=0.1)
    assert low <= min(seconds)
    assert max(seconds) <= high


def test_a_job_that_does_nothing_takes_no_time() -> None:
    assert {
        job.seconds for job in jobs_of(plan(work=Workload.NOOP, duration=FixedDuration(seconds=1)), 1)
    } == {0.0}


def test_jobs_fail_with_the_asked_probability_where_failing_is_asked_for() -> None:
    failing = [job.fails for job in jobs_of(plan(work=Workload.FAILING, p=0.25), 1)]
    assert 0.2 < fmean(failing) < 0.3
    assert not any(job.fails for job in jobs_of(plan(work=Workload.WAIT, p=0.25), 1))
