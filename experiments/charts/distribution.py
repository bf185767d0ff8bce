"""How long jobs took, from the quickest to the slowest: the latency at each percentile."""

from collections.abc import Sequence
from statistics import fmean
from typing import Final

from experiments.charts.lines import Series, axes, draw, room_for
from experiments.charts.scale import Nines, Scale, by_decades, upwards
from experiments.charts.svg import WIDE, Look, picture, style_of
from experiments.charts.table import NOTHING, Table
from experiments.curves import Curve
from experiments.model import Run
from experiments.plan import Plan
from experiments.totals import counted
from experiments.words import N_, POINT_TITLES, Translate, number, untranslated

TITLE = N_("Latency, end to end")
_ABOUT = N_(
    "The share of jobs, from left to right, that took no longer than the height. The band reaches from the least to"
    " the greatest of the repetitions."
)

_FAR: Final = 50
"""Latencies further apart than this, from the medians on, are drawn by decades."""


def svg_of(plan: Plan, runs: Sequence[Run], look: Look = WIDE, _: Translate = untranslated) -> str:
    """The chart, the mean of the repetitions with a band around it; "" where nothing ended."""
    curves = {arm: _curves(runs, arm) for arm in range(len(plan.arms))}
    series = [_series(plan, arm, mine, _) for arm, mine in curves.items() if mine]
    if not any(one.points for one in series):
        return ""
    room = room_for(look, [one.style for one in series])
    top = max(one.points[-1][0] for one in series)
    x = Nines(top, room.left, room.right)
    values = [value for one in series for _at, value in (*one.points, *one.high)]
    slower = [value for one in series for at, value in one.points if at >= 50 and value > 0]
    far_apart = bool(slower) and max(slower) > _FAR * min(slower)
    y: Scale = (by_decades if far_apart else upwards)(values, room.bottom, room.top)
    unit = _(N_("ms, each line ten times the one below")) if far_apart else _(N_("ms"))
    said = " ".join(f"{_(_ABOUT)} {'; '.join(_summary(row) for row in table_of(plan, runs, _).rows)}".split())
    drawing = axes(room, x, y, _(N_("percentile of the jobs")), unit, _)
    return picture(look, "distribution", _(TITLE), said, drawing, draw(room, x, y, series))


def table_of(plan: Plan, runs: Sequence[Run], _: Translate = untranslated) -> Table:
    """The percentiles of each arm in ms, the means of the repetitions."""
    points = tuple(POINT_TITLES)
    rows = []
    for arm in range(len(plan.arms)):
        mine = counted(runs, arm)
        spreads = [run.figures.spreads["end_to_end"] for run in mine if "end_to_end" in run.figures.spreads]
        if mine:
            cells = (
                number(fmean(getattr(spread, point) for spread in spreads), _) if spreads else NOTHING
                for point in points
            )
            rows.append((style_of(plan, arm, _).label, *cells))
    head = (_(N_("Contender")), *(f"{_(title)}, {_(N_('ms'))}" for title in POINT_TITLES.values()))
    return Table(head, tuple(rows))


def _summary(row: tuple[str, ...]) -> str:
    return f"{row[0]}: p50 {row[1]}, p99 {row[3]}"


def _curves(runs: Sequence[Run], arm: int) -> list[dict[float, float]]:
    return [dict(run.figures.latency_curve) for run in counted(runs, arm) if run.figures.latency_curve]


def _series(plan: Plan, arm: int, curves: list[dict[float, float]], _: Translate) -> Series:
    # Repetitions that lost jobs end at a lower percentile; only where all of them are is there a mean.
    shared = sorted(set.intersection(*(set(curve) for curve in curves)))
    points: Curve = [(at, fmean(curve[at] for curve in curves)) for at in shared]
    low: Curve = [(at, min(curve[at] for curve in curves)) for at in shared]
    high: Curve = [(at, max(curve[at] for curve in curves)) for at in shared]
    banded = len(curves) > 1
    return Series(style_of(plan, arm, _), points, low if banded else (), high if banded else ())
