import pytest
from pydantic import ValidationError

from experiments.capacity import NoCapacity, at_share, burst_of
from experiments.plan import Burst, OpenLoop, Plan
from tests.experiment_samples import ARMS, a_plan, bare_run


def half(**changes: object) -> Plan:
    arrival = OpenLoop(law="open", share=0.5, spacing="even")
    return a_plan(**{"arms": ARMS[:2], "jobs": None, "seconds": 10, "arrival": arrival, **changes})


@pytest.mark.parametrize(("mean", "jobs"), [(0.01, 300), (0.1, 60), (30.0, 10)])
def test_the_burst_is_short_whatever_the_jobs_take(mean: float, jobs: int) -> None:
    burst = burst_of(half(duration={"law": "exponential", "mean": mean}))
    assert (burst.arrival, burst.count, burst.repetitions) == (Burst(), jobs, 1)


def test_the_rate_is_the_share_of_what_the_slowest_did_in_the_turn_that_counts() -> None:
    runs = [bare_run(turn, arm, rate, 1, 1) for turn, arm, rate in ((0, 1, 5), (1, 0, 300), (1, 1, 53.3))]
    measured = at_share(half(), runs)
    assert measured.arrival == OpenLoop(law="open", rate=26.6, share=0.5, capacity=53.3, spacing="even")
    assert measured.count == 266
    assert measured.as_asked == half()


def test_a_rate_stays_within_the_bounds_of_plans() -> None:
    runs = [bare_run(1, arm, 50_000, 1, 1) for arm in range(2)]
    measured = at_share(half(seconds=3_000), runs)
    assert Plan.model_validate(measured.model_dump()).tasks <= 2_000_000


def test_where_an_arm_ends_nothing_its_capacity_is_not_known() -> None:
    with pytest.raises(NoCapacity, match="the capacity of RabbitMQ, safe is not known"):
        at_share(half(), [bare_run(1, arm, 10 * (1 - arm), 1, 1) for arm in range(2)])


def test_an_open_loop_takes_a_rate_or_a_share() -> None:
    with pytest.raises(ValidationError, match="a rate, or a share"):
        OpenLoop(law="open")
