"""All jobs of an experiment as CSV, one in a row: what every figure can be worked out from again."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from experiments.figures import has_ended, spans_of
from experiments.marks import marks_of_run
from experiments.model import METRICS, ArmTurn, Experiment, Sample, label
from experiments.plan import Reports
from lab.clock import to_iso

MOMENTS: Final = ("due", "published", "started", "finished", "recorded")
HEAD: Final = (
    "turn", "arm", "label", "index", "seconds", *MOMENTS, *(f"{metric}_ms" for metric in METRICS), "status", "worker",
    "attempts", "retries", "marks",
)  # fmt: skip

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
Cell = str | int | float


def to_csv(experiment: Experiment, samples_of: Callable[[int, int], Sequence[Sample]]) -> Iterator[str]:
    """The file in pieces: its head, then the jobs of each counted repetition, turn by turn.

    Args:
        samples_of: the samples of a turn (from 1) and an arm (its place in the plan).

    Times are ISO 8601 in UTC with microseconds, spans milliseconds; what did not happen is empty. Jobs that did
    not end have no spans, as they have none in the figures, and `report_ms` is empty where nothing waited for it.
    `marks` are the kinds of what disturbed the repetition.
    """
    yield csv_lines([HEAD])
    for run in sorted(experiment.runs, key=lambda run: (run.turn, run.arm)):
        if run.turn > 0:
            name = label(experiment.plan, run.arm)
            marks = " ".join(marks_of_run(run))
            rows = (
                _row(run, name, sample, experiment.plan.reports, marks)
                for sample in samples_of(run.turn, run.arm)
            )
            yield csv_lines(list(rows))


def defused(text: str) -> str:
    """`text` as a cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _row(run: ArmTurn, name: str, sample: Sample, reports: Reports, marks: str) -> list[Cell]:
    spans = spans_of(sample, reports) if has_ended(sample, reports) else {}
    moments = (getattr(sample, f"{moment}_us") for moment in MOMENTS)
    return [
        run.turn,
        run.arm,
        defused(name),
        sample.index,
        sample.seconds,
        *("" if us is None else to_iso(us) for us in moments),
        *(f"{spans[metric] / 1000:.3f}" if metric in spans else "" for metric in METRICS),
        sample.status,
        defused(sample.worker or ""),
        sample.attempts,
        sample.retries,
        marks,
    ]


def csv_lines(rows: Sequence[Sequence[Cell]]) -> str:
    """`rows` as lines of a CSV file."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
