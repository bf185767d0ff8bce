"""Intervals by a smoothed, studentised bootstrap over repetitions. The same values give the same interval.

A percentile bootstrap of five repetitions covers the truth in some 80 of 100 cases instead of 95: five values
show too little of how far they might spread. Studentising makes up for that, as Student's t does, and smoothing
(Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapters 12 and 16) keeps resamples of one value
drawn five times from having no spread at all. docs/why/experiments.md has the simulations.
"""

import math
import random
from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import add, itemgetter, mul
from statistics import fmean, stdev
from typing import Final

from experiments.model import Interval

LEVEL: Final = 0.95
MINIMUM: Final = 3
"""Fewer repetitions than this have no interval."""

SMOOTHING: Final = 0.15
"""The spread of the noise added to each drawn value, in standard deviations of the values."""

Pick = Callable[[Sequence[float]], tuple[float, ...]]
Draw = tuple[Pick, tuple[float, ...]]


def of_mean(
    values: Sequence[float], level: float = LEVEL, resolution: float = 0.0, *, least: float = -math.inf
) -> Interval:
    """The mean of `values`, one of each repetition, with its interval at `level` (0 to 1).

    Args:
        resolution: the smallest step in which the values can be told; the interval reaches at least so far.
        least: what the mean cannot be less than; the interval ends there.
    """
    mean = fmean(values)
    if len(values) < MINIMUM:
        return Interval(value=mean)
    spread = stdev(values)
    if not spread:
        return _around(mean, resolution, least)
    residuals = [(value - mean) / spread for value in values]
    ratios = [_ratio(*_drawn(residuals, draw)) for draw in _draws("one", len(values), _resamples(level))]
    return _around(mean, max(resolution, _quantile(ratios, level) * spread), least)


def of_difference(
    first: Sequence[float], second: Sequence[float], level: float = LEVEL, resolution: float = 0.0
) -> Interval:
    """The mean of `second` minus that of `first`, repetitions that have nothing to do with each other;
    `resolution` as above."""
    difference = fmean(second) - fmean(first)
    if min(len(first), len(second)) < MINIMUM:
        return Interval(value=difference)
    spreads = [stdev(values) for values in (first, second)]
    error = math.hypot(*(s / math.sqrt(len(v)) for s, v in zip(spreads, (first, second), strict=True)))
    if not error:
        return _around(difference, resolution)
    residuals = [
        [(value - fmean(values)) / spread if spread else 0.0 for value in values]
        for values, spread in zip((first, second), spreads, strict=True)
    ]
    count = _resamples(level)
    ratios = []
    for one, other in zip(_draws("one", len(first), count), _draws("other", len(second), count), strict=True):
        (mean_1, spread_1), (mean_2, spread_2) = _drawn(residuals[0], one), _drawn(residuals[1], other)
        drawn_error = math.hypot(
            spread_1 * spreads[0] / math.sqrt(len(first)), spread_2 * spreads[1] / math.sqrt(len(second))
        )
        ratios.append(_ratio(mean_2 * spreads[1] - mean_1 * spreads[0], drawn_error))
    return _around(difference, max(resolution, _quantile(ratios, level) * error))


def together(comparisons: int) -> float:
    """The level at which each of so many intervals is taken for all of them to hold at `LEVEL` (Bonferroni)."""
    return 1 - (1 - LEVEL) / max(1, comparisons)


def leaves_out_zero(interval: Interval) -> bool:
    """Whether the whole interval lies on one side of zero; False where there is none."""
    low, high = interval.low, interval.high
    return low is not None and high is not None and (low > 0 or high < 0)


def _around(value: float, reach: float, least: float = -math.inf) -> Interval:
    return Interval(value=value, low=max(least, value - reach), high=value + reach)


def _resamples(level: float) -> int:
    # At least twenty resamples beyond the quantile that is looked for.
    return max(1_000, math.ceil(20 / (1 - level)))


@lru_cache(maxsize=16)
def _draws(name: str, size: int, count: int) -> tuple[Draw, ...]:
    dice = random.Random(f"{name}/{size}/{count}")
    return tuple(
        (
            itemgetter(*(dice.randrange(size) for _ in range(size))),
            tuple(SMOOTHING * dice.gauss() for _ in range(size)),
        )
        for _ in range(count)
    )


def _drawn(residuals: Sequence[float], draw: Draw) -> tuple[float, float]:
    """The mean of a resample and its standard deviation."""
    pick, noise = draw
    values = list(map(add, pick(residuals), noise))
    size = len(values)
    mean = sum(values) / size
    squares = sum(map(mul, values, values)) - size * mean * mean
    return mean, math.sqrt(max(0.0, squares) / (size - 1))


def _ratio(mean: float, error: float) -> float:
    return abs(mean) / error if error else math.inf


def _quantile(ratios: list[float], level: float) -> float:
    return sorted(ratios)[min(len(ratios) - 1, math.ceil(level * (len(ratios) + 1)) - 1)]
