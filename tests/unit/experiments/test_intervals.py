import math
import random
from statistics import fmean

import pytest

from experiments import intervals
from experiments.intervals import (
    answer_of,
    more_repetitions,
    of_difference,
    of_mean,
    of_ratio,
    t_quantile,
    together,
)
from experiments.model import Finding, Interval
from experiments.plan import Plan
from experiments.totals import comparisons_of, headline
from tests.experiment_samples import a_plan, an_open_plan, bare_run

REPETITIONS = 5


@pytest.mark.parametrize(
    ("level", "freedom", "expected"),
    [
        (0.95, 1, 12.706), (0.95, 2, 4.303), (0.95, 3, 3.182), (0.95, 4, 2.776), (0.95, 9, 2.262), (0.95, 30, 2.042),
        (0.99, 4, 4.604), (0.99, 19, 2.861),
    ],
)  # fmt: skip
def test_quantiles_of_students_t_are_those_of_the_tables(level: float, freedom: int, expected: float) -> None:
    assert t_quantile(level, freedom) == pytest.approx(expected, abs=0.0006)


def test_an_interval_between_two_experiments_covers_the_truth_in_at_least_93_of_100_cases() -> None:
    dice = random.Random(20)
    held = 0
    for _ in range(1_000):
        one, other = ([dice.gauss(0, spread) for _ in range(REPETITIONS)] for spread in (1, 3))
        found = of_difference(one, other)
        held += (found.low or 0.0) <= 0 <= (found.high or 0.0)
    assert 930 <= held <= 975


@pytest.mark.parametrize("plan", [a_plan(), an_open_plan()], ids=["burst", "open loop"])
def test_equal_arms_do_not_differ_in_any_headline_figure_in_at_least_95_of_100_experiments(
    plan: Plan,
) -> None:
    dice = random.Random(21)
    rounds = 300
    quiet = 0
    for _ in range(rounds):
        runs = []
        for turn in range(1, REPETITIONS + 1):
            common = dice.gauss(0, 5)
            for arm in range(3):
                own = [dice.expovariate(1 / 4) for _ in range(2)]
                runs.append(bare_run(turn, arm, 300 + common + own[0], 40 + common + own[0], 90 + own[1]))
        found = comparisons_of(plan, runs, headline(plan))
        quiet += not any(one.answer is Finding.DIFFERS for one in found)
    assert quiet / rounds >= 0.94


def test_the_same_values_give_the_same_interval() -> None:
    assert of_mean([1.0, 2.0, 4.0, 3.0]) == of_mean([1.0, 2.0, 4.0, 3.0])


@pytest.mark.parametrize("values", [[1.0], [1.0, 2.0]])
def test_fewer_than_three_repetitions_have_no_interval_and_no_answer(values: list[float]) -> None:
    ratio = of_ratio(values, values)
    assert ratio is not None
    for interval in (of_mean(values), of_difference(values, [1.0, 2.0, 3.0]), ratio):
        assert interval.low is interval.high is None
    assert of_mean(values).value == fmean(values)
    assert answer_of(ratio, of_mean([0.0]), 0.05) is Finding.UNKNOWN
    assert more_repetitions(values, values) is None


def test_what_never_varies_has_an_interval_without_width() -> None:
    same = of_mean([4.0] * 5)
    assert (same.low, same.value, same.high) == (4.0, 4.0, 4.0)
    apart = of_difference([4.0] * 5, [6.0] * 4)
    assert (apart.low, apart.value, apart.high) == (2.0, 2.0, 2.0)


def test_an_interval_ends_at_what_its_mean_cannot_be_less_than() -> None:
    values = [1.0, 20.0, 1.0]
    free, bounded = of_mean(values), of_mean(values, least=0.0)
    assert free.low is not None
    assert free.low < 0
    assert bounded == free.model_copy(update={"low": 0.0})


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


def test_twice_and_half_are_equally_far_from_equal_and_no_bound_of_a_ratio_is_negative() -> None:
    slow, quick = [1.0, 9.0, 2.0, 8.0], [30.0, 2.0, 9.0, 90.0]
    up, down = of_ratio(slow, quick), of_ratio(quick, slow)
    assert up is not None
    assert down is not None
    assert up.low
    assert up.high
    assert down.low
    assert down.high
    assert 0 < up.low < up.value < up.high
    assert (1 / down.high, 1 / down.value, 1 / down.low) == pytest.approx((up.low, up.value, up.high))


def test_a_ratio_with_zero_is_none() -> None:
    assert of_ratio([0.0, 1.0, 1.0], [1.0, 1.0, 1.0]) is None
    assert answer_of(None, Interval(value=2.0, low=1.0, high=3.0), 0.05) is Finding.DIFFERS
    assert answer_of(None, Interval(value=2.0, low=-1.0, high=3.0), 0.05) is Finding.UNKNOWN


@pytest.mark.parametrize(
    ("low", "high", "answer"),
    [
        (1.2, 2.0, Finding.DIFFERS),
        (0.5, 0.9, Finding.DIFFERS),
        (0.97, 1.04, Finding.EQUAL),
        (1.01, 1.04, Finding.EQUAL),
        (1.01, 1.2, Finding.DIFFERS),
        (0.9, 1.02, Finding.UNKNOWN),
    ],
)
def test_a_ratio_says_that_two_differ_or_are_equal_within_the_margin_or_nothing(
    low: float, high: float, answer: Finding
) -> None:
    assert answer_of(Interval(value=1.0, low=low, high=high), Interval(value=0.0), 0.05) is answer


def test_repetitions_that_would_tell_a_tenth_are_fewer_the_less_they_scatter() -> None:
    def pairs(spread: float) -> tuple[list[float], list[float]]:
        return [100.0] * 4, [100.0, 100 * (1 + spread), 100 * (1 - spread), 100.0]

    wide, narrow = more_repetitions(*pairs(0.3)), more_repetitions(*pairs(0.1))
    assert wide is not None
    assert narrow is not None
    assert wide > narrow > 0
    assert more_repetitions(*pairs(0.001)) == 0
    assert more_repetitions([100.0] * 3, [1.0, 100.0, 10_000.0]) is None
