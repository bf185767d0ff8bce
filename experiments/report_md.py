"""The report as Markdown: tables and sentences. Charts are given as the tables of their numbers."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from experiments.model import Experiment
from experiments.report import COMMAND, CURL, Content, Section, content_of, joined
from experiments.words import N_, Translate, untranslated

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
    yield f"## {plain(_(N_('Verdict')))}"
    yield _list(content.verdict.sentences)
    if content.verdict.warnings:
        yield _list(f"⚠ {warning}" for warning in content.verdict.warnings)
    for section in content.sections:
        yield from _section(section)
    yield f"## {plain(_(N_('How to run it again')))}"
    yield f"{plain(_(N_('Save this as plan.json:')))}\n\n```json\n{content.plan_json}```"
    yield f"{plain(_(N_('and then one of these:')))}\n\n```sh\n{COMMAND}\n{CURL}\n```"


def _section(section: Section) -> Iterable[str]:
    yield f"## {plain(section.title)}"
    yield from map(plain, section.remarks)
    for table in section.tables:
        if table.caption:
            yield f"### {plain(table.caption)}"
        yield _table(table.head, ([joined(cell) for cell in row] for row in table.rows))
    for chart in section.charts:
        yield f"### {plain(chart.title)}"
        yield _table(chart.table.head, chart.table.rows)
    if section.facts:
        yield _list(f"{fact.name}: {fact.value}" for fact in section.facts)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        f"| {' | '.join(cell if line is lines[1] else plain(cell) for cell in line)} |" for line in lines
    )


def _list(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {plain(sentence)}" for sentence in sentences)
