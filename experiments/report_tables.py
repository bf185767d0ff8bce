"""The tables of a report."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from experiments.fairness_values import state_of, value_text
from experiments.figures import values_of
from experiments.model import METRICS, Comparison, Experiment, FairnessRow, Total, label
from experiments.plan import Plan
from experiments.verdict import is_sound
from experiments.words import (
    GLANCE,
    METRIC_TITLES,
    N_,
    OUTCOME_TITLES,
    PART_TITLES,
    POINT_TITLES,
    Translate,
    bounds_text,
    fairness_title,
    number,
    shown,
    signed,
    title_of,
    unit_of,
)

NOTHING: Final = "–"
COMPARED: Final = (
    "throughput",
    *(f"{metric}.{point}" for metric in METRICS for point in ("p50", "p99")),
    *(f"cpu.{part}" for part in PART_TITLES),
    "per_job.bytes",
    "per_job.frames",
)
_COLUMNS: Final = 6
"""As many figures as stand beside each other on a page."""

_CONTENDER: Final = N_("Contender")


class Cell(NamedTuple):
    """A value, and its interval where it has one."""

    value: str
    bounds: str = ""


@dataclass(frozen=True)
class Table:
    """`rows` below `head`; `arms` has each row's arm, by its place in the plan, where rows are of one.

    Attributes:
        marked: the rows that have a warning.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""
    arms: tuple[int, ...] = ()
    marked: frozenset[int] = frozenset()


def glance(experiment: Experiment, _: Translate) -> Table:
    """The figures to look at first, one row an arm."""
    keys = _known(GLANCE[:_COLUMNS], experiment)
    return Table(
        head=(_(_CONTENDER), *_titles(keys, _)),
        rows=tuple(_figures(experiment, total, keys, _) for total in experiment.totals),
        arms=_arms(experiment),
    )


def outcomes(experiment: Experiment, _: Translate) -> Table:
    """How many jobs went otherwise than planned, in all repetitions together, one row an arm."""
    return Table(
        head=(_(_CONTENDER), *(_(words) for words in OUTCOME_TITLES.values())),
        rows=tuple(
            (
                Cell(label(experiment.plan, total.arm, _)),
                *(Cell(str(getattr(total, name))) for name in OUTCOME_TITLES),
            )
            for total in experiment.totals
        ),
        arms=_arms(experiment),
        marked=frozenset(place for place, total in enumerate(experiment.totals) if total.lost),
    )


def spreads(experiment: Experiment, _: Translate) -> Iterator[Table]:
    """All percentiles, one table for each span of a job's life."""
    for metric in METRICS:
        keys = _known((f"{metric}.{point}" for point in POINT_TITLES), experiment)
        if keys:
            yield Table(
                head=(
                    _(_CONTENDER),
                    *(f"{_(POINT_TITLES[key.partition('.')[2]])}, {_(N_('ms'))}" for key in keys),
                ),
                rows=tuple(_figures(experiment, total, keys, _) for total in experiment.totals),
                caption=_(METRIC_TITLES[metric]),
                arms=_arms(experiment),
            )


def usage(experiment: Experiment, _: Translate) -> Iterator[Table]:
    """CPU time, memory and traffic by part of the stand, one row an arm."""
    for caption, titles in (
        (N_("CPU time a job"), [(f"cpu.{part}", title) for part, title in PART_TITLES.items()]),
        (N_("Peak memory"), [(f"memory.{part}", title) for part, title in PART_TITLES.items()]),
        (
            N_("Between the method's clients and the broker, a job"),
            [("per_job.bytes", N_("sent and received")), ("per_job.frames", N_("AMQP"))],
        ),
    ):
        known = _known((key for key, _title in titles), experiment)
        if known:
            named = (f"{_(title)}, {unit_of(key, _)}" for key, title in titles if key in known)
            yield Table(
                head=(_(_CONTENDER), *named),
                rows=tuple(_figures(experiment, total, known, _) for total in experiment.totals),
                caption=_(caption),
                arms=_arms(experiment),
            )


def differences(experiment: Experiment, _: Translate) -> Iterator[Table]:
    """Each pair of arms in the figures that are worth comparing, a table for each pair."""
    pairs = dict.fromkeys((one.first, one.second) for one in experiment.comparisons)
    head = (N_("Figure"), N_("Difference"), N_("Ratio"), N_("Shown?"))
    for first, second in pairs:
        names = {"one": label(experiment.plan, second, _), "other": label(experiment.plan, first, _)}
        yield Table(
            head=tuple(_(words) for words in head),
            rows=tuple(
                _difference(one, is_sound(experiment, one), _)
                for one in experiment.comparisons
                if (one.first, one.second) == (first, second) and one.figure in COMPARED
            ),
            caption=_(N_("%(one)s minus %(other)s")) % names,
        )


def _difference(one: Comparison, sound: bool, _: Translate) -> tuple[Cell, ...]:
    told = N_("yes") if one.shown else N_("no difference shown")
    return (
        Cell(f"{title_of(one.figure, _)}, {unit_of(one.figure, _)}"),
        Cell(
            signed(one.figure, one.difference.value, _), bounds_text(one.figure, one.difference, _, sign=True)
        ),
        Cell(NOTHING if one.ratio is None else f"{number(one.ratio, _)}×"),
        Cell(_(told if sound else N_("cannot be compared"))),
    )


def repetitions(experiment: Experiment, _: Translate) -> Table:
    """The first figures of each repetition, as they came."""
    keys = _known(("throughput", "end_to_end.p50", "end_to_end.p99"), experiment)
    rows = []
    for run in sorted(experiment.runs, key=lambda run: (run.turn, run.arm)):
        values = values_of(run.figures)
        if run.turn > 0:
            cells = (Cell(shown(key, values[key], _) if key in values else NOTHING) for key in keys)
            rows.append((Cell(str(run.turn)), Cell(label(experiment.plan, run.arm, _)), *cells))
    return Table((_(N_("Repetition")), _(_CONTENDER), *_titles(keys, _)), tuple(rows))


def fairness(experiment: Experiment, _: Translate) -> Table:
    """What was alike and what was not, marked."""
    labels = (label(experiment.plan, arm, _) for arm in range(len(experiment.plan.arms)))
    rows = tuple(
        (
            Cell(fairness_title(row.key, _)),
            *(Cell(value_text(value, _)) for value in row.values),
            Cell(_alike(row, experiment.plan, _)),
        )
        for row in experiment.fairness
    )
    return Table(
        ("", *labels, _(N_("Alike"))),
        rows,
        marked=frozenset(
            place
            for place, row in enumerate(experiment.fairness)
            if state_of(row, experiment.plan) == "differs"
        ),
    )


def _alike(row: FairnessRow, plan: Plan, _: Translate) -> str:
    state = state_of(row, plan)
    if state == "differs":
        return f"⚠ {_(N_('differs'))}"
    if state == "sync":
        return _(N_("all but Sync, which has no broker"))
    return _(N_("made alike")) if row.done else _(N_("alike"))


def _known(keys: Iterable[str], experiment: Experiment) -> tuple[str, ...]:
    return tuple(key for key in keys if any(key in total.figures for total in experiment.totals))


def _titles(keys: Iterable[str], _: Translate) -> Iterator[str]:
    return (f"{title_of(key, _)}, {unit_of(key, _)}" for key in keys)


def _arms(experiment: Experiment) -> tuple[int, ...]:
    return tuple(total.arm for total in experiment.totals)


def _figures(experiment: Experiment, total: Total, keys: Iterable[str], _: Translate) -> tuple[Cell, ...]:
    return (Cell(label(experiment.plan, total.arm, _)), *(_figure(key, total, _) for key in keys))


def _figure(key: str, total: Total, _: Translate) -> Cell:
    found = total.figures.get(key)
    return Cell(NOTHING) if found is None else Cell(shown(key, found.value, _), bounds_text(key, found, _))
