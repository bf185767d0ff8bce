"""The charts of lines: latency by percentile, and what went on over the seconds of a repetition."""

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Final

from experiments.charts.axes import Scale, Series, axes, by_decades, linear, lines, nines, room_for, upwards
from experiments.charts.svg import WIDE, ChartSize, Kind, picture, style_of
from experiments.curves import Curve
from experiments.figures import values_of
from experiments.model import ArmTurn, Figures, arm_key, label
from experiments.plan import Plan
from experiments.tables import NOTHING, Table, plain
from experiments.totals import counted
from experiments.words import N_, POINT_TITLES, Translate, decimal, number, untranslated

_LATENCY: Final = N_("Latency, end to end")
_LATENCIES: Final = N_(
    "The share of jobs, from left to right, that took no longer than the height. The band reaches from the least to"
    " the greatest of the repetitions."
)
_FAR: Final = 50
"""Latencies further apart than this, from the medians on, are drawn by decades."""

_RACE: Final = N_("The race")
_DONE: Final = N_("The share of its jobs that each has done.")
_DONE_UNIT: Final = N_("done, %")
_SHARES: Final = (0.25, 0.5, 0.75, 0.9, 1.0)
_TYPICAL: Final = N_("Shown of each is the repetition with the middle throughput.")
_MOMENTS: Final = 10

_CONTENDER: Final = N_("Contender")


def live(
    plan: Plan,
    curves: Mapping[str, Sequence[tuple[float, float]]],
    look: ChartSize = WIDE,
    _: Translate = untranslated,
) -> str:
    """The race of a running turn, from each arm's curve by its key; the axes alone before anyone has begun."""
    by_arm: dict[int, Curve] = {
        arm: list(curves.get(arm_key(plan, arm), ())) or [(0.0, 0.0)] for arm in range(len(plan.arms))
    }
    return _timed(plan, by_arm, look, "race", _(_RACE), _(_DONE), _(_DONE_UNIT), _)


def _timed(
    plan: Plan,
    curves: Mapping[int, Curve],
    look: ChartSize,
    key: str,
    title: str,
    about: str,
    unit: str,
    _: Translate,
) -> str:
    """A line for each arm over the seconds since its begin; "" if there is none. The race's are shares, which
    are shown in percent."""
    series = [Series(style_of(plan, arm, _), curve) for arm, curve in curves.items() if curve]
    if not series:
        return ""
    room = room_for(look, series)
    end = max(one.points[-1][0] for one in series) or 1.0
    x = linear(end, room.left, room.right, _, 8 if look.width > 500 else 4)
    values = [value for one in series for _at, value in one.points]
    y = (
        linear(1.0, room.bottom, room.top, _, percent=True)
        if key == "race"
        else upwards(values, room.bottom, room.top, _)
    )
    drawing = axes(room, x, y, _(N_("seconds since the begin")), unit)
    return picture(look, key, title, about, drawing, lines(room, x, y, series))


def _over_time(key: str, title: str, about: str, unit: str, curve_of: Callable[[Figures], Curve]) -> Kind:
    """A chart of one curve of each arm: that of the repetition whose throughput is the middle one."""

    def curves(plan: Plan, runs: Sequence[ArmTurn]) -> dict[int, Curve]:
        found = {}
        for arm in range(len(plan.arms)):
            if mine := sorted(counted(runs, arm), key=lambda run: run.figures.throughput):
                found[arm] = curve_of(mine[len(mine) // 2].figures)
        return found

    def draw(plan: Plan, runs: Sequence[ArmTurn], look: ChartSize, _: Translate) -> str:
        said = f"{_(about)} {_(_TYPICAL)}"
        return _timed(plan, curves(plan, runs), look, key, _(title), said, _(unit), _)

    def table(plan: Plan, runs: Sequence[ArmTurn], _: Translate) -> Table:
        rows = _shares if key == "race" else _moments
        return plain(_(title), *rows(plan, curves(plan, runs), _(unit), _))

    return Kind(key, title, draw, table)


Rows = tuple[tuple[str, ...], list[tuple[str, ...]]]


def _shares(plan: Plan, curves: Mapping[int, Curve], _unit: str, _: Translate) -> Rows:
    """The seconds after which each had done a share of its jobs."""

    def reached(curve: Curve, share: float) -> str:
        return next((decimal(f"{at:.2f}", _) for at, done in curve if done >= share - 1e-9), NOTHING)

    head = (_(_CONTENDER), *(f"{share * 100:.0f} %, {_(N_('s'))}" for share in _SHARES))
    return head, [
        (label(plan, arm, _), *(reached(curve, share) for share in _SHARES)) for arm, curve in curves.items()
    ]


def _moments(plan: Plan, curves: Mapping[int, Curve], unit: str, _: Translate) -> Rows:
    """What each arm's curve said at moments of equal distance."""

    def nearest(curve: Curve, at: float) -> str:
        if not curve or at > curve[-1][0] + 1e-9:
            return NOTHING
        return number(min(curve, key=lambda point: abs(point[0] - at))[1], _)

    end = max((curve[-1][0] for curve in curves.values() if curve), default=0.0)
    moments = [end * place / _MOMENTS for place in range(_MOMENTS + 1 if end else 0)]
    head = (_(N_("Seconds")), *(f"{label(plan, arm, _)}, {unit}" for arm in curves))
    return head, [
        (decimal(f"{at:.2f}", _), *(nearest(curve, at) for curve in curves.values())) for at in moments
    ]


def _latency(plan: Plan, runs: Sequence[ArmTurn], look: ChartSize, _: Translate) -> str:
    """The mean of the repetitions with a band around it; "" where nothing ended."""
    series = [one for arm in range(len(plan.arms)) if (one := _percentiles(plan, runs, arm, _)).points]
    if not series:
        return ""
    room = room_for(look, series)
    x = nines(max(one.points[-1][0] for one in series), room.left, room.right, _)
    values = [value for one in series for _at, value in (*one.points, *one.high)]
    slower = [value for one in series for at, value in one.points if at >= 50 and value > 0]
    far_apart = bool(slower) and max(slower) > _FAR * min(slower)
    y: Scale = (by_decades if far_apart else upwards)(values, room.bottom, room.top, _)
    unit = _(N_("ms, each line ten times the one below")) if far_apart else _(N_("ms"))
    rows = _latency_table(plan, runs, _).rows
    summary = "; ".join(f"{row.title}: p50 {row.cells[0].value}, p99 {row.cells[2].value}" for row in rows)
    drawing = axes(room, x, y, _(N_("percentile of the jobs")), unit)
    said = f"{_(_LATENCIES)} {summary}"
    return picture(look, "distribution", _(_LATENCY), said, drawing, lines(room, x, y, series))


def _percentiles(plan: Plan, runs: Sequence[ArmTurn], arm: int, _: Translate) -> Series:
    curves = [dict(run.figures.latency_curve) for run in counted(runs, arm) if run.figures.latency_curve]
    # Repetitions that lost jobs end at a lower percentile; only where all of them are is there a mean.
    shared = sorted(set.intersection(*(set(curve) for curve in curves))) if curves else []
    points, low, high = (
        [(at, of(curve[at] for curve in curves)) for at in shared] for of in (fmean, min, max)
    )
    banded = len(curves) > 1
    return Series(style_of(plan, arm, _), points, low if banded else (), high if banded else ())


def _latency_table(plan: Plan, runs: Sequence[ArmTurn], _: Translate) -> Table:
    """The percentiles of each arm in ms, the means of the repetitions."""
    rows, keys = [], [f"end_to_end.{point}" for point in POINT_TITLES]
    for arm in range(len(plan.arms)):
        mine = [values_of(run.figures) for run in counted(runs, arm)]
        if mine:
            found = ([one[key] for one in mine if key in one] for key in keys)
            cells = (number(fmean(values), _) if values else NOTHING for values in found)
            rows.append((label(plan, arm, _), *cells))
    head = (_(_CONTENDER), *(f"{_(title)}, {_(N_('ms'))}" for title in POINT_TITLES.values()))
    return plain(_(_LATENCY), head, rows)


LATENCY: Final = Kind("distribution", _LATENCY, _latency, _latency_table)
OVER_TIME: Final = (
    _over_time("race", _RACE, _DONE, _DONE_UNIT, lambda figures: figures.done_curve),
    _over_time(
        "throughput",
        N_("Throughput over time"),
        N_("Jobs that ended, a second."),
        N_("jobs/s"),
        lambda figures: figures.throughput_curve,
    ),
    _over_time(
        "depth",
        N_("Queue depth over time"),
        N_("Jobs published and not yet begun: in the broker, or fetched ahead by a worker."),
        N_("jobs"),
        lambda figures: figures.depth_curve,
    ),
)
