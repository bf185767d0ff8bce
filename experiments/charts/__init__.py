"""Charts as SVG, drawn on the server; each has a table of the same numbers.

They tell the arms apart by dashes, hatching and names at the lines' ends, and by colour besides. Colours are
the variables of static/app.css (`--method-celery`, `--ink`, …).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from experiments.charts.lines import LATENCY, OVER_TIME, live
from experiments.charts.svg import SLIM, WIDE, ChartSize
from experiments.charts.workers import WORKERS
from experiments.model import ArmTurn
from experiments.plan import Plan
from experiments.tables import Table
from experiments.words import Translate, untranslated

__all__ = ["SLIM", "WIDE", "Chart", "ChartSize", "charts_of", "live"]

_KINDS: Final = (LATENCY, *OVER_TIME, WORKERS)


@dataclass(frozen=True)
class Chart:
    """One chart: `svg` for a wide screen, `slim` for a phone's, and their numbers."""

    key: str
    title: str
    svg: str
    slim: str
    table: Table


def charts_of(
    plan: Plan, runs: Sequence[ArmTurn], _: Translate = untranslated, prefix: str = "chart"
) -> list[Chart]:
    """All charts that there is something to show in; `prefix` makes their ids unlike another set's."""
    wide, slim = replace(WIDE, prefix=prefix), replace(SLIM, prefix=f"{prefix}-slim")
    return [
        Chart(kind.key, _(kind.title), svg, kind.draw(plan, runs, slim, _), kind.table(plan, runs, _))
        for kind in _KINDS
        if (svg := kind.draw(plan, runs, wide, _))
    ]
