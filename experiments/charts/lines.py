"""Lines between two axes, each with its name where it ends."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from experiments.charts.scale import Scale
from experiments.charts.svg import INK, LINE, Look, Style, element, path, text
from experiments.words import Translate

Points = Sequence[tuple[float, float]]

LEFT: Final = 52.0
TOP: Final = 30.0
BOTTOM: Final = 44.0
_LETTER: Final = 6.4
_SAMPLE: Final = 22.0
_GAP: Final = 16.0


@dataclass(frozen=True)
class Series:
    """One line; `low` and `high`, where they are given, bound a band around it, point by point."""

    style: Style
    points: Points
    low: Points = ()
    high: Points = ()


@dataclass(frozen=True)
class Room:
    """Where the axes stand: what is left of the picture beside names and ticks."""

    left: float
    right: float
    top: float
    bottom: float


def room_for(look: Look, styles: Iterable[Style]) -> Room:
    """The room for a chart whose lines are named on the right."""
    widest = max((len(style.label) for style in styles), default=0)
    return Room(LEFT, look.width - widest * _LETTER - _SAMPLE - 12, TOP, look.height - BOTTOM)


def axes(room: Room, x: Scale, y: Scale, x_title: str, y_title: str, _: Translate) -> str:
    """Both axes with ticks, titles and units, and a thin line across at each tick of `y`."""
    parts = [
        element("path", d=f"M{room.left} {y.at(value):.1f}H{room.right:.1f}", stroke=LINE, stroke_width=1)
        + text(words, room.left - 7, y.at(value) + 4, text_anchor="end")
        for value, words in y.ticks(_)
    ]
    parts += [
        element("path", d=f"M{x.at(value):.1f} {room.bottom}v5", stroke=INK, stroke_width=1)
        + text(words, x.at(value), room.bottom + 18, text_anchor="middle")
        for value, words in _apart(x, _)
    ]
    parts.append(
        element("path", d=f"M{room.left} {room.bottom}H{room.right:.1f}", stroke=INK, stroke_width=1)
    )
    parts.append(text(y_title, 4, 14))
    parts.append(text(x_title, (room.left + room.right) / 2, room.bottom + 37, text_anchor="middle"))
    return element("g", *parts, fill="none")


def draw(room: Room, x: Scale, y: Scale, series: Sequence[Series]) -> str:
    """The lines with their bands, and their names."""
    drawn = [one for one in series if one.points]
    ends = [(y.at(one.points[-1][1]), x.at(one.points[-1][0])) for one in drawn]
    places = _spread(ends, room)
    return element(
        "g",
        *(_band(one, x, y) for one in drawn),
        *(_line(one, x, y) for one in drawn),
        *(_name(one, x, y, room, place) for one, place in zip(drawn, places, strict=True)),
    )


def _apart(x: Scale, _: Translate) -> list[tuple[float, str]]:
    """The ticks of `x` whose texts do not run into the one before."""
    kept: list[tuple[float, str]] = []
    end = float("-inf")
    for value, words in x.ticks(_):
        half = len(words) * _LETTER / 2
        if x.at(value) - half > end + 6:
            kept.append((value, words))
            end = x.at(value) + half
    return kept


def _band(one: Series, x: Scale, y: Scale) -> str:
    if not one.low:
        return ""
    around = [(x.at(a), y.at(b)) for a, b in one.high] + [(x.at(a), y.at(b)) for a, b in reversed(one.low)]
    return element("path", d=path(around) + "Z", fill=one.style.colour, fill_opacity="0.13")


def _line(one: Series, x: Scale, y: Scale) -> str:
    places = [(x.at(a), y.at(b)) for a, b in one.points]
    return element("path", d=path(places), fill="none", **_stroke(one.style)) + element(
        "circle", cx=places[-1][0], cy=places[-1][1], r=3, fill=one.style.colour
    )


def _name(one: Series, x: Scale, y: Scale, room: Room, place: float) -> str:
    end_x, end_y = x.at(one.points[-1][0]), y.at(one.points[-1][1])
    begin = room.right + 8
    leader = ""
    if room.right - end_x < 24:
        leader = element(
            "path",
            d=path([(end_x + 3, end_y), (begin, place)]),
            stroke=one.style.colour,
            stroke_width=1,
            stroke_opacity="0.5",
        )
    sample = element("path", d=f"M{begin:.1f} {place:.1f}h{_SAMPLE - 4}", **_stroke(one.style))
    return leader + sample + text(one.style.label, begin + _SAMPLE, place + 4, fill=one.style.colour)


def _stroke(style: Style) -> dict[str, str | float | None]:
    return {"stroke": style.colour, "stroke_width": 2, "stroke_dasharray": style.dash or None}


def _spread(ends: Sequence[tuple[float, float]], room: Room) -> list[float]:
    """Heights near those of `ends` (height, then how far to the right), a line of text apart, all in the room."""
    wanted = [height for height, _right in ends]
    order = sorted(range(len(ends)), key=lambda place: ends[place])
    found = dict.fromkeys(order, 0.0)
    above = room.top - _GAP
    for place in order:
        above = found[place] = max(wanted[place], above + _GAP)
    below = room.bottom + _GAP
    for place in reversed(order):
        below = found[place] = min(found[place], below - _GAP)
    return [found[place] for place in range(len(wanted))]
