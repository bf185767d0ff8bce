"""Spans in an HdrHistogram, which keeps three significant digits however long they are."""

import math
from collections.abc import Iterable
from typing import Final

from hdrh.histogram import HdrHistogram  # type: ignore[import-untyped]

DAY_US: Final = 86_400_000_000
DIGITS: Final = 3

_GRID: Final = (
    *range(0, 90, 5),
    *(100 - step / 10**nines for nines in range(4) for step in (10, 7, 5, 3, 2, 1.5)),
    99.999,
)
"""Where the percentile curve is looked at: as dense towards 100 as a scale of nines shows it."""


class Histogram:
    """Durations in microseconds, up to a day; longer ones count as a day.

    Percentiles are by the nearest rank: the smallest recorded duration that the share does not exceed, at most
    0.1 % above the exact one. `mean` and `max` are exact.
    """

    def __init__(self, durations: Iterable[int]) -> None:
        self._counts = HdrHistogram(1, DAY_US, DIGITS)
        total = 0
        for us in durations:
            self._counts.record_value(min(us, DAY_US))
            total += us
        self.count: int = self._counts.total_count
        self.max: int = self._counts.max_value
        self.mean: float = total / self.count if self.count else 0.0

    def at(self, percentiles: Iterable[float]) -> dict[float, int]:
        """The duration at each of `percentiles` (0 to 100), in microseconds; nothing where none was recorded."""
        if not self.count:
            return {}
        ranks = {percentile: self._rank(percentile) for percentile in percentiles}
        # The library rounds a rank; asked for a whole one, it can only take that.
        exact = {rank: rank * 100 / self.count for rank in ranks.values()}
        found = self._counts.get_percentile_to_value_dict(list(exact.values()))
        return {percentile: min(found[exact[rank]], self.max) for percentile, rank in ranks.items()}

    def curve(self) -> list[tuple[float, int]]:
        """(percentile, duration in microseconds), rising, as far as there are enough durations to tell."""
        reach = 100 - 100 / self.count if self.count else -1.0
        return sorted(self.at(percentile for percentile in _GRID if percentile <= reach).items())

    def _rank(self, percentile: float) -> int:
        return max(1, math.ceil(round(percentile * self.count / 100, 6)))
