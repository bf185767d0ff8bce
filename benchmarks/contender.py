"""One row of the table: what is run once in each round, and what came of it."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.clients import Ticks
from benchmarks.stand import Stand


@dataclass(frozen=True)
class Measured:
    """One turn: its value, and what else was seen of it, by name."""

    value: float
    more: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Contender:
    """Something that is measured.

    Attributes:
        key: its name in options and in the JSON.
        measure: one turn, with so many jobs; leaves nothing running.
        jobs: how many are enough for about three seconds on a small machine.
        c_only: whether there is nothing to measure without the C client.
    """

    key: str
    title: str
    measure: Callable[[Stand, int], Measured]
    jobs: int
    unit: str = "jobs/s"
    c_only: bool = False


@dataclass
class Row:
    """What was measured of one contender, round by round; `foreign` are shares of the machine."""

    key: str
    title: str
    unit: str
    values: list[float] = field(default_factory=list)
    foreign: list[float] = field(default_factory=list)
    more: dict[str, list[float]] = field(default_factory=dict)
    skipped: str = ""

    @property
    def median(self) -> float | None:
        """Of all rounds; None where there was none."""
        return statistics.median(self.values) if self.values else None

    def add(self, measured: Measured, foreign: float) -> None:
        """Takes one more round in."""
        self.values.append(measured.value)
        self.foreign.append(foreign)
        for name, value in measured.more.items():
            self.more.setdefault(name, []).append(value)

    def to_json(self) -> dict[str, Any]:
        """The row as `latest.json` has it."""
        return {
            "key": self.key,
            "figure": self.title,
            "unit": self.unit,
            "value": self.median,
            "values": self.values,
            "foreign_cpu": self.foreign,
            **({"skipped": self.skipped} if self.skipped else {}),
            **{name: statistics.median(values) for name, values in self.more.items()},
        }


def rate(ticks: Ticks, begin: float, count: int, limit: float) -> float:
    """Jobs a second from `begin` until `count` have run, or until the limit is over."""
    found, end = ticks.wait(count, limit)
    return found / (end - begin)
