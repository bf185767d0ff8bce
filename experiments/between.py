"""Two experiments beside each other: where their figures differ, and what else did."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from experiments import intervals
from experiments.fairness_values import value_text
from experiments.figures import KEYS, values_of
from experiments.model import ArmTurn, Experiment, Finding, Interval, label
from experiments.plan import Plan
from experiments.plan_facts import facts_of
from experiments.totals import counted, judged, resolution_of
from experiments.words import N_, Translate, environment_facts, fairness_title, untranslated

Parts = tuple[tuple[str, str, str], ...]
"""What differs: its name, and its value in the one and in the other; "" where it has none."""

ALONE: Final = N_(
    "Each of these intervals holds by itself, so with many of them a few will show a difference by chance."
)


@dataclass(frozen=True)
class Change:
    """One figure of one arm: the other experiment's minus the one's.

    Attributes:
        arm: its label, the same in both.
        answer: by the ratio's interval, which holds by itself, and the other plan's margin.
    """

    arm: str
    figure: str
    one: float
    other: float
    difference: Interval
    ratio: Interval | None
    answer: Finding


@dataclass(frozen=True)
class Between:
    """What lies between two experiments. `margin` is the other plan's; `unmatched` are the arms that only one of them
    has figures of."""

    changes: tuple[Change, ...]
    margin: float
    unmatched: tuple[str, ...]
    plan: Parts
    environment: Parts
    fairness: Parts


def between(one: Experiment, other: Experiment, _: Translate = untranslated) -> Between:
    """The differences of arms of the same name, with unpaired intervals: the two had nothing in common but
    their plans. What else differs is told in the language of `_`."""
    first, second = _arms(one, _), _arms(other, _)
    return Between(
        changes=tuple(
            _change((one.plan, other.plan), arm, key, first[arm][key], second[arm][key])
            for arm in first
            if arm in second
            for key in KEYS
            if key in first[arm] and key in second[arm]
        ),
        margin=other.plan.margin,
        unmatched=tuple(sorted(first.keys() ^ second.keys())),
        plan=_parts(dict(facts_of(one.plan, _)), dict(facts_of(other.plan, _))),
        environment=_parts(*(environment_facts(each.environment, _) for each in (one, other))),
        fairness=_parts(_fairness(one, _), _fairness(other, _)),
    )


def _change(plans: tuple[Plan, Plan], arm: str, key: str, one: list[float], other: list[float]) -> Change:
    steps = resolution_of(plans[0], key, one), resolution_of(plans[1], key, other)
    difference = intervals.of_difference(one, other, resolution=sum(steps))
    means, ratio, answer = judged(one, other, steps, difference, plans[1].margin, paired=False)
    return Change(arm, key, *means, difference, ratio, answer)


def _arms(experiment: Experiment, _: Translate) -> dict[str, dict[str, list[float]]]:
    """Each arm's figures, one value a repetition, by its label."""
    plan = experiment.plan
    runs = {label(plan, arm, _): counted(experiment.runs, arm) for arm in range(len(plan.arms))}
    return {name: _series(mine) for name, mine in runs.items() if mine}


def _series(runs: list[ArmTurn]) -> dict[str, list[float]]:
    by_turn = [values_of(run.figures) for run in runs]
    series = {key: [values[key] for values in by_turn if key in values] for key in KEYS}
    return {key: values for key, values in series.items() if values}


def _fairness(experiment: Experiment, _: Translate) -> dict[str, str]:
    labels = [label(experiment.plan, arm, _) for arm in range(len(experiment.plan.arms))]
    return {
        fairness_title(row.key, _): "; ".join(
            f"{name}: {value_text(value, _)}" for name, value in zip(labels, row.values, strict=False)
        )
        for row in experiment.fairness
    }


def _parts(one: Mapping[str, str], other: Mapping[str, str]) -> Parts:
    keys = [*one, *(key for key in other if key not in one)]
    return tuple(
        (key, one.get(key, ""), other.get(key, "")) for key in keys if one.get(key) != other.get(key)
    )
