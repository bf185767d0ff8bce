"""What the command line prints: experiments, and how far one is."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TextIO

from experiments.between import ALONE, Between
from experiments.fairness_values import state_of, value_text
from experiments.model import Experiment, FairnessRow, Interval, label
from experiments.plan import Plan, Workload
from experiments.plan_facts import WORKS, duration_text
from experiments.tables import Cell, Table
from experiments.verdict import verdict_of
from experiments.words import (
    GLANCE,
    OUTCOME_TITLES,
    answer_text,
    fairness_title,
    interval_text,
    ratio_text,
    shown,
    title_of,
    unit_of,
    untranslated,
)

WIDTH: Final = 30


def summary(experiment: Experiment) -> str:
    """The verdict, the headline figures of all arms, and a line on how they came about."""
    plan, told = experiment.plan, verdict_of(experiment)
    lines = [f"{experiment.id}  {experiment.status}  {_title(plan)}", ""]
    lines += [
        *(f"! {mark}" for mark in told.marks),
        *_of_table(told.winners),
        *told.sentences,
        *(f"Note: {warning}" for warning in told.warnings),
    ]
    for step in told.steps:
        command = f"python -m experiments run --again {experiment.id[:8]} {step.options}".rstrip()
        lines += ["", f"Next: {step.title}. {step.why}", f"  {command}"]
    if experiment.totals:
        labels = [label(plan, total.arm) for total in experiment.totals]
        rows = [
            [
                f"{title_of(key)} [{unit_of(key)}]",
                *(_shown(key, total.figures) for total in experiment.totals),
            ]
            for key in GLANCE
            if any(key in total.figures for total in experiment.totals)
        ]
        counts = ([str(getattr(total, name)) for name in OUTCOME_TITLES] for total in experiment.totals)
        rows.append([" / ".join(each) for each in (OUTCOME_TITLES, *counts)])
        lines += ["", *table(["", *labels], rows)]
    if experiment.fairness:
        lines += ["", fairness(plan, experiment.fairness)]
    return "\n".join(lines)


def fairness(plan: Plan, rows: Sequence[FairnessRow], *, ran: bool = True) -> str:
    """What differs between the arms of `plan` besides the method; what is equal is only named. `ran` is whether
    it is of a run, and not of one to come."""
    apart = [row for row in rows if not row.equal]
    alike = [fairness_title(row.key) for row in rows if row.equal]
    lines = table(
        ["not alike", *(label(plan, place) for place in range(len(plan.arms))), ""],
        [[fairness_title(row.key), *map(value_text, row.values), _mark(plan, row, ran)] for row in apart],
    )
    return "\n".join([*(lines if apart else []), f"Alike: {', '.join(alike) or 'nothing'}."])


def listing(found: Sequence[Mapping[str, Any]]) -> str:
    """One line for each of the lab's experiments."""
    rows = []
    for one in found:
        plan = Plan.model_validate(one["plan"])
        arms = "; ".join(label(plan, place) for place in range(len(plan.arms)))
        rows.append([one["id"], one["status"], one["created_at"][:19], _title(plan), arms])
    return "\n".join(table(["id", "status", "created (UTC)", "title", "arms"], rows)) if rows else "None yet."


def differences(found: Between) -> str:
    """Two experiments beside each other: the figures of arms of the same name, and what differed."""
    rows = [
        [
            change.arm,
            f"{title_of(change.figure)} [{unit_of(change.figure)}]",
            shown(change.figure, change.one),
            shown(change.figure, change.other),
            interval_text(change.figure, change.difference),
            ratio_text(change.ratio) or "-",
            answer_text(change.answer, found.margin, ratio=change.ratio),
        ]
        for change in found.changes
        if change.figure in GLANCE
    ]
    lines = [*table(["arm", "figure", "first", "second", "difference", "ratio", "answer"], rows), ALONE]
    for title, parts in (
        ("Plan", found.plan),
        ("Environment", found.environment),
        ("Fairness", found.fairness),
    ):
        lines += [f"{title}, {name}: {one or '-'} / {other or '-'}" for name, one, other in parts]
    lines += [f"Only one of them has figures of {arm}." for arm in found.unmatched]
    return "\n".join(lines)


def _title(plan: Plan) -> str:
    """The plan's own title, else what it does, as the page's list has it."""
    if plan.title:
        return plan.title
    took = (
        "no work"
        if plan.work is Workload.NOOP
        else f"{WORKS[plan.work]}, {duration_text(plan, untranslated)}"
    )
    jobs = f"{plan.count:,} job{'s' if plan.count > 1 else ''}"
    return f"{jobs}, {plan.repetitions} repetition{'s' if plan.repetitions > 1 else ''}: {took}"


def _mark(plan: Plan, row: FairnessRow, ran: bool) -> str:
    if state_of(row, plan) == "but-sync":
        return "! Sync has no broker"
    return "set alike before it begins" if plan.equalise and row.can_equalise and not ran else "!"


def _of_table(told: Table) -> list[str]:
    """The same table as on the page; nothing where it has no rows."""
    if not told.rows:
        return []
    rows = ([row.title, *map(_cell, row.cells)] for row in told.rows)
    return [*table([column.title for column in told.columns], rows), ""]


def _cell(cell: Cell) -> str:
    said = f"{cell.value} ({cell.bounds})" if cell.bounds else cell.value
    return "; ".join((said, *cell.remarks)).replace("\N{NO-BREAK SPACE}", " ")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Columns of text, as wide as they need to be."""
    all_rows = [list(head), *map(list, rows)]
    widths = [max(len(row[place]) for row in all_rows) for place in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in all_rows
    ]
    return [lines[0], "  ".join("-" * width for width in widths), *lines[1:]]


def _shown(key: str, figures: Mapping[str, Interval]) -> str:
    return interval_text(key, figures[key]) if key in figures else "-"


class ProgressBar:
    """How far an experiment is: a bar on a terminal, of which nothing stays, and a line for each step elsewhere."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._bar = stream.isatty()
        self._shown = ""

    def show(self, experiment: Experiment) -> None:
        """How far it is, and what it does."""
        step = experiment.step or ("waits for its turn" if experiment.status == "PENDING" else "")
        if self._bar:
            done = round(WIDTH * experiment.progress)
            self._draw(f"[{'#' * done}{'.' * (WIDTH - done)}] {experiment.progress:4.0%}  {step}")
        elif step and step.partition(" capacity:")[0] != self._shown:
            self._shown = step.partition(" capacity:")[0]
            self.say(f"{experiment.progress:.0%}  {step}")

    def say(self, text: str) -> None:
        """A line that stays."""
        self.end()
        print(text, file=self._stream, flush=True)

    def end(self) -> None:
        """Takes the bar away."""
        if self._bar and self._shown:
            self._draw("")
            self._stream.write("\r")
            self._stream.flush()

    def _draw(self, text: str) -> None:
        self._stream.write(f"\r{text.ljust(len(self._shown))}")
        self._stream.flush()
        self._shown = text
