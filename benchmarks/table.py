"""The ratios of the rows, what they are to reach, and the table."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.contender import Row

Medians = Mapping[str, float]
"""The medians of the rows that were measured, by key, and of what else was seen of them, by `key.name`."""


@dataclass(frozen=True)
class Ratio:
    """One figure that the lab is held to.

    Attributes:
        of: works it out; raises KeyError where a row that it needs was not measured.
        target: it is to be at least so much, at most so much, or no further than this factor from 1.
        bound: which of these: "least", "most" or "around".
    """

    key: str
    title: str
    of: Callable[[Medians], float]
    target: float
    bound: str = "least"

    def value(self, medians: Medians) -> float | None:
        """None where a row that it needs was not measured."""
        try:
            return self.of(medians)
        except KeyError:
            return None

    def reached(self, value: float) -> bool:
        """Whether `value` is as it should be."""
        if self.bound == "around":
            return abs(value - 1.0) <= self.target + 1e-9
        return value <= self.target if self.bound == "most" else value >= self.target

    @property
    def wanted(self) -> str:
        """The target in words."""
        if self.bound == "around":
            return f"{1 - self.target:g} to {1 + self.target:g}"
        return f"at {self.bound} {self.target:g}"


def over(row: str, *under: str) -> Callable[[Medians], float]:
    """The row over the greatest of `under`, or the row itself where there are none."""
    return lambda medians: medians[row] / (max(medians[one] for one in under) if under else 1.0)


def farthest(*pairs: tuple[str, ...]) -> Callable[[Medians], float]:
    """Of the ratios of rows (a row by itself is one) the one farthest from 1."""
    return lambda medians: max(
        (over(*pair)(medians) for pair in pairs),
        key=lambda value: abs(math.log(value)) if value > 0 else math.inf,
    )


def least(*pairs: tuple[str, str]) -> Callable[[Medians], float]:
    """The least of the ratios of rows."""
    return lambda medians: min(over(*pair)(medians) for pair in pairs)


_PEERS: Final = ("celery_bare", "dramatiq", "taskiq")
_WORKERS: Final = ("celery_naive", "celery_safe", "tutorial", "consumer")

RATIOS: Final = (
    *(
        Ratio(
            f"{method}_lab_vs_outside",
            f"{name}: the lab's experiment ÷ the same outside, worst of naive and safe",
            farthest(
                *(
                    (f"outside_{method}_{delivery}.{load}_ratio",)
                    for delivery in ("naive", "safe")
                    for load in ("noop", "wait")
                )
            ),
            0.1,
            "around",
        )
        for method, name in (("celery", "Celery"), ("rabbitmq", "RabbitMQ"))
    ),
    Ratio(
        "stamps_vs_none",
        "reports beside the path ÷ none, worst contender",
        least(*((f"{one}_beside", f"{one}_untracked") for one in _WORKERS)),
        0.98,
    ),
    Ratio(
        "distinct_vs_equal",
        "jobs with parameters of their own ÷ all alike, worst contender",
        farthest(*((f"{one}_untracked", f"{one}_equal") for one in _WORKERS)),
        0.1,
        "around",
    ),
    Ratio(
        "consumer_untracked_vs_ceiling",
        "consumer, safe ÷ C client, quorum",
        over("consumer_untracked", "ceiling_quorum"),
        0.4,
    ),
    Ratio(
        "consumer_beside_vs_best_peer",
        "consumer, safe, every status stored ÷ best of Celery, dramatiq, taskiq",
        over("consumer_stored", *_PEERS),
        2.0,
    ),
    Ratio(
        "consumer_in_path_vs_best_peer",
        "the same with reports in the path, 64 at once",
        over("consumer_in_path", *_PEERS),
        1.0,
    ),
    Ratio(
        "in_path_idle_overhead_ms",
        "one idle job with reports in the path, more than by plain pika, ms",
        lambda medians: medians["idle_consumer"] - medians["latency_pika"],
        8.0,
        "most",
    ),
    Ratio(
        "relay_vs_delay_confirmed",
        "relay, the consumer's messages ÷ a held Celery producer with confirms",
        over("relay_consumer", "delay_confirmed"),
        3.0,
    ),
    Ratio(
        "start_latency_vs_bare_pika",
        "publish to start, idle, consumer ÷ bare pika",
        over("latency_consumer", "latency_pika"),
        1.5,
        "most",
    ),
    Ratio("page_1m_vs_1k", "page with 1,000,000 tasks ÷ with 1,000", over("page_1m", "page_1k"), 1.5, "most"),
    Ratio("fanout_delay_s", "status to the last of 200 pages, s", over("fanout"), 1.0, "most"),
)


def ratios(rows: Sequence[Row]) -> dict[str, float]:
    """Those that can be told of `rows`, by key."""
    medians = {row.key: row.median for row in rows if row.median is not None}
    medians |= {
        f"{row.key}.{name}": statistics.median(all_) for row in rows for name, all_ in row.more.items()
    }
    found = {ratio.key: ratio.value(medians) for ratio in RATIOS}
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
    shown += ["", f"{'ratio of medians':<{width}}  {'value':>12}  {'target':>14}", ""]
    found = ratios(rows)
    for ratio in RATIOS:
        if ratio.key not in found:
            shown.append(f"{ratio.title:<{width}}  {'–':>12}  {ratio.wanted:>14}")
            continue
        value = found[ratio.key]
        verdict = "reached" if ratio.reached(value) else "not reached"
        shown.append(f"{ratio.title:<{width}}  {value:>12.3f}  {ratio.wanted:>14}  {verdict}")
    return shown


def markdown(rows: Sequence[Row]) -> list[str]:
    """The same for `benchmarks/README.md`."""
    shown = ["| figure | value | target | key |", "|---|---|---|---|"]
    found = ratios(rows)
    for ratio in RATIOS:
        if ratio.key in found:
            verdict = "" if ratio.reached(found[ratio.key]) else ", not reached"
            shown.append(
                f"| {ratio.title} | {found[ratio.key]:.2f} | {ratio.wanted}{verdict} | `{ratio.key}` |"
            )
    shown += ["", *guarantees(rows)]
    shown += ["", "| row | median | lowest | highest | unit |", "|---|---|---|---|---|"]
    for row in rows:
        if row.values:
            numbers = (f"{value:,.{0 if value >= 100 else 2}f}" for value in (row.median or 0.0, *_ends(row)))
            shown.append(f"| {row.title} | {' | '.join(numbers)} | {row.unit} |")
    return shown


_GUARANTEES: Final = (
    ("as it comes", "outside_{}_naive", "lab_noop"),
    ("safe", "outside_{}_safe", "lab_noop"),
    ("safe, reports in the path", "in_path_{}", ""),
)


def guarantees(rows: Sequence[Row]) -> list[str]:
    """What each guarantee costs: no-ops a second of the lab's experiments at three at once."""
    by_key = {row.key: row for row in rows}
    shown = ["| no-ops a second | Celery | RabbitMQ |", "|---|---|---|"]
    for title, key, part in _GUARANTEES:
        values = []
        for method in ("celery", "rabbitmq"):
            row = by_key.get(key.format(method))
            found = (
                None if row is None else statistics.median(row.more[part]) if part in row.more else row.median
            )
            values.append("–" if found is None else f"{found:,.0f}")
        shown.append(f"| {title} | {' | '.join(values)} |")
    return shown


def _ends(row: Row) -> tuple[float, float]:
    return min(row.values), max(row.values)
