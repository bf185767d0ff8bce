"""What the command line prints of experiments."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from experiments.between import Between
from experiments.model import Experiment, Interval, label
from experiments.plan import Plan
from experiments.verdict import verdict_of
from experiments.words import interval_text, shown, title_of, unit_of
from lab.clock import to_iso

SHOWN: Final = (
    "throughput",
    "end_to_end.p50",
    "end_to_end.p99",
    "queue.p50",
    "overhead.p50",
    "cpu.workers",
    "memory.workers",
    "per_job.bytes",
    "per_job.frames",
)


def summary(experiment: Experiment) -> str:
    """The verdict, the headline figures of all arms, and a line on how they came about."""
    plan, told = experiment.plan, verdict_of(experiment)
    lines = [f"{experiment.id}  {experiment.status}  {plan.title}".rstrip(), ""]
    lines += [*told.sentences, *(f"Note: {warning}" for warning in told.warnings)]
    if experiment.totals:
        labels = [label(plan, total.arm) for total in experiment.totals]
        rows = [
            [
                f"{title_of(key)} [{unit_of(key)}]",
                *(_shown(key, total.figures) for total in experiment.totals),
            ]
            for key in SHOWN
            if any(key in total.figures for total in experiment.totals)
        ]
        counts = ("failed", "retries", "duplicates", "lost")
        rows.append(
            [
                " / ".join(counts),
                *(" / ".join(str(getattr(total, name)) for name in counts) for total in experiment.totals),
            ]
        )
        lines += ["", *table(["", *labels], rows)]
    return "\n".join(lines)


def listing(found: Sequence[Mapping[str, Any]]) -> str:
    """One line for each of the lab's experiments."""
    rows = []
    for one in found:
        plan = Plan.model_validate(one["plan"])
        arms = ", ".join(label(plan, place) for place in range(len(plan.arms)))
        rows.append([one["id"], one["status"], to_iso(one["created_us"])[:19], plan.title, arms])
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
            "yes" if change.shown else "no difference shown",
        ]
        for change in found.changes
        if change.figure in SHOWN
    ]
    lines = table(["arm", "figure", "first", "second", "difference", "shown"], rows)
    for title, parts in (
        ("Plan", found.plan),
        ("Environment", found.environment),
        ("Fairness", found.fairness),
    ):
        lines += [f"{title}, {name}: {one or '-'} / {other or '-'}" for name, one, other in parts]
    lines += [f"Only one of them has figures of {arm}." for arm in found.unmatched]
    return "\n".join(lines)


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
