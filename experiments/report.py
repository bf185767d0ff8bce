"""What is told of an experiment, on its page and in each form of its report: sections with remarks, tables, charts."""

import json
from dataclasses import dataclass, replace
from typing import Final

from experiments import report_tables as tables
from experiments.charts import Chart, charts_of
from experiments.fairness_table import fairness_said, fairness_table
from experiments.model import Experiment, label
from experiments.next_steps import NextStep
from experiments.plan import OpenLoop, Plan
from experiments.plan_facts import PlanFact, facts_of
from experiments.tables import Table
from experiments.totals import counted
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
_COUNTED: Final = N_(
    "Repetitions that count: %(n)s. Time to publish and end to end begin when a job was due."
)
_TOO_FEW: Final = N_(
    "Fewer than three repetitions: there are no intervals, and nothing can be said of differences."
)
_BY_TURN: Final = N_("By repetition: the first named divided by the other, and less the other.")
_STATUSES: Final = {
    "PENDING": N_("It has not begun."),
    "IN_PROGRESS": N_("It is still running; this is of the turns that have ended."),
    "FAILED": N_("It failed: %(error)s"),
    "CANCELLED": N_("It was cancelled."),
}


@dataclass(frozen=True)
class Section:
    """A heading with what stands under it; `folded` are tables of which a page shows the captions alone at first."""

    key: str
    title: str
    tables: tuple[Table, ...] = ()
    remarks: tuple[str, ...] = ()
    facts: tuple[PlanFact, ...] = ()
    charts: tuple[Chart, ...] = ()
    folded: bool = False


@dataclass(frozen=True)
class Content:
    """A report. `state` is "" where the experiment ran to its end; `chart` is the one that shows what the verdict says,
    which stands beside it; `plan_json` begins the same experiment again."""

    title: str
    made: str
    state: str
    verdict: Verdict
    chart: Chart | None
    sections: tuple[Section, ...]
    plan_json: str


def content_of(experiment: Experiment, _: Translate = untranslated) -> Content:
    """All that a report on `experiment` says, in the language of `_`."""
    plan = experiment.plan
    environment = environment_facts(experiment.environment, _).items()
    charts = {chart.key: chart for chart in charts_of(plan, experiment.runs, _)}
    first = charts.pop("distribution" if isinstance(plan.arrival, OpenLoop) else "race", None)
    sections = (
        Section("figures", _(N_("The figures")), (tables.glance(experiment, _),), (_reading(experiment, _),)),
        Section("charts", _(N_("Charts")), charts=tuple(charts.values())),
        Section(
            "differ",
            _(N_("One against the other")),
            tables.differences(experiment, _),
            (f"{_(_BY_TURN)} {remark_on_differences(plan, _)}",),
            folded=True,
        ),
        Section(
            "costs",
            _(N_("What it cost, and what went wrong")),
            (tables.outcomes(experiment, _), tables.costs(experiment, _)),
        ),
        Section("spreads", _(N_("Where the time goes")), tables.spreads(experiment, _), folded=True),
        Section("turns", _(N_("Each repetition")), (tables.repetitions(experiment, _),)),
        Section(
            "fairness",
            _(N_("Differences other than the method")),
            (fairness_table(experiment.fairness, plan, _),),
            (fairness_said(experiment.fairness, plan, _),),
        ),
        Section("plan", _(N_("The plan")), facts=tuple(facts_of(plan, _))),
        Section("environment", _(N_("Where it ran")), facts=tuple(PlanFact(*item) for item in environment)),
    )
    return Content(
        title=plan.title or " / ".join(label(plan, arm, _) for arm in range(len(plan.arms))),
        made=to_iso(experiment.finished_us or experiment.created_us),
        state=_(_STATUSES[experiment.status]) % {"error": trouble_text(experiment.error or "–", _)}
        if experiment.status in _STATUSES
        else "",
        verdict=verdict_of(experiment, _),
        chart=first,
        sections=tuple(section for section in map(_without_empty, sections) if section is not None),
        plan_json=plan_json(plan),
    )


def command_of(step: NextStep) -> str:
    """The command that takes `step`, where the report's plan lies in plan.json."""
    return f"{COMMAND} {step.options}".rstrip()


def plan_json(plan: Plan) -> str:
    """The plan as JSON, a line for each of its parts."""
    parts = plan.model_dump(mode="json", exclude_none=True)
    lines = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in parts.items())
    return f"{{\n{lines}\n}}\n"


def _reading(experiment: Experiment, _: Translate) -> str:
    """How the figures are to be read."""
    if not any(one.low is not None for total in experiment.totals for one in total.figures.values()):
        return _(_TOO_FEW)
    found = {len(counted(experiment.runs, total.arm)) for total in experiment.totals}
    n = "\N{EN DASH}".join(str(n) for n in sorted({min(found), max(found)}))
    return f"{_(_HOLD)} {_(_COUNTED) % {'n': n}}"


def _without_empty(section: Section) -> Section | None:
    filled = tuple(table for table in section.tables if table.rows)
    if not (filled or section.facts or section.charts):
        return None
    return replace(section, tables=filled)
