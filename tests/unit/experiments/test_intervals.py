import math
import random
from collections.abc import Callable
from statistics import fmean

import pytest

from experiments import intervals
from experiments.intervals import leaves_out_zero, of_difference, of_mean, together
from experiments.plan import Plan
from experiments.totals import comparisons_of, headline
from tests.experiment_samples import a_plan, an_open_plan, bare_run

REPETITIONS = 5
Noise = Callable[[random.Random], float]
NOISES: dict[str, Noise] = {
    "normal": lambda dice: dice.gauss(0, 1),
    "exponential on one side": lambda dice: dice.expovariate(1) - 1,
    "log-normal": lambda dice: dice.lognormvariate(0, 0.5) - math.exp(0.125),
    "two exponentials of unequal size": lambda dice: dice.expovariate(1) - dice.expovariate(1 / 3) + 2,
}


def covered(interval_of: Callable[[random.Random], tuple[float | None, float | None]], rounds: int) -> float:
    """The share of rounds whose interval has 0, the truth, in it."""
    dice = random.Random(20)
    hits = 0
    for _ in range(rounds):
        low, high = interval_of(dice)
        assert low is not None
        assert high is not None
        hits += low <= 0 <= high
    return hits / rounds


@pytest.mark.parametrize("name", NOISES)
def test_an_interval_of_five_paired_differences_covers_the_truth_in_at_least_93_of_100_cases(
    name: str,
) -> None:
    def interval(dice: random.Random) -> tuple[float | None, float | None]:
        found = of_mean([NOISES[name](dice) for _ in range(REPETITIONS)])
        return found.low, found.high

    assert 0.93 <= covered(interval, 600) <= 0.995


@pytest.mark.parametrize("name", ["normal", "log-normal"])
def test_an_interval_between_two_experiments_covers_the_truth_in_at_least_93_of_100_cases(name: str) -> None:
    def interval(dice: random.Random) -> tuple[float | None, float | None]:
        one, other = ([NOISES[name](dice) for _ in range(REPETITIONS)] for _ in range(2))
        found = of_difference(one, other)
        return found.low, found.high

    assert 0.93 <= covered(interval, 300) <= 0.998


@pytest.mark.parametrize("plan", [a_plan(), an_open_plan()], ids=["burst", "open loop"])
def test_equal_arms_show_no_difference_over_all_headline_figures_in_at_least_95_of_100_experiments(
    plan: Plan,
) -> None:
    dice = random.Random(21)
    rounds = 150
    quiet = 0
    for _ in range(rounds):
        runs = []
        for turn in range(1, REPETITIONS + 1):
            common = dice.gauss(0, 5)
            for arm in range(3):
                own = [dice.expovariate(1 / 4) for _ in range(2)]
                runs.append(bare_run(turn, arm, 300 + common + own[0], 40 + common + own[0], 90 + own[1]))
        quiet += not any(c.shown for c in comparisons_of(plan, runs, headline(plan)))
    assert quiet / rounds >= 0.95


def test_a_real_difference_is_found() -> None:
    dice = random.Random(22)
    found = 0
    for _ in range(50):
        differences = [20 + dice.gauss(0, 2) for _ in range(REPETITIONS)]
        interval = of_mean(differences, together(6))
        found += leaves_out_zero(interval)
    assert found >= 45


def test_the_same_values_give_the_same_interval() -> None:
    assert of_mean([1.0, 2.0, 4.0, 3.0]) == of_mean([1.0, 2.0, 4.0, 3.0])


@pytest.mark.parametrize("values", [[1.0], [1.0, 2.0]])
def test_fewer_than_three_repetitions_have_no_interval(values: list[float]) -> None:
    for interval in (of_mean(values), of_difference(values, [1.0, 2.0, 3.0])):
        assert interval.low is interval.high is None
        assert not leaves_out_zero(interval)
    assert of_mean(values).value == fmean(values)


def test_what_never_varies_has_an_interval_without_width() -> None:
    same = of_mean([4.0] * 5)
    assert (same.low, same.value, same.high) == (4.0, 4.0, 4.0)
    apart = of_difference([4.0] * 5, [6.0] * 4)
    assert (apart.low, apart.value, apart.high) == (2.0, 2.0, 2.0)
    assert leaves_out_zero(apart)
    assert not leaves_out_zero(of_mean([0.0] * 5))


def test_an_interval_ends_at_what_its_mean_cannot_be_less_than() -> None:
    values = [1.0, 20.0, 1.0]
    free, bounded = of_mean(values), of_mean(values, least=0.0)
    assert free.low is not None
    assert free.low < 0
    assert bounded == free.model_copy(update={"low": 0.0})


def test_one_side_that_never_varies_leaves_the_others_spread() -> None:
    values = [1.0, 2.0, 3.0, 4.0, 5.0]
    apart, alone = of_difference([0.0] * 5, values), of_mean(values)
    assert alone.low is not None
    assert apart.low is not None
    assert apart.low == pytest.approx(alone.low, rel=0.5)


def test_an_interval_widens_with_its_level_and_narrows_with_repetitions() -> None:
    def width(values: list[float], level: float = intervals.LEVEL) -> float:
        found = of_mean(values, level)
        assert found.low is not None
        assert found.high is not None
        return found.high - found.low

    few = [1.0, 2.0, 3.0, 4.0, 5.0]
    assert width(few * 4) < width(few) < width(few, together(3)) < width(few, together(45)) < math.inf


def test_the_level_of_several_intervals_together_is_bonferronis() -> None:
    assert together(1) == pytest.approx(0.95)
    assert together(6) == pytest.approx(1 - 0.05 / 6)
