"""Which jobs a repetition has, and when each is due: drawn from the plan's seed, so that they can be had again."""

from collections.abc import Iterator
from random import Random
from typing import Final

from experiments.plan import (
    MAX_DURATION,
    WARM_UP_JOBS,
    Arrival,
    Burst,
    Duration,
    ExponentialDuration,
    FixedDuration,
    Plan,
    PlannedJob,
    Uniform,
    Workload,
)

WARM_UP: Final = 0
LONGEST_IN_MEANS: Final = 20.0


def jobs_of(plan: Plan, turn: int) -> list[PlannedJob]:
    """The jobs of repetition `turn`, in the order in which they are due; the same for every arm.

    Turn 0 is the warm-up. Arrivals, durations and failures are drawn from streams of their own: another law
    of one of them leaves the others as they were.
    """
    count = min(WARM_UP_JOBS, plan.count) if turn == WARM_UP else plan.count
    times = _times(plan.arrival, _random(plan, turn, "arrivals"))
    lengths = _lengths(
        FixedDuration(seconds=0.0) if plan.work is Workload.NOOP else plan.duration, plan, turn
    )
    fate = _random(plan, turn, "failures")
    share = plan.p if plan.work is Workload.FAILING else 0.0
    return [
        PlannedJob(at=next(times), seconds=next(lengths), fails=fate.random() < share) for _ in range(count)
    ]


def order_of(plan: Plan, turn: int) -> list[int]:
    """The places of the arms in the order in which they have this turn: drawn from the seed, since in a fixed order
    whatever grows slower during a turn would count against the later arm."""
    places = list(range(len(plan.arms)))
    _random(plan, turn, "order").shuffle(places)
    return places


def _random(plan: Plan, turn: int, what: str) -> Random:
    return Random(f"{plan.seed}/{turn}/{what}")


def _times(arrival: Arrival, random: Random) -> Iterator[float]:
    at, number = 0.0, 0
    while True:
        yield at
        number += 1
        if isinstance(arrival, Burst):
            continue
        at = number / arrival.rate if arrival.spacing == "even" else at + random.expovariate(arrival.rate)


def _lengths(law: Duration, plan: Plan, turn: int) -> Iterator[float]:
    random = _random(plan, turn, "durations")
    while True:
        if isinstance(law, FixedDuration):
            yield law.seconds
        elif isinstance(law, Uniform):
            yield random.uniform(law.low, law.high)
        elif isinstance(law, ExponentialDuration):
            yield min(random.expovariate(1 / law.mean), LONGEST_IN_MEANS * law.mean, MAX_DURATION)
        else:
            yield random.choice(law.values)
