"""From values to places in a picture, and where the ticks stand."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from experiments.words import Translate, decimal, number, untranslated

NINES: Final = (0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999)


class Scale(Protocol):
    """One axis: where a value stands, in pixels, and its ticks with their texts, numbers as `_` writes them."""

    def at(self, value: float) -> float:
        """The place of `value`."""

    def ticks(self, _: Translate = untranslated) -> Sequence[tuple[float, str]]:
        """The values that are written at the axis."""


@dataclass(frozen=True)
class Linear:
    """From 0 to `top`, which stands at `end`; as many ticks as are easily read, about `wanted`."""

    top: float
    begin: float
    end: float
    wanted: int = 5
    percent: bool = False

    def at(self, value: float) -> float:
        """The place of `value`; in the picture also where the value is out of it."""
        share = min(1.0, max(0.0, value / self.top)) if self.top else 0.0
        return self.begin + share * (self.end - self.begin)

    def ticks(self, _: Translate = untranslated) -> list[tuple[float, str]]:
        """Round values from 0 on."""
        step = nice_step(self.top, self.wanted)
        values = [step * place for place in range(math.floor(self.top / step + 1e-9) + 1)]
        places = max(0, -math.floor(math.log10(step) + 1e-9))
        return [
            (value, f"{value * 100:.0f}" if self.percent else _text(value, places, _)) for value in values
        ]


@dataclass(frozen=True)
class Log:
    """From `low` to `top`, both above 0, each decade as long as the others."""

    low: float
    top: float
    begin: float
    end: float

    def at(self, value: float) -> float:
        """The place of `value`."""
        share = math.log(max(self.low, min(self.top, value)) / self.low) / math.log(self.top / self.low)
        return self.begin + share * (self.end - self.begin)

    def ticks(self, _: Translate = untranslated) -> list[tuple[float, str]]:
        """The powers of ten."""
        first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.top) + 1e-9)
        return [
            (value, _text(value, max(0, -power), _))
            for power in range(first, last + 1)
            for value in (10.0**power,)
        ]


@dataclass(frozen=True)
class Nines:
    """Percentiles from 0 to `top` (below 100): each further nine takes as much room as the one before."""

    top: float
    begin: float
    end: float

    def at(self, value: float) -> float:
        """The place of the percentile `value`."""
        return self.begin + min(1.0, _nines(value) / (_nines(self.top) or 1.0)) * (self.end - self.begin)

    def ticks(self, _: Translate = untranslated) -> list[tuple[float, str]]:
        """As many nines as there are."""
        return [(value, decimal(f"{value:g}", _)) for value in NINES if value <= self.top + 1e-9]


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


def upwards(values: Sequence[float], begin: float, end: float) -> Linear:
    """A scale for `values` from zero on."""
    return Linear(rounded_up(max(values, default=0.0) or 1.0), begin, end)


def by_decades(values: Sequence[float], begin: float, end: float) -> Log:
    """A scale for those of `values` above zero, whole decades of them; there must be one."""
    powers = [math.log10(value) for value in values if value > 0]
    first, last = math.floor(min(powers)), math.ceil(max(powers))
    return Log(10.0**first, 10.0 ** max(last, first + 1), begin, end)


def _nines(percentile: float) -> float:
    return -math.log10(max(1e-9, 1 - percentile / 100))


def _text(value: float, places: int, _: Translate) -> str:
    return number(value, _) if value >= 10_000 else decimal(f"{value:.{places}f}", _)
