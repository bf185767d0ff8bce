"""The tables of an experiment's figures, as its page and its report show them: columns are its arms."""

from collections.abc import Iterable, Sequence
from typing import Final

from experiments.between import Between, Change
from experiments.charts.svg import sample
from experiments.figures import values_of
from experiments.marks import marks_of_run
from experiments.model import METRICS, Comparison, Experiment, Interval, Total, label
from experiments.plan import Plan
from experiments.tables import NOTHING, Cell, Column, Row, Table, plain
from experiments.winners import answer_cell, is_sound
from experiments.words import (
    GLANCE,
    MARK_TITLES,
    METRIC_TITLES,
    N_,
    OUTCOME_TITLES,
    PART_TITLES,
    POINT_TITLES,
    Translate,
    answer_text,
    bounds_text,
    mark_text,
    named,
    number,
    ratio_bounds,
    shown,
    signed,
    title_of,
    unit_of,
)

_COSTS: Final = (
    *(f"{kind}.{part}" for kind in ("cpu", "memory") for part in PART_TITLES),
    "per_job.bytes",
)
_COMPARED: Final = (
    *GLANCE,
    *(f"{metric}.{point}" for metric in METRICS for point in ("p50", "p99")),
    *_COSTS,
)
_ORDER: Final = {key: place for place, key in reversed(list(enumerate(_COMPARED)))}
_SPACE: Final = "\N{NO-BREAK SPACE}"
_FIGURE: Final = N_("Figure")


def arms(plan: Plan, _: Translate, *, numeric: bool = True) -> tuple[Column, ...]:
    """A column for each arm of `plan`."""
    return tuple(
        Column(label(plan, place, _), numeric, arm.method, sample(plan, place))
        for place, arm in enumerate(plan.arms)
    )


def glance(experiment: Experiment, _: Translate) -> Table:
    """The figures to look at first."""
    return _figures(experiment, [(key, title_of(key, _)) for key in GLANCE], _(_FIGURE), _)


def outcomes(experiment: Experiment, _: Translate) -> Table:
    """How many jobs went otherwise than planned, in all repetitions together."""
    by_arm = _by_arm(experiment)
    rows = [
        Row(
            _(title),
            tuple(Cell(number(getattr(total, name)) if total else NOTHING) for total in by_arm),
            {"count": name},
        )
        for name, title in OUTCOME_TITLES.items()
    ]
    return Table((Column(_(N_("Jobs"))), *arms(experiment.plan, _)), tuple(rows if any(by_arm) else ()))


def costs(experiment: Experiment, _: Translate) -> Table:
    """CPU time, memory and traffic by part of the stand."""
    return _figures(experiment, [(key, title_of(key, _)) for key in _COSTS], _(N_("Used")), _)


def spreads(experiment: Experiment, _: Translate) -> tuple[Table, ...]:
    """All percentiles, one table for each span of a job's life."""
    return tuple(
        _figures(
            experiment,
            [(f"{metric}.{point}", _(title)) for point, title in POINT_TITLES.items()],
            _(METRIC_TITLES[metric]),
            _,
            _(METRIC_TITLES[metric]),
        )
        for metric in METRICS
    )


def differences(experiment: Experiment, _: Translate) -> tuple[Table, ...]:
    """Each pair of arms in the figures that are worth comparing, a table for each pair."""
    plan, tables = experiment.plan, []
    for first, second in dict.fromkeys((one.first, one.second) for one in experiment.comparisons):
        found = [
            one
            for one in experiment.comparisons
            if (one.first, one.second) == (first, second) and one.figure in _ORDER
        ]
        rows = [
            _difference(one, plan.margin, _, is_sound(experiment, one))
            for one in sorted(found, key=lambda one: _ORDER[one.figure])
        ]
        names = {"one": named(plan, second, _), "other": named(plan, first, _)}
        tables.append(_of_differences(rows, _(N_("%(one)s compared with %(other)s")) % names, _))
    return tuple(tables)


def changes(found: Between, _: Translate) -> list[Table]:
    """What lies between two experiments in the figures to look at first: a table for each arm, with its label."""
    return [
        _of_differences(
            [
                _difference(one, found.margin, _)
                for key in GLANCE
                for one in found.changes
                if (one.arm, one.figure) == (arm, key)
            ],
            arm,
            _,
        )
        for arm in dict.fromkeys(one.arm for one in found.changes)
    ]


def repetitions(experiment: Experiment, _: Translate) -> Table:
    """The first figures of each repetition, as they came."""
    keys = ("throughput", "end_to_end.p50", "end_to_end.p99")
    runs = sorted((run for run in experiment.runs if run.turn > 0), key=lambda run: (run.turn, run.arm))
    marks = [
        "; ".join(
            f"{_(MARK_TITLES[kind])}: {mark_text(kind, mark, _)}" for kind, mark in marks_of_run(run).items()
        )
        for run in runs
    ]
    rows = []
    for run, told in zip(runs, marks, strict=True):
        values = values_of(run.figures)
        cells = (shown(key, values[key], _) if key in values else NOTHING for key in keys)
        last = [told] if any(marks) else []
        rows.append((str(run.turn), label(experiment.plan, run.arm, _), *cells, *last))
    titles = (f"{title_of(key, _)}, {unit_of(key, _)}" for key in keys)
    caption = _(N_("Each repetition"))
    head = [_(N_("Marks"))] if any(marks) else []
    return plain(caption, (_(N_("Repetition")), _(N_("Contender")), *titles, *head), rows)


def _figures(
    experiment: Experiment, titles: Iterable[tuple[str, str]], head: str, _: Translate, caption: str = ""
) -> Table:
    """The figures of `titles`, one row each, with its unit; what was seen of no arm is left out."""
    rows, by_arm = [], _by_arm(experiment)
    for key, title in titles:
        found = [total.figures.get(key) if total else None for total in by_arm]
        if any(found):
            size = max(abs(one.value) for one in found if one)
            rows.append(Row(title, tuple(_figure(key, one, size, _) for one in found), {"figure": key}))
    return Table((Column(head), *arms(experiment.plan, _)), tuple(rows), caption)


def _figure(key: str, found: Interval | None, size: float, _: Translate) -> Cell:
    if found is None:
        return Cell(NOTHING)
    value = f"{shown(key, found.value, _, size)}{_SPACE}{unit_of(key, _, size)}"
    return Cell(value, bounds_text(key, found, _, size))


def _difference(one: Comparison | Change, margin: float, _: Translate, sound: bool = True) -> Row:
    key, found = one.figure, one.difference
    size = abs(found.value)
    value = f"{signed(key, found.value, _, size)}{_SPACE}{unit_of(key, _, size)}"
    ratio = Cell(NOTHING)
    if one.ratio is not None:
        ratio = Cell(f"{number(one.ratio.value, _)}×", ratio_bounds(one.ratio, _))
    if isinstance(one, Comparison):
        answer = answer_cell(one, sound, margin, _)
    else:
        answer = Cell(answer_text(one.answer, margin, _, one.ratio), mark=one.answer.value)
    cells = (ratio, Cell(value, bounds_text(key, found, _, size, sign=True)), answer)
    return Row(title_of(key, _), cells, {"figure": key, "answer": answer.mark})


def _of_differences(rows: Sequence[Row], caption: str, _: Translate) -> Table:
    head = (Column(_(N_("Ratio"))), Column(_(N_("Difference"))), Column(_(N_("Answer")), numeric=False))
    return Table((Column(_(_FIGURE)), *head), tuple(rows), caption, "differ")


def _by_arm(experiment: Experiment) -> list[Total | None]:
    found = {total.arm: total for total in experiment.totals}
    return [found.get(arm) for arm in range(len(experiment.plan.arms))]
