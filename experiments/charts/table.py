"""The numbers of a chart, for a table under it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from experiments.charts.svg import style_of
from experiments.curves import Curve
from experiments.model import Run
from experiments.plan import Plan
from experiments.totals import counted
from experiments.words import N_, Translate, decimal, number

NOTHING: Final = "–"
TYPICAL: Final = N_("Shown of each is the repetition with the middle throughput.")


@dataclass(frozen=True)
class Table:
    """`rows` below `head`, all as texts; the first cell of a row names it."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def typical(plan: Plan, runs: Sequence[Run]) -> dict[int, Run]:
    """For each arm that ran, the repetition whose throughput is the middle one."""
    found = {}
    for arm in range(len(plan.arms)):
        mine = sorted(counted(runs, arm), key=lambda run: run.figures.throughput)
        if mine:
            found[arm] = mine[len(mine) // 2]
    return found


def over_time(plan: Plan, curves: dict[int, Curve], unit: str, _: Translate, moments: int = 10) -> Table:
    """What each arm's curve said at `moments` times of equal distance."""
    end = max((curve[-1][0] for curve in curves.values() if curve), default=0.0)
    head = (_(N_("Seconds")), *(f"{style_of(plan, arm, _).label}, {unit}" for arm in curves))
    rows = []
    for place in range(moments + 1 if end else 0):
        at = end * place / moments
        rows.append((decimal(f"{at:.2f}", _), *(_text(_nearest(curve, at), _) for curve in curves.values())))
    return Table(head, tuple(rows))


def _nearest(curve: Curve, at: float) -> float | None:
    if not curve or at > curve[-1][0] + 1e-9:
        return None
    return min(curve, key=lambda point: abs(point[0] - at))[1]


def _text(value: float | None, _: Translate) -> str:
    return NOTHING if value is None else number(value, _)
