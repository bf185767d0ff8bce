"""How evenly the jobs were spread over the workers."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from experiments.charts.lines import Room
from experiments.charts.scale import Linear, rounded_up
from experiments.charts.svg import INK, LINE, WIDE, Look, Style, element, picture, style_of, text
from experiments.charts.table import Table
from experiments.model import Run
from experiments.plan import Plan
from experiments.totals import counted
from experiments.words import N_, Translate, decimal, untranslated

TITLE = N_("Jobs by worker")
_ABOUT = N_("Jobs that each worker ended, in all repetitions together.")
_MOST: Final = 12
"""Bars an arm; the table has all of them."""

_ROW: Final = 22.0
_BAR: Final = 14.0
_HEAD: Final = 26.0


def svg_of(plan: Plan, runs: Sequence[Run], look: Look = WIDE, _: Translate = untranslated) -> str:
    """The chart, a bar for each worker below the name of its arm; "" where nobody ended a job."""
    jobs = {arm: found for arm in range(len(plan.arms)) if (found := _jobs(runs, arm))}
    if not jobs:
        return ""
    left = min(180.0, look.width * 0.32)
    letters = int(left / 6.6)
    scale = Linear(
        rounded_up(max(max(found.values()) for found in jobs.values())),
        left,
        look.width - 56.0,
        6 if look.width > 500 else 3,
    )
    parts, below = [], 4.0
    for arm, found in jobs.items():
        style, hatch = style_of(plan, arm, _), f"{look.prefix}-hatch-{arm}"
        parts += [_hatch(style, hatch), text(style.label, 0, below + 16, fill=style.colour, font_weight=600)]
        below += _HEAD
        for worker, count in found.most_common(_MOST):
            parts.append(_bar(worker, count, letters, scale, below, style, hatch))
            below += _ROW
        if len(found) > _MOST:
            parts.append(text(_(N_("and %(n)s more")) % {"n": len(found) - _MOST}, left, below + 14))
            below += _ROW
    room = Room(left, look.width - 56.0, 0, below + 6)
    return picture(
        look, "workers", _(TITLE), _(_ABOUT), _axis(room, scale, _(N_("jobs")), _), *parts, height=below + 48
    )


def table_of(plan: Plan, runs: Sequence[Run], _: Translate = untranslated) -> Table:
    """All workers with their jobs, and each one's share of its arm's."""
    rows = []
    for arm in range(len(plan.arms)):
        found = _jobs(runs, arm)
        rows += [
            (
                style_of(plan, arm, _).label,
                worker,
                str(count),
                decimal(f"{count / found.total() * 100:.1f}", _),
            )
            for worker, count in found.most_common()
        ]
    head = (N_("Contender"), N_("Worker"), N_("Jobs"), N_("Share, %"))
    return Table(tuple(_(words) for words in head), tuple(rows))


def _jobs(runs: Sequence[Run], arm: int) -> Counter[str]:
    found: Counter[str] = Counter()
    for run in counted(runs, arm):
        found.update(run.figures.per_worker)
    return found


def _hatch(style: Style, name: str) -> str:
    ground = element("rect", width=8, height=8, fill=style.colour, fill_opacity="0.16")
    lines = element(
        "path",
        d=style.hatch,
        fill=style.colour if style.solid else "none",
        fill_opacity="0.75" if style.solid else None,
        stroke=None if style.solid else style.colour,
        stroke_width=None if style.solid else 2,
    )
    return element("pattern", ground, lines, id=name, width=8, height=8, patternUnits="userSpaceOnUse")


def _bar(worker: str, count: int, letters: int, scale: Linear, y: float, style: Style, hatch: str) -> str:
    name = worker if len(worker) <= letters else f"{worker[: letters - 1]}…"
    end = scale.at(count)
    return (
        text(name, scale.begin - 8, y + 12, text_anchor="end")
        + element(
            "rect",
            x=scale.begin,
            y=y + 1,
            width=end - scale.begin,
            height=_BAR,
            fill=f"url(#{hatch})",
            stroke=style.colour,
        )
        + text(f"{count:,}".replace(",", "\N{NARROW NO-BREAK SPACE}"), end + 6, y + 12, fill=INK)
    )


def _axis(room: Room, scale: Linear, unit: str, _: Translate) -> str:
    parts = [
        element("path", d=f"M{scale.at(value):.1f} {room.top}V{room.bottom}", stroke=LINE, stroke_width=1)
        + text(words, scale.at(value), room.bottom + 16, text_anchor="middle")
        for value, words in scale.ticks(_)
    ]
    parts.append(text(unit, (room.left + room.right) / 2, room.bottom + 34, text_anchor="middle"))
    return element("g", *parts, fill="none")
