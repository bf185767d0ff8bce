"""The matrix: every card by every contender, each cell from a run that was kept."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from experiments.words import Translate, untranslated
from faults.cards import CARDS, Card
from faults.document import ARMS, FaultDocument, FaultStatus
from faults.report import (
    Cell,
    command_of,
    counters_table,
    explained,
    made_with,
    said_of_agreement,
    table,
)
from faults.timeline import arm_label

SECONDS_A_CARD: Final = 85.0
"""What a card took on two cores, by and large; for estimates before any has ended."""
Matrix = Mapping[str, Mapping[str, FaultDocument]]
"""By card and arm the newest run that ended; what never ran is not in it."""


def matrix_of(documents: Iterable[FaultDocument]) -> Matrix:
    """The newest run of each card with each contender."""
    found: dict[str, dict[str, FaultDocument]] = {name: {} for name in CARDS}
    for document in sorted(documents, key=lambda one: one.created_at):
        if document.status is FaultStatus.DONE and document.card in CARDS:
            for arm in document.arms:
                found[document.card][arm] = document
    return found


def read_kept(folder: Path) -> list[FaultDocument]:
    """The documents in `folder`; files that are none are passed over."""
    found = []
    for path in folder.glob("*.json"):
        try:
            found.append(FaultDocument.model_validate_json(path.read_text()))
        except ValueError:
            continue
    return found


def missing(matrix: Matrix, arms: Iterable[str] = ARMS) -> dict[str, list[str]]:
    """By card, the arms that never ran; cards of which all ran are left out."""
    wanted = list(arms)
    lacking = {name: [arm for arm in wanted if arm not in matrix[name]] for name in CARDS}
    return {name: left for name, left in lacking.items() if left}


def cell_text(run: FaultDocument, arm: str, _: Translate = untranslated) -> str:
    """A cell: what was lost and what ran twice, of how many, and whether the store knows it otherwise."""
    figures = run.arms[arm]
    said = []
    if figures.lost:
        said.append(_("**%(n)s lost**") % {"n": figures.lost})
    if figures.doubled:
        said.append(_("%(n)s ran twice") % {"n": figures.doubled})
    if not said and figures.done_once == figures.accepted:
        said.append(_("all %(n)s once") % {"n": figures.done_once})
    elif not said:
        said.append(_("%(n)s of %(all)s once, none lost") % {"n": figures.done_once, "all": figures.accepted})
    if any(said.arm == arm for said in run.disagreements):
        said.append(_("the store says otherwise"))
    return ", ".join(said)


def to_markdown(matrix: Matrix, command: str, _: Translate = untranslated) -> str:
    """The matrix and, under it, each run's counters and why it went so."""
    head = [_("fault"), *(arm_label(arm, _) for arm in ARMS), _("run at (UTC)")]
    rows: list[list[Cell]] = []
    for card in CARDS.values():
        runs = matrix[card.name]
        cells: list[Cell] = [cell_text(runs[arm], arm, _) if arm in runs else "" for arm in ARMS]
        rows.append([f"[{_(card.title)}](#{card.name})", *cells, _when(runs)])
    lines = [
        f"# {_('Who loses what')}",
        "",
        _(
            "Each cell is a run on one machine: jobs under load, a fault, and what the jobs themselves wrote into the"
            " ledger. Empty cells have not run. All cards are run by"
        )
        + f" `{command}`.",
        "",
        table(head, rows),
        "",
    ]
    for card in CARDS.values():
        lines += _section(card, matrix[card.name], _)
    return "\n".join(lines).rstrip("\n") + "\n"


def _when(runs: Mapping[str, FaultDocument]) -> str:
    times = sorted({(run.begun_at or run.created_at)[:16].replace("T", " ") for run in runs.values()})
    return ", ".join(times)


def _section(card: Card, runs: Mapping[str, FaultDocument], _: Translate) -> list[str]:
    lines = [f"## {card.name}", "", f"**{_(card.title)}.** {_(card.question)}", ""]
    for document in {run.id: run for run in runs.values()}.values():
        lines += [counters_table(document, _), "", said_of_agreement(document, _), ""]
        if document.disagreements:
            lines += [*(f"- {said.text(_)}" for said in document.disagreements), ""]
        lines += [f"`{command_of(document)}`  ", made_with(document), ""]
    return [*lines, *explained(card, _), ""]
