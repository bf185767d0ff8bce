"""Intervals by Student's t over repetitions: one value of each repetition is one observation.

Ratios are of logarithms, so that twice and half are equally far from equal and no bound is negative.
`tools/simulate-intervals` says how often such intervals hold the truth, and what they find;
docs/why/experiments.md has its table.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import count
from statistics import fmean, stdev
from typing import Final

from experiments.model import Finding, Interval

LEVEL: Final = 0.95
MINIMUM: Final = 3
"""Fewer repetitions than this have no interval."""

TELLING: Final = 1.1
"""The factor that more repetitions are to tell from 1, where nothing is known yet."""

_MOST: Final = 1_000


def of_mean(
    values: Sequence[float], level: float = LEVEL, resolution: float = 0.0, *, least: float = -math.inf
) -> Interval:
    """The mean of `values`, one of each repetition, with its interval at `level` (0 to 1).

    Args:
        resolution: the smallest step in which the values can be told; the interval reaches at least so far.
        least: what the mean cannot be less than; the interval ends there.
    """
    return _interval(fmean(values), [values], level, resolution, least)


def of_difference(
    first: Sequence[float], second: Sequence[float], level: float = LEVEL, resolution: float = 0.0
) -> Interval:
    """The mean of `second` minus that of `first`, repetitions that have nothing to do with each other (Welch);
    `resolution` as above."""
    return _interval(fmean(second) - fmean(first), [first, second], level, resolution)


def of_ratio(
    first: Sequence[float],
    second: Sequence[float],
    level: float = LEVEL,
    resolution: float = 0.0,
    *,
    paired: bool = True,
) -> Interval | None:
    """`second` ÷ `first` with its interval, in the geometric mean; None where a value is not above zero.

    Args:
        resolution: the smallest step, as a share of the values.
        paired: whether the values at one place are of the same turn, which had the same jobs.
    """
    if min((*first, *second), default=0.0) <= 0:
        return None
    one, other = ([math.log(value) for value in values] for values in (first, second))
    samples = [[b - a for a, b in zip(one, other, strict=True)]] if paired else [one, other]
    found = _interval(fmean(other) - fmean(one), samples, level, math.log1p(resolution))
    low, high = (None if bound is None else math.exp(bound) for bound in (found.low, found.high))
    return Interval(value=math.exp(found.value), low=low, high=high)


def answer_of(ratio: Interval | None, difference: Interval, margin: float) -> Finding:
    """What the interval of a ratio says: that the two are equal within `margin` (0.05 for a factor of 1.05 either
    way), that they differ, or neither. Where there is no ratio, the difference has to leave out zero."""
    if ratio is None or ratio.low is None or ratio.high is None:
        low, high = difference.low, difference.high
        differs = ratio is None and low is not None and high is not None and (low > 0 or high < 0)
        return Finding.DIFFERS if differs else Finding.UNKNOWN
    if 1 / (1 + margin) <= ratio.low and ratio.high <= 1 + margin:
        return Finding.EQUAL
    return Finding.DIFFERS if ratio.low > 1 or ratio.high < 1 else Finding.UNKNOWN


def more_repetitions(first: Sequence[float], second: Sequence[float], level: float = LEVEL) -> int | None:
    """How many repetitions more would tell a tenth, if they scatter as those of these pairs do; None where that
    cannot be said, or is more than a thousand."""
    if len(first) < MINIMUM or min((*first, *second)) <= 0:
        return None
    spread = stdev(math.log(b / a) for a, b in zip(first, second, strict=True))
    for size in count(len(first)):
        if size > _MOST:
            return None
        if t_quantile(level, size - 1) * spread / math.sqrt(size) <= math.log(TELLING):
            return size - len(first)
    raise AssertionError


def together(comparisons: int) -> float:
    """The level at which each of so many intervals is taken for all of them to hold at `LEVEL` (Bonferroni)."""
    return 1 - (1 - LEVEL) / max(1, comparisons)


@lru_cache(maxsize=1024)
def t_quantile(level: float, freedom: int) -> float:
    """How many standard errors an interval at `level` reaches to either side, with `freedom` degrees of freedom.

    Solves the distribution of Student's t in the finite sums for whole degrees of freedom: Abramowitz and Stegun,
    Handbook of Mathematical Functions, 26.7.3 and 26.7.4.
    """
    low, high = 0.0, math.pi / 2  # of the angle whose tangent is t / √freedom
    for _ in range(60):
        angle = (low + high) / 2
        low, high = (angle, high) if _within(angle, freedom) < level else (low, angle)
    return math.tan(low) * math.sqrt(freedom)


def _within(angle: float, freedom: int) -> float:
    """The probability that t lies within ± tan(angle) √freedom."""
    sine, cosine = math.sin(angle), math.cos(angle)
    term, total = 1.0, 0.0
    if freedom % 2:
        for n in range(1, freedom - 1, 2):
            total += term * cosine**n
            term *= (n + 1) / (n + 2)
        return 2 / math.pi * (angle + sine * total)
    for n in range(0, freedom - 1, 2):
        total += term * cosine**n
        term *= (n + 1) / (n + 2)
    return sine * total


def _interval(
    value: float,
    samples: Sequence[Sequence[float]],
    level: float,
    resolution: float,
    least: float = -math.inf,
) -> Interval:
    """`value`, whose error is that of the means of `samples` together."""
    if min(len(sample) for sample in samples) < MINIMUM:
        return Interval(value=value)
    squares = [stdev(sample) ** 2 / len(sample) for sample in samples]
    error = math.sqrt(sum(squares))
    reach = resolution
    if error:
        reach = max(resolution, t_quantile(level, _freedom(samples, squares)) * error)
    return Interval(value=value, low=max(least, value - reach), high=value + reach)


def _freedom(samples: Sequence[Sequence[float]], squares: Sequence[float]) -> int:
    """Degrees of freedom by Welch and Satterthwaite, rounded down: the interval is rather too wide."""
    parts = sum(square**2 / (len(sample) - 1) for sample, square in zip(samples, squares, strict=True))
    return max(1, math.floor(sum(squares) ** 2 / parts + 1e-9))
