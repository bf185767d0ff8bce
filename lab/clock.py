"""Times as the lab keeps them: whole microseconds since the Unix epoch, in UTC."""

import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_LEAST_US = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
_MOST_US = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
FIRST_US, LAST_US = 0, 7_258_118_400_000_000
"""The times that the lab takes: from 1970 to the end of 2199, wherever the calendar of the one who writes stands."""


def now_us() -> int:
    """The present moment, in microseconds since the epoch."""
    return time.time_ns() // 1000


def to_iso(us: int) -> str:
    """`us` (microseconds since the epoch) as ISO 8601 in UTC, always with six decimals. What lies before the year 1
    or after 9999 becomes the one or the other: anyone who shows a time has no use for an error."""
    seconds, rest = divmod(min(max(us, _LEAST_US), _MOST_US), 1_000_000)
    return f"{_second(seconds)}.{rest:06d}Z"


@lru_cache(maxsize=16)
def _second(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).isoformat()[:19]


def from_iso(text: str) -> int:
    """The microseconds for which `to_iso` gave `text`, which is as that writes it.

    Raises:
        ValueError: there is no such time.
    """
    return _us_of_second(text[:19]) + int(text[20:26])


@lru_cache(maxsize=64)
def _us_of_second(text: str) -> int:
    return to_us(datetime.fromisoformat(f"{text}+00:00"))


def to_us(moment: datetime) -> int:
    """An aware `moment` as microseconds since the epoch.

    Raises:
        ValueError: `moment` has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a time needs its zone: write 2026-01-31T12:00:00Z")
    return (moment - _EPOCH) // _MICROSECOND


def in_bounds(moment: datetime) -> datetime:
    """`moment`, which the lab takes.

    Raises:
        ValueError: it has no time zone, or lies before 1970 or after 2199.
    """
    if not FIRST_US <= to_us(moment) < LAST_US:
        raise ValueError("a time lies between the years 1970 and 2199")
    return moment
