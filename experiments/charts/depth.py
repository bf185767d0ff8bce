"""How many jobs lay in the queue, as the repetition went on."""

from collections.abc import Sequence

from experiments.charts.svg import WIDE, Look
from experiments.charts.table import TYPICAL, Table, over_time, typical
from experiments.charts.timed import timed
from experiments.curves import Curve
from experiments.model import Run
from experiments.plan import Plan
from experiments.words import N_, Translate, untranslated

TITLE = N_("Queue depth over time")
_ABOUT = N_("Jobs published and not yet begun: in the broker, or fetched ahead by a worker.")


def svg_of(plan: Plan, runs: Sequence[Run], look: Look = WIDE, _: Translate = untranslated) -> str:
    """The chart; "" where nothing was published."""
    said = f"{_(_ABOUT)} {_(TYPICAL)}"
    return timed(plan, _curves(plan, runs), look, "depth", _(TITLE), said, _(N_("jobs")), _)


def table_of(plan: Plan, runs: Sequence[Run], _: Translate = untranslated) -> Table:
    """The same at ten moments."""
    return over_time(plan, _curves(plan, runs), _(N_("jobs")), _)


def _curves(plan: Plan, runs: Sequence[Run]) -> dict[int, Curve]:
    return {arm: run.figures.depth_curve for arm, run in typical(plan, runs).items()}
