"""How a repetition went over time, in at most 200 points a curve."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from experiments.model import Sample

POINTS: Final = 200
_BARS: Final = 40

Curve = list[tuple[float, float]]


def done(ends: Sequence[int], jobs: int, begun_us: int) -> Curve:
    """(seconds since `begun_us`, share of `jobs` that have ended), from the moments of their ends."""
    moments = sorted(ends)
    if not moments or not jobs:
        return []
    wanted = min(len(moments), POINTS - 1)
    ranks = sorted({round(step * len(moments) / wanted) for step in range(1, wanted + 1)})
    return [(0.0, 0.0), *((_seconds(moments[rank - 1], begun_us), rank / jobs) for rank in ranks)]


def throughput(ends: Sequence[int], begun_us: int) -> Curve:
    """(seconds since `begun_us`, jobs ended a second), each point the middle of a stretch of equal length."""
    moments = sorted(_seconds(moment, begun_us) for moment in ends)
    if not moments or moments[-1] <= 0:
        return []
    bars = max(4, min(_BARS, len(moments) // 10))
    width = moments[-1] / bars
    counts = [0] * bars
    for moment in moments:
        counts[min(bars - 1, max(0, int(moment / width)))] += 1
    return [((place + 0.5) * width, count / width) for place, count in enumerate(counts)]


def depth(samples: Sequence[Sample], begun_us: int, until_us: int) -> Curve:
    """(seconds since `begun_us`, jobs published and not yet begun), up to `until_us`; each point is the most
    that there were since the one before, so that a short peak is not overlooked."""
    length = _seconds(until_us, begun_us)
    if length <= 0:
        return []
    steps = sorted(
        [(_seconds(s.published_us, begun_us), 1) for s in samples if s.published_us is not None]
        + [
            (_seconds(max(s.started_us, s.published_us), begun_us), -1)
            for s in samples
            if s.started_us is not None and s.published_us is not None
        ]
    )
    moments = [moment for moment, _ in steps]
    levels = [0]
    for _, change in steps:
        levels.append(levels[-1] + change)
    seen = bisect_right(moments, 0.0)
    curve: Curve = [(0.0, float(levels[seen]))]
    for point in range(1, POINTS):
        at = length * point / (POINTS - 1)
        now = bisect_right(moments, at) if point < POINTS - 1 else len(moments)
        curve.append((at, float(max(levels[seen : now + 1]))))
        seen = now
    return curve


def _seconds(moment_us: int, begun_us: int) -> float:
    return max(0, moment_us - begun_us) / 1e6
