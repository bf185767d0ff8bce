"""Charts as SVG, drawn on the server; each has a table of the same numbers.

They tell the arms apart by dashes, hatching and names at the lines' ends, and by colour besides. Colours are
the variables of static/app.css (`--method-celery`, `--ink`, …).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from experiments.charts import depth, distribution, race, throughput, workers
from experiments.charts.svg import SLIM, WIDE, Look
from experiments.charts.table import Table
from experiments.model import Run
from experiments.plan import Plan
from experiments.words import Translate, untranslated

__all__ = ["SLIM", "WIDE", "Chart", "Look", "Table", "charts_of"]

_CHARTS: Final = {
    "distribution": distribution,
    "race": race,
    "throughput": throughput,
    "depth": depth,
    "workers": workers,
}


@dataclass(frozen=True)
class Chart:
    """One chart: `svg` for a wide screen, `slim` for a phone's, and their numbers."""

    key: str
    title: str
    svg: str
    slim: str
    table: Table


def charts_of(
    plan: Plan, runs: Sequence[Run], _: Translate = untranslated, prefix: str = "chart"
) -> list[Chart]:
    """All charts that there is something to show in; `prefix` makes their ids unlike another set's."""
    wide, slim = replace(WIDE, prefix=prefix), replace(SLIM, prefix=f"{prefix}-slim")
    found = [
        Chart(
            key=key,
            title=_(chart.TITLE),
            svg=chart.svg_of(plan, runs, wide, _),
            slim=chart.svg_of(plan, runs, slim, _),
            table=chart.table_of(plan, runs, _),
        )
        for key, chart in _CHARTS.items()
    ]
    return [chart for chart in found if chart.svg]
