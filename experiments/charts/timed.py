"""What the charts over time have in common."""

from collections.abc import Mapping

from experiments.charts.lines import Series, axes, draw, room_for
from experiments.charts.scale import Linear, upwards
from experiments.charts.svg import Look, picture, style_of
from experiments.curves import Curve
from experiments.plan import Plan
from experiments.words import N_, Translate


def timed(
    plan: Plan,
    curves: Mapping[int, Curve],
    look: Look,
    key: str,
    title: str,
    about: str,
    unit: str,
    _: Translate,
    *,
    share: bool = False,
) -> str:
    """A line for each arm over the seconds since its begin; "" where there is none.

    Args:
        unit: of the values, written above their axis.
        share: whether values are shares, from 0 to 1, shown in percent.
    """
    series = [Series(style_of(plan, arm, _), curve) for arm, curve in curves.items() if curve]
    if not series:
        return ""
    room = room_for(look, [one.style for one in series])
    wanted = 8 if look.width > 500 else 4
    x = Linear(max(one.points[-1][0] for one in series) or 1.0, room.left, room.right, wanted)
    values = [value for one in series for _at, value in one.points]
    y = Linear(1.0, room.bottom, room.top, percent=True) if share else upwards(values, room.bottom, room.top)
    drawing = axes(room, x, y, _(N_("seconds since the begin")), unit, _)
    return picture(look, key, title, about, drawing, draw(room, x, y, series))
