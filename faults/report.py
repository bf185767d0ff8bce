"""The report on a run: one HTML file that needs nothing else, Markdown, CSV; JSON is the document itself."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from experiments.charts import WIDE
from experiments.report_html import TEMPLATES
from experiments.words import N_, Translate, untranslated
from faults.cards import Card
from faults.document import ArmFigures, Fate, FaultDocument, JobMark
from faults.timeline import FATES, arm_label, draw, legend, runs_said

Cell = str | int | float | None

FORMS: Final = ("html", "md", "csv", "json")
COUNTERS: Final = {
    "accepted": N_("accepted"),
    "confirmed": N_("confirmed"),
    "done_once": N_("done once"),
    "lost": N_("lost"),
    "doubled": N_("ran twice"),
    "recovered": N_("recovered"),
    "first_success_s": N_("first success after the fault, s"),
    "longest_gap_s": N_("longest gap, s"),
    "recovery_ratio": N_("recovery rate ÷ baseline"),
}
STATUSES: Final = {
    "PENDING": N_("It has not begun."),
    "IN_PROGRESS": N_("It is still running."),
    "FAILED": N_("It failed: %(error)s"),
    "CANCELLED": N_("It was cancelled."),
}
_ENVIRONMENT: Final = Environment(
    loader=FileSystemLoader([Path(__file__).parent / "templates", TEMPLATES]),
    autoescape=True,
    undefined=StrictUndefined,
)


def rendered(document: FaultDocument, form: str, _: Translate = untranslated, language: str = "en") -> str:
    """The report in the `form` of that name; raises KeyError for one that does not exist."""
    makers: dict[str, Callable[[], str]] = {
        "html": lambda: to_html(document, _, language),
        "md": lambda: to_markdown(document, _),
        "csv": lambda: to_csv(document),
        "json": lambda: document.model_dump_json(indent=2),
    }
    return makers[form]()


def command_of(document: FaultDocument) -> str:
    """The command that runs the same again."""
    arms = " ".join(f"--arm {arm}" for arm in document.arms)
    return (
        f"python -m faults run {document.card} {arms} --jobs {document.jobs} --seconds {document.seconds:g}"
        f" --seed {document.seed} --strength {document.strength:g}"
    )


def state_of(document: FaultDocument, _: Translate = untranslated) -> str:
    """Why a run has no whole result; "" where it has one."""
    text = STATUSES.get(document.status)
    return "" if text is None else _(text).replace("%(error)s", document.error or "")


def rows_of(figures: ArmFigures) -> list[Cell]:
    """The counters of an arm in the order of COUNTERS."""
    return [getattr(figures, name) for name in COUNTERS]


def unusual(document: FaultDocument) -> list[tuple[str, JobMark]]:
    """The jobs that were not simply done once, with their arms."""
    return [
        (arm, mark)
        for arm, marks in document.marks.items()
        for mark in marks
        if mark.status is not Fate.DONE or len(mark.runs) > 1
    ]


def to_html(document: FaultDocument, _: Translate = untranslated, language: str = "en") -> str:
    """One file without script, font or picture from anywhere."""
    return _ENVIRONMENT.get_template("fault_report.html").render(
        _=_,
        language=language,
        run=document,
        began=document.begun_at or document.created_at,
        card=document.of_card,
        state=state_of(document, _),
        agreement=said_of_agreement(document, _),
        counters=COUNTERS,
        fates=FATES,
        label=lambda arm: arm_label(arm, _),
        legend=legend(_),
        picture=draw(document, WIDE, _),  # charts escape every text
        unusual=unusual(document),
        runs_said=lambda mark: runs_said(mark, _),
        command=command_of(document),
    )


def to_markdown(document: FaultDocument, _: Translate = untranslated) -> str:
    """The same as Markdown."""
    card = document.of_card
    lines = [f"# {_(card.title)}", "", _(card.question), ""]
    if state := state_of(document, _):
        lines += [f"**{state}**", ""]
    lines += [counters_table(document, _), "", said_of_agreement(document, _), ""]
    for said in document.disagreements:
        lines.append(f"- {said.text(_)}")
    lines += ["", *explained(card, _), ""]
    if found := unusual(document):
        head = [_("contender"), _("job"), _("what became of it"), _("runs"), _("its message")]
        lines += [table(head, [_unusual_row(arm, mark, _) for arm, mark in found]), ""]
    lines += [f"`{command_of(document)}`", "", made_with(document)]
    return "\n".join(lines) + "\n"


def _unusual_row(arm: str, mark: JobMark, _: Translate) -> list[Cell]:
    return [arm_label(arm, _), mark.job, _(FATES[mark.status]), runs_said(mark, _), mark.where]


def explained(card: Card, _: Translate = untranslated) -> list[str]:
    """Why it went so and what to change, a paragraph each."""
    return [
        f"{_('Why:')} {_(card.why)}",
        "",
        f"{_('At least once:')} {_(card.meaning)}",
        "",
        f"{_('What to change:')} {_(card.change)}",
        "",
        f"{_('Asked in public:')} [{card.issue}]({card.issue_url})",
    ]


def said_of_agreement(document: FaultDocument, _: Translate = untranslated) -> str:
    """Whether ledger, store and broker agree."""
    if document.agrees is None:
        return ""
    if document.agrees:
        return _("Ledger, store and broker agree.")
    return _("Ledger, store and broker do not agree:")


def counters_table(document: FaultDocument, _: Translate = untranslated) -> str:
    """The counters of all contenders as a Markdown table, with what was predicted."""
    head = [_("contender"), *(_(text) for text in COUNTERS.values())]
    rows: list[list[Cell]] = [[arm_label(arm, _), *rows_of(f)] for arm, f in document.arms.items()]
    if document.prediction:
        head.append(_("predicted: lost, ran twice"))
        for arm, row in zip(document.arms, rows, strict=True):
            forecast = document.prediction.get(arm)
            row.append(None if forecast is None else f"{forecast.lost}, {forecast.doubled}")
    return table(head, rows)


def table(head: list[str], rows: list[list[Cell]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Cell) -> str:
    return "–" if value is None else str(value).replace("|", "\\|")


def made_with(document: FaultDocument) -> str:
    """When it ran, and on which versions."""
    versions = ", ".join(f"{name} {version}" for name, version in document.versions.items())
    return f"{(document.begun_at or document.created_at)[:16].replace('T', ' ')} UTC, {versions}"


def to_csv(document: FaultDocument) -> str:
    """A line for each job."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["arm", "job", "status", "runs", "first_begin_s", "last_end_s", "workers", "message"])
    for arm, marks in document.marks.items():
        for mark in marks:
            ends = [end for _, end, _ in mark.runs if end is not None]
            begin = mark.runs[0][0] if mark.runs else None
            workers = " ".join(worker for _, _, worker in mark.runs)
            writer.writerow(
                [
                    arm,
                    mark.job,
                    mark.status.value,
                    len(mark.runs),
                    begin,
                    max(ends, default=None),
                    workers,
                    mark.where,
                ]
            )
    return out.getvalue()
