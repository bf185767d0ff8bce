"""Rounds: every contender once, in turns, and again where something else used the machine meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from benchmarks.contender import Contender, Measured, Row
from benchmarks.stand import Stand

FOREIGN: Final = 0.10
AGAIN: Final = 2
LONGEST_SECONDS: Final = 900.0


def run(
    contenders: Sequence[Contender],
    stand: Stand,
    rounds: int,
    jobs: int | None,
    again: int = AGAIN,
    seconds: float = LONGEST_SECONDS,
    tell: Callable[[str], None] = print,
) -> list[Row]:
    """All rows. What fails is told, and left out of its row.

    Args:
        jobs: instead of each contender's own number.
        seconds: after these nothing is repeated and no round begun; the first one is ended.
    """
    deadline = time.monotonic() + seconds
    rows = [Row(one.key, one.title, one.unit) for one in contenders]
    for row, contender in zip(rows, contenders, strict=True):
        if contender.c_only and stand.ceiling is None:
            row.skipped = stand.why_no_ceiling
            tell(f"{row.title}: skipped, {row.skipped}")
    for turn in range(1, rounds + 1):
        for row, contender in zip(rows, contenders, strict=True):
            late = time.monotonic() > deadline
            if row.skipped or (late and turn > 1):
                continue
            begin = time.monotonic()
            try:
                measured, foreign = _once(contender, stand, _jobs(contender, jobs), 0 if late else again)
            except Exception as error:  # one that fails is no reason to lose the others
                tell(f"{turn}/{rounds}  {row.title}: {type(error).__name__}: {error}")
                continue
            row.add(measured, foreign)
            tell(
                f"{turn}/{rounds}  {row.title}: {measured.value:,.2f} {row.unit}"
                f"  (others {foreign:.0%}, {time.monotonic() - begin:.0f} s)"
            )
    return rows


def _jobs(contender: Contender, asked: int | None) -> int:
    """Times are of so many samples whatever was asked for."""
    return asked if asked and contender.unit.endswith("/s") else contender.jobs


def _once(contender: Contender, stand: Stand, jobs: int, again: int) -> tuple[Measured, float]:
    """One turn; of those that were disturbed, and repeated, the one that was disturbed least."""
    tries: list[tuple[float, Measured]] = []
    for _ in range(1 + again):
        stand.busy.foreign, stand.used = None, {}
        measured = contender.measure(stand, jobs)
        measured.more.update({f"{name}_us": seconds / jobs * 1e6 for name, seconds in stand.used.items()})
        foreign = stand.busy.foreign or 0.0
        tries.append((foreign, measured))
        if foreign <= FOREIGN:
            break
    foreign, measured = min(tries, key=lambda one: one[0])
    return measured, foreign
