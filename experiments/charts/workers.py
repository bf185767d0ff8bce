"""How evenly the jobs were spread over the workers."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from experiments.charts.axes import Scale, linear, rounded_up
from experiments.charts.svg import INK, LINE, ChartSize, Kind, Style, element, picture, style_of, text
from experiments.model import ArmTurn, label
from experiments.plan import Plan
from experiments.tables import Table, plain
from experiments.totals import counted
from experiments.words import N_, Translate, decimal, number

_TITLE: Final = N_("Jobs by worker")
_ABOUT: Final = N_("Jobs that each worker ended, in all repetitions together.")
_MOST: Final = 12
"""Bars an arm; the table has all of them."""

_ROW: Final = 22.0
_BAR: Final = 14.0
_HEAD: Final = 26.0


def _draw(plan: Plan, runs: Sequence[ArmTurn], look: ChartSize, _: Translate) -> str:
    """A bar for each worker below the name of its arm; "" where nobody ended a job."""
    jobs = {arm: found for arm in range(len(plan.arms)) if (found := _jobs(runs, arm))}
    if not jobs:
        return ""
    left, right = min(180.0, look.width * 0.32), look.width - 56.0
    top = rounded_up(max(max(found.values()) for found in jobs.values()))
    scale = linear(top, left, right, _, 6 if look.width > 500 else 3)
    parts, below = [], 4.0
    for arm, found in jobs.items():
        style, hatch = style_of(plan, arm, _), f"{look.prefix}-hatch-{arm}"
        parts += [_hatch(style, hatch), text(style.label, 0, below + 16, fill=style.colour, font_weight=600)]
        below += _HEAD
        for worker, count in found.most_common(_MOST):
            parts.append(_bar(worker, count, left, scale.at(count), below, style, hatch))
            below += _ROW
        if len(found) > _MOST:
            parts.append(text(_(N_("and %(n)s more")) % {"n": len(found) - _MOST}, left, below + 14))
            below += _ROW
    axis = [
        *_ticks(scale, below + 6),
        text(_(N_("jobs")), (left + right) / 2, below + 40, text_anchor="middle"),
    ]
    drawing = element("g", *axis, fill="none")
    return picture(look, "workers", _(_TITLE), _(_ABOUT), drawing, *parts, height=below + 48)


def _table(plan: Plan, runs: Sequence[ArmTurn], _: Translate) -> Table:
    """All workers with their jobs, and each one's share of its arm's."""
    rows = []
    for arm in range(len(plan.arms)):
        found = _jobs(runs, arm)
        for worker, count in found.most_common():
            share = decimal(f"{count / found.total() * 100:.1f}", _)
            rows.append((label(plan, arm, _), worker, number(count, _), share))
    head = (N_("Contender"), N_("Worker"), N_("Jobs"), N_("Share, %"))
    return plain(_(_TITLE), [_(words) for words in head], rows)


def _jobs(runs: Sequence[ArmTurn], arm: int) -> Counter[str]:
    found: Counter[str] = Counter()
    for run in counted(runs, arm):
        found.update(run.figures.per_worker)
    return found


def _hatch(style: Style, name: str) -> str:
    ground = element("rect", width=8, height=8, fill=style.colour, fill_opacity="0.16")
    look: dict[str, str | float | None] = (
        {"fill": style.colour, "fill_opacity": "0.75"}
        if style.solid
        else {"fill": "none", "stroke": style.colour, "stroke_width": 2}
    )
    lines = element("path", d=style.hatch, **look)
    return element("pattern", ground, lines, id=name, width=8, height=8, patternUnits="userSpaceOnUse")


def _bar(worker: str, count: int, left: float, end: float, y: float, style: Style, hatch: str) -> str:
    letters = int(left / 6.6)
    name = worker if len(worker) <= letters else f"{worker[: letters - 1]}…"
    size = {"x": left, "y": y + 1, "width": end - left, "height": _BAR}
    return (
        text(name, left - 8, y + 12, text_anchor="end")
        + element("rect", **size, fill=f"url(#{hatch})", stroke=style.colour)
        + text(number(count), end + 6, y + 12, fill=INK)
    )


def _ticks(scale: Scale, bottom: float) -> list[str]:
    return [
        element("path", d=f"M{scale.at(value):.1f} 0V{bottom}", stroke=LINE, stroke_width=1)
        + text(words, scale.at(value), bottom + 16, text_anchor="middle")
        for value, words in scale.ticks
    ]


WORKERS: Final = Kind("workers", _TITLE, _draw, _table)
