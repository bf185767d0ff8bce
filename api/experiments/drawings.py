"""What is said and drawn of an experiment, in the reader's language."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from api.wording import gettext
from experiments.charts import SLIM, WIDE, Chart, Look, charts_of, race
from experiments.model import Experiment
from experiments.plan import Plan
from experiments.verdict import Verdict, verdict_of

Curve = Sequence[tuple[float, float]]


def verdict(experiment: Experiment) -> Verdict:
    """The verdict, with its warnings."""
    return verdict_of(experiment, gettext)


def charts(experiment: Experiment) -> list[Chart]:
    """The charts of what was measured, each with its table; the drawings are trusted to be SVG."""
    return charts_of(experiment.plan, experiment.runs, gettext)


def live(plan: Plan, curves: Mapping[str, Curve]) -> dict[str, Markup]:
    """The running turn as a chart: `wide`, and `slim` for a phone."""
    slim = Look(SLIM.width, SLIM.height, "live-slim")
    return {
        "wide": _svg(race.live(plan, curves, WIDE, gettext)),
        "slim": _svg(race.live(plan, curves, slim, gettext)),
    }


def _svg(drawn: str) -> Markup:
    return Markup(drawn)  # noqa: S704 - experiments.charts escapes every text in it
