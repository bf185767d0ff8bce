"""One experiment as its page shows it: rows and cells, every value in the reader's language."""

from collections.abc import Callable, Sequence
from typing import Any

from api.experiments import figure_words, plan_words
from api.i18n import number
from api.wording import gettext
from experiments.between import ALONE, between
from experiments.model import METRICS, Comparison, Experiment, Interval, Total, label
from experiments.plan import Plan
from experiments.verdict import is_sound
from experiments.words import GLANCE, OUTCOME_TITLES, POINT_TITLES, environment_facts
from lab.clock import to_iso

Table = dict[str, Any]


def names(plan: Plan) -> list[dict[str, str]]:
    """The arms, each with its label and its method, for badges and heads of columns."""
    return [{"label": label(plan, i, gettext), "method": arm.method} for i, arm in enumerate(plan.arms)]


def listed(experiment: Experiment, said: str) -> dict[str, Any]:
    """An experiment as a row of the list; `said` is its verdict in one line."""
    return {
        "id": experiment.id,
        "status": experiment.status,
        "title": title(experiment.plan),
        "names": names(experiment.plan),
        "created_at": to_iso(experiment.created_us),
        "comparable": bool(experiment.totals),
        "said": said,
    }


def title(plan: Plan) -> str:
    """The plan's own title, else what it does."""
    return plan.title or f"{plan_words.amount(plan)}: {plan_words.duration(plan)}"


def headline(experiment: Experiment) -> list[Table]:
    """The figures to look at first, one row each."""
    return _rows(experiment, GLANCE, figure_words.title)


def costs(experiment: Experiment) -> list[Table]:
    """What each arm used, one row a figure; without what was seen of none."""
    return _rows(experiment, figure_words.COSTS, figure_words.title)


def spreads(experiment: Experiment) -> list[Table]:
    """All percentiles, one row each, by span of a job's life."""
    return [
        {
            "metric": figure_words.metric(metric),
            "rows": _rows(
                experiment,
                [f"{metric}.{point}" for point in POINT_TITLES],
                lambda key: figure_words.point(key.rpartition(".")[2]),
            ),
        }
        for metric in METRICS
    ]


def counts(experiment: Experiment) -> list[Table]:
    """What went otherwise than planned: one row each for failures, retries, doubles and losses."""
    by_arm = _by_arm(experiment)
    return [
        {
            "key": name,
            "title": gettext(words),
            "cells": [number(getattr(total, name)) if total else "–" for total in by_arm],
        }
        for name, words in OUTCOME_TITLES.items()
    ]


def differences(experiment: Experiment) -> list[Table]:
    """Each pair of arms with its differences in the headline figures."""
    pairs: dict[tuple[int, int], list[Comparison]] = {}
    for comparison in experiment.comparisons:
        if comparison.figure in GLANCE:
            pairs.setdefault((comparison.first, comparison.second), []).append(comparison)
    called = names(experiment.plan)
    return [
        {
            "first": called[first],
            "second": called[second],
            "rows": sorted((_difference(experiment, c) for c in found), key=lambda row: _place(row["key"])),
        }
        for (first, second), found in pairs.items()
    ]


def environment(experiment: Experiment) -> list[tuple[str, str]]:
    """Where it ran, as names and values."""
    return list(environment_facts(experiment.environment, gettext).items())


def compared(one: Experiment, other: Experiment) -> dict[str, Any]:
    """Two experiments: the differences of arms that both have, and what else was not the same."""
    found = between(one, other, gettext)
    methods = {name["label"]: name["method"] for each in (one, other) for name in names(each.plan)}
    by_arm: dict[str, list[dict[str, Any]]] = {}
    for change in found.changes:
        if change.figure in GLANCE:
            cells = _difference_cells(change.figure, change.difference, change.ratio, change.shown)
            by_arm.setdefault(change.arm, []).append(cells)
    return {
        "arms": [
            {"label": arm, "method": methods[arm], "rows": sorted(rows, key=lambda row: _place(row["key"]))}
            for arm, rows in by_arm.items()
        ],
        "unmatched": [{"label": arm, "method": methods[arm]} for arm in found.unmatched],
        "remark": gettext(ALONE),
        **{
            part: [(name, a or "–", b or "–") for name, a, b in getattr(found, part)]
            for part in ("plan", "environment", "fairness")
        },
    }


def _difference_cells(key: str, difference: Interval, ratio: float | None, shown: bool) -> dict[str, Any]:
    """A difference in one figure: with its sign and interval, as a ratio, and whether it is shown."""
    return {
        "key": key,
        "title": figure_words.title(key),
        "value": figure_words.signed(key, difference.value),
        "interval": figure_words.interval(key, difference),
        "times": figure_words.times(ratio),
        "sound": True,
        "shown": shown,
    }


def _difference(experiment: Experiment, found: Comparison) -> dict[str, Any]:
    cells = _difference_cells(found.figure, found.difference, found.ratio, found.shown)
    sound = is_sound(experiment, found)
    return {**cells, "sound": sound, "shown": found.shown and sound}


def _rows(experiment: Experiment, keys: Sequence[str], called: Callable[[str], str]) -> list[Table]:
    by_arm = _by_arm(experiment)
    rows = []
    for key in keys:
        found = [total.figures.get(key) if total else None for total in by_arm]
        if any(found):
            size = max(abs(one.value) for one in found if one)
            cells = [
                {
                    "value": figure_words.value(key, one.value if one else None, size),
                    "interval": figure_words.interval(key, one, size),
                }
                for one in found
            ]
            rows.append({"key": key, "title": called(key), "cells": cells})
    return rows


def _by_arm(experiment: Experiment) -> list[Total | None]:
    found = {total.arm: total for total in experiment.totals}
    return [found.get(arm) for arm in range(len(experiment.plan.arms))]


def _place(key: str) -> int:
    return GLANCE.index(key)
