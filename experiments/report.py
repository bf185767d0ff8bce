"""What a report holds, whichever form it takes: sections with remarks, tables and charts."""

import json
from dataclasses import dataclass
from typing import Final

from experiments import report_tables as tables
from experiments.charts import Chart, charts_of
from experiments.model import Experiment, label
from experiments.plan import Plan
from experiments.plan_facts import Fact, facts_of
from experiments.report_tables import Cell, Table
from experiments.troubles import trouble_text
from experiments.verdict import Verdict, remark_on_differences, verdict_of
from experiments.words import N_, Translate, environment_facts, untranslated
from lab.clock import to_iso

COMMAND: Final = "python -m experiments run --plan plan.json"
CURL: Final = "curl -H 'Content-Type: application/json' --data @plan.json localhost:8080/api/experiments"

_HOLD: Final = N_(
    "Figures are the means of the repetitions, each with its interval: in 95 of 100 experiments such an interval"
    " holds the mean that many more repetitions would come to."
)
_BY_TURN: Final = N_("The one minus the other, by repetition.")
_STATUSES: Final = {
    "PENDING": N_("It has not begun."),
    "IN_PROGRESS": N_("It is still running; this is of the turns that have ended."),
    "FAILED": N_("It failed: %(error)s"),
    "CANCELLED": N_("It was cancelled."),
}


@dataclass(frozen=True)
class Section:
    """A heading with what stands under it."""

    title: str
    tables: tuple[Table, ...] = ()
    remarks: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()
    charts: tuple[Chart, ...] = ()


@dataclass(frozen=True)
class Content:
    """A report. `state` is "" where the experiment ran to its end; `plan_json` begins the same one again."""

    title: str
    made: str
    state: str
    verdict: Verdict
    sections: tuple[Section, ...]
    plan_json: str


def content_of(experiment: Experiment, _: Translate = untranslated) -> Content:
    """All that a report on `experiment` says, in the language of `_`."""
    plan = experiment.plan
    sections = [
        Section(
            _(N_("At a glance")), (tables.glance(experiment, _), tables.outcomes(experiment, _)), (_(_HOLD),)
        ),
        Section(_(N_("Charts")), charts=tuple(charts_of(plan, experiment.runs, _))),
        Section(_(N_("Where the time goes")), tuple(tables.spreads(experiment, _))),
        Section(
            _(N_("Differences")),
            tuple(tables.differences(experiment, _)),
            (f"{_(_BY_TURN)} {remark_on_differences(plan, _)}",),
        ),
        Section(_(N_("Each repetition")), (tables.repetitions(experiment, _),)),
        Section(_(N_("What it took")), tuple(tables.usage(experiment, _))),
        Section(_(N_("What differs between the contenders")), (tables.fairness(experiment, _),)),
        Section(
            _(N_("Environment")),
            facts=tuple(Fact(*item) for item in environment_facts(experiment.environment, _).items()),
        ),
        Section(_(N_("Plan")), facts=tuple(facts_of(plan, _))),
    ]
    return Content(
        title=plan.title or " / ".join(label(plan, arm, _) for arm in range(len(plan.arms))),
        made=to_iso(experiment.finished_us or experiment.created_us),
        state=_(_STATUSES[experiment.status]) % {"error": trouble_text(experiment.error or "–", _)}
        if experiment.status in _STATUSES
        else "",
        verdict=verdict_of(experiment, _),
        sections=tuple(section for section in map(_without_empty, sections) if section is not None),
        plan_json=plan_json(plan),
    )


def plan_json(plan: Plan) -> str:
    """The plan as JSON, a line for each of its parts."""
    parts = plan.model_dump(mode="json", exclude_none=True)
    lines = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in parts.items())
    return f"{{\n{lines}\n}}\n"


def joined(cell: Cell) -> str:
    """A cell as one text."""
    return f"{cell.value} ({cell.bounds})" if cell.bounds else cell.value


def _without_empty(section: Section) -> Section | None:
    filled = tuple(table for table in section.tables if table.rows)
    if not (filled or section.facts or section.charts):
        return None
    return Section(section.title, filled, section.remarks, section.facts, section.charts)
