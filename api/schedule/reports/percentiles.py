"""Percentiles, as `statistics.quantiles(…, method="inclusive")` and numpy's default have them."""

from collections.abc import Sequence
from typing import Final

SHARES: Final = {"p50": 0.50, "p90": 0.90, "p99": 0.99}


def percentiles(values: Sequence[float]) -> dict[str, float] | None:
    """p50, p90 and p99 of `values`, between two of them by the straight line; None of no values."""
    if not values:
        return None
    ordered = sorted(values)
    return {name: _at(ordered, share) for name, share in SHARES.items()}


def _at(ordered: Sequence[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
