"""Two axes, and the lines between them, each with its name where it ends."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from experiments.charts.svg import INK, LINE, ChartSize, Style, element, path, text
from experiments.words import Translate, decimal, number, untranslated

NINES: Final = (0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999)

Points = Sequence[tuple[float, float]]

_LEFT: Final = 52.0
_TOP: Final = 30.0
_BOTTOM: Final = 44.0
_LETTER: Final = 7.0
_SAMPLE: Final = 22.0
_GAP: Final = 16.0


@dataclass(frozen=True)
class Scale:
    """One axis: `at` gives the place of a value, in pixels, and in the picture also where the value is out of it;
    `ticks` are the values that are written at it, with their texts."""

    at: Callable[[float], float]
    ticks: Sequence[tuple[float, str]]


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


def linear(
    top: float,
    begin: float,
    end: float,
    _: Translate = untranslated,
    wanted: int = 5,
    *,
    percent: bool = False,
) -> Scale:
    """From 0 to `top`, which stands at `end`; as many ticks as are easily read, about `wanted`."""
    step = nice_step(top, wanted)
    values = [step * place for place in range(math.floor(top / step + 1e-9) + 1)]
    places = max(0, -math.floor(math.log10(step) + 1e-9))
    texts = [f"{value * 100:.0f}" if percent else _text(value, places, _) for value in values]
    return Scale(_placing(float, 0.0, top, begin, end), list(zip(values, texts, strict=True)))


def upwards(values: Sequence[float], begin: float, end: float, _: Translate = untranslated) -> Scale:
    """From 0 to the first tick above `values`."""
    return linear(rounded_up(max(values, default=0.0) or 1.0), begin, end, _)


def by_decades(values: Sequence[float], begin: float, end: float, _: Translate = untranslated) -> Scale:
    """Whole decades, each as long as the others, of those `values` above zero; there must be one."""
    powers = [math.log10(value) for value in values if value > 0]
    first = math.floor(min(powers))
    last = max(math.ceil(max(powers)), first + 1)
    ticks = [(10.0**power, _text(10.0**power, max(0, -power), _)) for power in range(first, last + 1)]
    return Scale(_placing(math.log10, 10.0**first, 10.0**last, begin, end), ticks)


def nines(top: float, begin: float, end: float, _: Translate = untranslated) -> Scale:
    """Percentiles from 0 to `top` (below 100): each further nine takes as much room as the one before."""

    def bent(percentile: float) -> float:
        return -math.log10(max(1e-9, 1 - percentile / 100))

    ticks = [(value, decimal(f"{value:g}", _)) for value in NINES if value <= top + 1e-9]
    return Scale(_placing(bent, 0.0, top, begin, end), ticks)


def nice_step(top: float, wanted: int) -> float:
    """1, 2 or 5 times a power of ten, of which about `wanted` make `top`."""
    if top <= 0:
        return 1.0
    rough = top / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))


def rounded_up(top: float, wanted: int = 5) -> float:
    """The first tick at or above `top`."""
    step = nice_step(top, wanted)
    return max(step, math.ceil(top / step - 1e-9) * step)


def room_for(look: ChartSize, series: Iterable[Series]) -> Room:
    """The room for a chart whose lines are named on the right."""
    widest = max((len(one.style.label) for one in series), default=0)
    return Room(_LEFT, look.width - widest * _LETTER - _SAMPLE - 12, _TOP, look.height - _BOTTOM)


def axes(room: Room, x: Scale, y: Scale, x_title: str, y_title: str) -> str:
    """Both axes with ticks, titles and units, and a thin line across at each tick of `y`."""
    parts = [
        element("path", d=f"M{room.left} {y.at(value):.1f}H{room.right:.1f}", stroke=LINE, stroke_width=1)
        + text(words, room.left - 7, y.at(value) + 4, text_anchor="end")
        for value, words in y.ticks
    ]
    parts += [
        element("path", d=f"M{x.at(value):.1f} {room.bottom}v5", stroke=INK, stroke_width=1)
        + text(words, x.at(value), room.bottom + 18, text_anchor="middle")
        for value, words in _apart(x)
    ]
    parts.append(
        element("path", d=f"M{room.left} {room.bottom}H{room.right:.1f}", stroke=INK, stroke_width=1)
    )
    parts.append(text(y_title, 4, 14))
    parts.append(text(x_title, (room.left + room.right) / 2, room.bottom + 37, text_anchor="middle"))
    return element("g", *parts, fill="none")


def lines(room: Room, x: Scale, y: Scale, series: Sequence[Series]) -> str:
    """The lines with their bands, and their names."""
    drawn = [one for one in series if one.points]
    ends = [(x.at(one.points[-1][0]), y.at(one.points[-1][1])) for one in drawn]
    places = _spread([(height, right) for right, height in ends], room)
    return element(
        "g",
        *(_band(one, x, y) for one in drawn),
        *(_line(one, x, y) for one in drawn),
        *(_name(*one, room) for one in zip((one.style for one in drawn), ends, places, strict=True)),
    )


def _placing(
    bent: Callable[[float], float], low: float, top: float, begin: float, end: float
) -> Callable[[float], float]:
    """What puts `low` at `begin`, `top` at `end`, and what lies between them by its bent value."""
    first = bent(low)
    length = bent(top) - first or 1.0
    return lambda value: begin + (bent(max(low, min(top, value))) - first) / length * (end - begin)


def _text(value: float, places: int, _: Translate) -> str:
    return number(value, _) if value >= 10_000 else decimal(f"{value:.{places}f}", _)


def _apart(x: Scale) -> list[tuple[float, str]]:
    """The ticks of `x` whose texts do not run into the one before."""
    kept: list[tuple[float, str]] = []
    end = float("-inf")
    for value, words in x.ticks:
        half = len(words) * _LETTER / 2
        if x.at(value) - half > end + 6:
            kept.append((value, words))
            end = x.at(value) + half
    return kept


def _band(one: Series, x: Scale, y: Scale) -> str:
    if not one.low:
        return ""
    around = [(x.at(a), y.at(b)) for a, b in (*one.high, *reversed(one.low))]
    return element("path", d=path(around) + "Z", fill=one.style.colour, fill_opacity="0.13")


def _line(one: Series, x: Scale, y: Scale) -> str:
    places = [(x.at(a), y.at(b)) for a, b in one.points]
    return element("path", d=path(places), fill="none", **_stroke(one.style)) + element(
        "circle", cx=places[-1][0], cy=places[-1][1], r=3, fill=one.style.colour
    )


def _name(style: Style, end: tuple[float, float], place: float, room: Room) -> str:
    begin = room.right + 8
    leader = ""
    if room.right - end[0] < 24:
        way = path([(end[0] + 3, end[1]), (begin, place)])
        leader = element("path", d=way, stroke=style.colour, stroke_width=1, stroke_opacity="0.5")
    sample = element("path", d=f"M{begin:.1f} {place:.1f}h{_SAMPLE - 4}", **_stroke(style))
    return leader + sample + text(style.label, begin + _SAMPLE, place + 4, fill=style.colour)


def _stroke(style: Style) -> dict[str, str | float | None]:
    return {"stroke": style.colour, "stroke_width": 2, "stroke_dasharray": style.dash or None}


def _spread(ends: Sequence[tuple[float, float]], room: Room) -> list[float]:
    """Heights near those of `ends` (height, then how far to the right), a line of text apart, all in the room."""
    order = sorted(range(len(ends)), key=lambda place: ends[place])
    found = [height for height, _right in ends]
    above = room.top - _GAP
    for place in order:
        above = found[place] = max(found[place], above + _GAP)
    below = room.bottom + _GAP
    for place in reversed(order):
        below = found[place] = min(found[place], below - _GAP)
    return found
