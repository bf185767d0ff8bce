"""Figures of experiments in the reader's language: how a value is written."""

from typing import Final

from api.i18n import fixed, number
from api.wording import gettext
from experiments import words
from experiments.model import Interval

COSTS: Final = (
    *(f"{kind}.{part}" for kind in ("cpu", "memory") for part in words.PART_TITLES),
    "per_job.bytes",
    "per_job.frames",
)

_SPACE: Final = "\N{NO-BREAK SPACE}"
_DASH: Final = "\N{EN DASH}"
_MINUS: Final = "\N{MINUS SIGN}"
_LONG_MS: Final = 10_000


def title(key: str) -> str:
    """What the figure `key` is called."""
    return words.title_of(key, gettext)


def metric(name: str) -> str:
    """What the span `name` of a job's life is called."""
    return gettext(words.METRIC_TITLES[name])


def point(name: str) -> str:
    """What the percentile `name` is called."""
    return gettext(words.POINT_TITLES[name])


def value(key: str, amount: float | None, size: float = 0.0) -> str:
    """`amount` of the figure `key` with its unit; a dash for None. `size` is the greatest of those that stand
    beside it, which all get the same unit."""
    if amount is None:
        return _DASH
    unit, divisor = _unit(key, max(abs(amount), size))
    return f"{_digits(amount / divisor)}{_SPACE}{unit}"


def interval(key: str, found: Interval | None, size: float = 0.0) -> str:
    """The interval of a figure, without its value; nothing where there is none. `size` as above."""
    if found is None or found.low is None or found.high is None:
        return ""
    unit, divisor = _unit(key, max(abs(found.value), size))
    low, high = _digits(found.low / divisor), f"{_digits(found.high / divisor)}{_SPACE}{unit}"
    return gettext("%(low)s to %(high)s", low=low, high=high)


def signed(key: str, amount: float) -> str:
    """A difference, with its sign."""
    text = value(key, amount)
    return f"+{text}" if amount > 0 else text


def times(ratio: float | None) -> str:
    """How many times as much: 1.8×; nothing where that makes no sense."""
    return "" if ratio is None else f"{_digits(ratio)}×"


def _unit(key: str, size: float) -> tuple[str, float]:
    """The unit of the figure `key`, and how much of what is stored makes one of it."""
    unit = words.unit_of(key, gettext)
    if key.startswith("memory."):
        return unit, words.MIB
    if unit == gettext("ms") and size >= _LONG_MS:
        return gettext("s"), 1_000
    return unit, 1


def _digits(amount: float) -> str:
    """`amount` with about three digits that say something."""
    size = abs(amount)
    text = number(round(amount)) if size >= 100 else fixed(amount, 1 if size >= 10 else 2)
    return text.replace("-", _MINUS)
