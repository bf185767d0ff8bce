"""What an arm comes to over its repetitions, and how any two arms differ."""

from collections.abc import Iterable, Sequence
from itertools import combinations
from statistics import fmean
from typing import Final

from experiments import intervals
from experiments.figures import ENOUGH, KEYS, values_of
from experiments.model import ArmTurn, Comparison, Figures, Finding, Interval, Total
from experiments.plan import OpenLoop, Plan, Workload

Values = dict[int, dict[str, float]]
"""An arm's figures by turn."""

SOUND: Final = 0.01
"""The share of a repetition's jobs that may be lost or fail: what the p99 leaves over."""

_TICK_MS: Final = 10.0
_PAGE_BYTES: Final = 4096.0
_DIGITS: Final = 0.001


def headline(plan: Plan) -> tuple[str, ...]:
    """The figures that the verdict goes by: how fast a burst is done, how long jobs of an open loop take, as far as
    there are enough of them to tell."""
    if not isinstance(plan.arrival, OpenLoop):
        return ("throughput",)
    tail = next((point for point in ("p99", "p90") if plan.count >= ENOUGH[point]), None)
    return ("end_to_end.p50", *([f"end_to_end.{tail}"] if tail else []))


def counted(runs: Iterable[ArmTurn], arm: int) -> list[ArmTurn]:
    """The runs of `arm` that count, in the order of their turns: all but the warm-up."""
    return sorted((run for run in runs if run.arm == arm and run.turn > 0), key=lambda run: run.turn)


def totals_of(plan: Plan, runs: Sequence[ArmTurn]) -> list[Total]:
    """Each arm that ran: the means of its figures over the repetitions, each with an interval of its own."""
    totals = []
    for arm in range(len(plan.arms)):
        mine = counted(runs, arm)
        if not mine:
            continue
        by_turn = _values(mine)
        series = {key: [values[key] for values in by_turn.values() if key in values] for key in KEYS}
        totals.append(
            Total(
                arm=arm,
                figures={
                    key: intervals.of_mean(values, resolution=resolution_of(plan, key, values), least=0.0)
                    for key, values in series.items()
                    if values
                },
                failed=sum(run.figures.failed for run in mine),
                retries=sum(run.figures.retries for run in mine),
                duplicates=sum(run.figures.duplicates for run in mine),
                lost=sum(run.figures.lost for run in mine),
                unsound=sum(_is_unsound(plan, run.figures) for run in mine),
                disturbed=sum(run.figures.disturbance.outages > 0 for run in mine),
            )
        )
    return totals


def comparisons_of(plan: Plan, runs: Sequence[ArmTurn], keys: Sequence[str] = KEYS) -> list[Comparison]:
    """All pairs of arms in the figures `keys`, turn by turn, as those of the same turn had the same jobs.

    The intervals of the headline figures are widened until they hold together, over all of them and all pairs,
    in 95 of 100 experiments; any other figure's holds by itself.
    """
    pairs = list(combinations(range(len(plan.arms)), 2))
    series = {arm: _values(counted(runs, arm)) for arm in range(len(plan.arms))}
    found = (
        _compared(plan, first, second, series[first], series[second], key)
        for first, second in pairs
        for key in keys
    )
    return [comparison for comparison in found if comparison is not None]


def resolution_of(plan: Plan, key: str, values: Sequence[float]) -> float:
    """The smallest step in which the figure `key` can be told: a tick of CPU time, a page of memory, one byte or
    frame; of times and rates the histogram's third digit."""
    steps = {"cpu": _TICK_MS / plan.count, "memory": _PAGE_BYTES, "per_job": 1 / plan.count}
    return steps.get(key.partition(".")[0], fmean(map(abs, values)) * _DIGITS)


def judged(
    firsts: Sequence[float],
    seconds: Sequence[float],
    steps: tuple[float, float],
    difference: Interval,
    margin: float,
    level: float = intervals.LEVEL,
    *,
    paired: bool = True,
) -> tuple[tuple[float, float], Interval | None, Finding]:
    """Two arms in one figure: their means, the ratio of the second to the first, and what that says.

    Args:
        steps: in which the values of each can be told (`resolution_of`).
        difference: the second less the first, for where there is no ratio.
        level, paired: as `intervals.of_ratio` takes them.
    """
    means = fmean(firsts), fmean(seconds)
    shares = steps[0] / means[0] + steps[1] / means[1] if all(means) else 0.0
    ratio = intervals.of_ratio(firsts, seconds, level, shares, paired=paired)
    return means, ratio, intervals.answer_of(ratio, difference, margin)


def _is_unsound(plan: Plan, figures: Figures) -> bool:
    failed = 0 if plan.work is Workload.FAILING else figures.failed
    return figures.lost + failed > figures.jobs * SOUND


def _compared(plan: Plan, first: int, second: int, one: Values, other: Values, key: str) -> Comparison | None:
    turns = [turn for turn in one if key in one[turn] and key in other.get(turn, {})]
    if not turns:
        return None
    arms = len(plan.arms)
    family = arms * (arms - 1) // 2 * len(headline(plan)) if key in headline(plan) else 1
    firsts, seconds = ([side[turn][key] for turn in turns] for side in (one, other))
    level = intervals.together(family)
    step_1, step_2 = (resolution_of(plan, key, values) for values in (firsts, seconds))
    difference = intervals.of_mean(
        [second - first for first, second in zip(firsts, seconds, strict=True)], level, step_1 + step_2
    )
    means, ratio, answer = judged(firsts, seconds, (step_1, step_2), difference, plan.margin, level)
    more = intervals.more_repetitions(firsts, seconds, level) if answer is Finding.UNKNOWN else None
    return Comparison(
        first=first,
        second=second,
        figure=key,
        difference=difference,
        means=means,
        turns=len(turns),
        greater=(
            sum(one > other for one, other in zip(firsts, seconds, strict=True)),
            sum(one < other for one, other in zip(firsts, seconds, strict=True)),
        ),
        ratio=ratio,
        answer=answer,
        more=more,
    )


def _values(runs: Iterable[ArmTurn]) -> Values:
    return {run.turn: values_of(run.figures) for run in runs}
