"""The report as Markdown: tables and sentences. Charts are given as the tables of their numbers."""

import re
from collections.abc import Iterable
from typing import Final

from experiments.charts import Chart
from experiments.model import Experiment
from experiments.report import COMMAND, CURL, Content, Section, command_of, content_of
from experiments.tables import Cell, Table
from experiments.words import Translate, untranslated

_SPECIAL: Final = re.compile(r"([\\`*_\[\]<>|#~])")


def to_markdown(experiment: Experiment, _: Translate = untranslated) -> str:
    """The report on `experiment`, in the language of `_`."""
    return "\n\n".join(_parts(content_of(experiment, _), _)) + "\n"


def plain(words: str) -> str:
    """`words` on one line, with what Markdown would take for its own escaped."""
    return _SPECIAL.sub(r"\\\1", " ".join(words.split()))


def _parts(content: Content, _: Translate) -> Iterable[str]:
    yield f"# {plain(content.title)}"
    yield content.made
    if content.state:
        yield f"**{plain(content.state)}**"
    verdict = content.verdict
    yield f"## {plain(_('Verdict'))}"
    if verdict.marks:
        yield _list(f"⚠ {mark}" for mark in verdict.marks)
    if verdict.winners.rows:
        yield _table(verdict.winners)
    if verdict.sentences:
        yield _list(verdict.sentences)
    if verdict.steps:
        yield f"### {plain(_('What to do next'))}"
        yield "\n".join(
            f"- {plain(f'{step.title}: {step.why}')} `{command_of(step)}`" for step in verdict.steps
        )
    if verdict.warnings:
        yield _list(f"⚠ {warning}" for warning in verdict.warnings)
    if content.chart:
        yield from _chart(content.chart)
    for section in content.sections:
        yield from _section(section)
    yield f"## {plain(_('How to run it again'))}"
    yield f"{plain(_('Save this as plan.json:'))}\n\n```json\n{content.plan_json}```"
    yield f"{plain(_('and then one of these:'))}\n\n```sh\n{COMMAND}\n{CURL}\n```"


def _section(section: Section) -> Iterable[str]:
    yield f"## {plain(section.title)}"
    yield from map(plain, section.remarks)
    for table in section.tables:
        if table.caption not in ("", section.title):
            yield f"### {plain(table.caption)}"
        yield _table(table)
    for chart in section.charts:
        yield from _chart(chart)
    if section.facts:
        yield _list(f"{fact.name}: {fact.value}" for fact in section.facts)


def _chart(chart: Chart) -> Iterable[str]:
    yield f"### {plain(chart.title)}"
    yield _table(chart.table)


def _table(table: Table) -> str:
    rows = [[row.title, *map(_joined, row.cells)] for row in table.rows]
    head, *lines = (
        f"| {' | '.join(map(plain, line))} |" for line in ([column.title for column in table.columns], *rows)
    )
    return "\n".join([head, f"|{' --- |' * len(table.columns)}", *lines])


def _joined(cell: Cell) -> str:
    """A cell as one text."""
    marked = f"⚠ {cell.value}" if cell.mark == "unequal" else cell.value
    told = f"{marked} ({cell.bounds})" if cell.bounds else marked
    return ": ".join([told, " ".join(cell.remarks)] if cell.remarks else [told])


def _list(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {plain(sentence)}" for sentence in sentences)
