"""The ratios of the rows, what they are to reach, and the table."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.contender import Row


@dataclass(frozen=True)
class Ratio:
    """One figure that the lab is held to: the row `over` the greatest of the rows `under`, or the row itself."""

    key: str
    title: str
    over: str
    under: tuple[str, ...]
    target: float
    at_most: bool = False

    def value(self, rows: Mapping[str, Row]) -> float | None:
        """None where a row that it needs was not measured."""
        found = [rows[key].median if key in rows else None for key in (self.over, *self.under)]
        known = [value for value in found if value is not None]
        if len(known) < len(found):
            return None
        return known[0] / max(known[1:]) if self.under else known[0]

    def reached(self, value: float) -> bool:
        """Whether `value` is as it should be."""
        return value <= self.target if self.at_most else value >= self.target


_PEERS: Final = ("celery_bare", "dramatiq", "taskiq")

RATIOS: Final = (
    Ratio(
        "consumer_untracked_vs_ceiling",
        "consumer, safe, untracked ÷ C ceiling",
        "consumer_safe_untracked",
        ("ceiling_quorum",),
        0.5,
    ),
    Ratio(
        "celery_untracked_vs_bare",
        "Celery in the lab, safe, untracked ÷ bare Celery set the same way",
        "celery_safe_untracked",
        ("celery_bare_filled",),
        0.95,
    ),
    Ratio(
        "celery_tracked_vs_untracked",
        "Celery, safe, tracked ÷ bare Celery, safe, untracked",
        "celery_safe_tracked_filled",
        ("celery_bare_filled",),
        0.8,
    ),
    Ratio(
        "consumer_tracked_vs_ceiling",
        "consumer, safe, tracked ÷ C ceiling",
        "consumer_safe_tracked_filled",
        ("ceiling_quorum",),
        0.3,
    ),
    Ratio(
        "consumer_tracked_vs_best_peer",
        "consumer, safe, tracked ÷ best of Celery, dramatiq, taskiq",
        "consumer_safe_tracked",
        _PEERS,
        2.0,
    ),
    Ratio(
        "relay_vs_ceiling",
        "relay for the consumer ÷ C publishing with confirms",
        "relay_consumer",
        ("ceiling_publish",),
        0.5,
    ),
    Ratio(
        "start_latency_vs_bare_pika",
        "publish to start, idle, consumer ÷ bare pika",
        "latency_consumer",
        ("latency_pika",),
        1.5,
        at_most=True,
    ),
    Ratio(
        "page_1m_vs_1k",
        "page with 1,000,000 tasks ÷ with 1,000",
        "page_1m",
        ("page_1k",),
        1.5,
        at_most=True,
    ),
    Ratio("fanout_delay_s", "status to the last of 200 pages, s", "fanout", (), 1.0, at_most=True),
)


def ratios(rows: Sequence[Row]) -> dict[str, float]:
    """Those that can be told of `rows`, by key."""
    by_key = {row.key: row for row in rows}
    found = {ratio.key: ratio.value(by_key) for ratio in RATIOS}
    return {key: value for key, value in found.items() if value is not None}


def lines(rows: Sequence[Row]) -> list[str]:
    """The table as text: what was measured, then the ratios and whether they reach what they should."""
    width = max(len(text) for text in [*(row.title for row in rows), *(ratio.title for ratio in RATIOS)])
    shown = [f"{'figure':<{width}}  {'median':>12}  {'lowest':>10}  {'highest':>10}  unit", ""]
    for row in rows:
        if row.median is None:
            shown.append(f"{row.title:<{width}}  {'–':>12}  {row.skipped}")
            continue
        low, high = min(row.values), max(row.values)
        note = "  (others used the machine)" if min(row.foreign) > 0.1 else ""
        if "api_cores" in row.more:
            note += f"  (the API took {statistics.median(row.more['api_cores']):.2f} processors)"
        shown.append(
            f"{row.title:<{width}}  {row.median:>12,.2f}  {low:>10,.2f}  {high:>10,.2f}  {row.unit}{note}"
        )
    shown += ["", f"{'ratio of medians':<{width}}  {'value':>12}  {'target':>10}", ""]
    found = ratios(rows)
    for ratio in RATIOS:
        bound = f"{'≤' if ratio.at_most else '≥'} {ratio.target:g}"
        if ratio.key not in found:
            shown.append(f"{ratio.title:<{width}}  {'–':>12}  {bound:>10}")
            continue
        value = found[ratio.key]
        verdict = "reached" if ratio.reached(value) else "not reached"
        shown.append(f"{ratio.title:<{width}}  {value:>12.3f}  {bound:>10}  {verdict}")
    return shown


def markdown(rows: Sequence[Row]) -> list[str]:
    """The same for `benchmarks/README.md`."""
    shown = ["| figure | value | target | key |", "|---|---|---|---|"]
    found = ratios(rows)
    for ratio in RATIOS:
        if ratio.key in found:
            bound = f"at {'most' if ratio.at_most else 'least'} {ratio.target:g}"
            verdict = "" if ratio.reached(found[ratio.key]) else ", not reached"
            shown.append(f"| {ratio.title} | {found[ratio.key]:.2f} | {bound}{verdict} | `{ratio.key}` |")
    shown += ["", "| row | median | lowest | highest | unit |", "|---|---|---|---|---|"]
    for row in rows:
        if row.values:
            numbers = (f"{value:,.{0 if value >= 100 else 2}f}" for value in (row.median or 0.0, *_ends(row)))
            shown.append(f"| {row.title} | {' | '.join(numbers)} | {row.unit} |")
    return shown


def _ends(row: Row) -> tuple[float, float]:
    return min(row.values), max(row.values)
