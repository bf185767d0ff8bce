"""The picture of a fault run: one axis of time, a lane for each contender with a mark for each job, and below it how
many messages its queue held and how many jobs ended in each second. Works on a document that still grows, too."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from experiments.charts.axes import Scale, linear
from experiments.charts.svg import DASHES, FONT, INK, LINE, SOFT, ChartSize, element, path, picture, text
from experiments.tables import NOTHING, Table, plain
from experiments.words import N_, Translate, decimal, number, untranslated
from faults.document import Fate, FaultDocument, JobMark, label_of_arm
from transports.methods import METHODS

Link = Callable[[str, int], str]
"""The address of a job's history, from its arm and number; "" where there is none."""

PHASES: Final = {"baseline": N_("baseline"), "fault": N_("fault"), "recovery": N_("recovery")}
FATES: Final = {
    Fate.DONE: N_("done once"),
    Fate.LOST: N_("lost"),
    Fate.DOUBLED: N_("ran twice"),
    Fate.HELD: N_("still held"),
    Fate.WAITING: N_("waiting"),
}
"""What becomes of a job."""

_BAD: Final = "var(--bad, #b3261e)"
_WARN: Final = "var(--warn, #8a5a00)"
_SHAPES: Final = {
    Fate.DONE: "M-2.6 0a2.6 2.6 0 1 0 5.2 0a2.6 2.6 0 1 0 -5.2 0z",
    Fate.LOST: "M-4 -4L4 4M-4 4L4 -4",
    Fate.DOUBLED: "M-5.5 0L0 -5.5L5.5 0L0 5.5zM-2 0L0 -2L2 0L0 2z",
    Fate.HELD: "M-3.4 -3.4h6.8v6.8h-6.8z",
    Fate.WAITING: "M-2.6 0a2.6 2.6 0 1 0 5.2 0a2.6 2.6 0 1 0 -5.2 0z",
}
"""Told apart by their forms, and by colour besides."""
_SIDE: Final = 8.0
_TOP: Final = 26.0
_TITLE: Final = 20.0
_LANE: Final = 92.0
_STRIP: Final = 34.0
_WORDS: Final = 14.0
_GAP: Final = 20.0
_FOOT: Final = 40.0

_QUEUED: Final = N_("in the queue")
_ENDED: Final = N_("ended")
_MOST_QUEUED: Final = N_("in the queue, at most")
_MOST_ENDED: Final = N_("ended in a second, at most")
_NAME: Final = N_("What became of each job")
_ABOUT: Final = N_(
    "Time goes from left to right. Each contender has a lane with a mark for each job, the first one on top, where it"
    " ended; thin lines are its runs. Below it: messages in the queue, and jobs that ended in each second."
)


def arm_label(arm: str, _: Translate = untranslated) -> str:
    """What the contender is called."""
    return _(label_of_arm(arm))


def end_of(document: FaultDocument) -> float:
    """The last second that is shown; at least one. Once the run has ended, what was waited for in vain is left out."""
    shown = [span for phase, span in document.phases.items() if phase != "recovery" or not document.ended]
    moments = [at for span in shown for at in span if at is not None]
    for mark in (mark for marks in document.marks.values() for mark in marks):
        moments += [end for _begin, end, _worker in mark.runs if end is not None]
        moments += [] if document.ended else [mark.at]
    return max([*moments, 1.0]) * (1.03 if document.ended else 1.0)


def counts_of(document: FaultDocument, arm: str) -> Counter[Fate]:
    """How many of the arm's jobs have which fate."""
    return Counter(mark.status for mark in document.marks.get(arm, ()))


def throughput(document: FaultDocument, arm: str) -> list[int]:
    """How many runs of the arm's jobs ended in each second, from the first on."""
    runs = (run for mark in document.marks.get(arm, ()) for run in mark.runs)
    per_second = Counter(math.floor(end) for _begin, end, _worker in runs if end is not None)
    return [per_second[second] for second in range(math.ceil(end_of(document)))]


def draw(
    document: FaultDocument,
    look: ChartSize,
    _: Translate = untranslated,
    link: Link = lambda _arm, _job: "",
) -> str:
    """The picture."""
    arms = list(document.arms)
    x = linear(end_of(document), _SIDE, look.width - _SIDE, _, 8 if look.width > 500 else 4)
    below, parts = _TOP, []
    for place, arm in enumerate(arms):
        parts.append(_lane(document, arm, place, x, below, look, _, link))
        below += _TITLE + _LANE + 2 * _STRIP + _GAP
    bottom = below - _GAP + 6
    return picture(
        look,
        "fault",
        _(_NAME),
        f"{_(_ABOUT)} {_said(document, arms, _)}",
        _phases(document, x, bottom, look, _),
        *parts,
        _axis(x, bottom, look, _),
        height=bottom + _FOOT,
    )


def legend(_: Translate = untranslated) -> list[tuple[str, str, str]]:
    """Each fate: its name, its mark as a picture of its own, and what it is called."""
    return [(fate.value, _alone(fate), _(words)) for fate, words in FATES.items()]


def runs_said(mark: JobMark, _: Translate = untranslated) -> str:
    """When each run of a job began and ended, in seconds, and on which worker."""
    said = (f"{seconds(begin, _)}\N{EN DASH}{seconds(end, _)} {worker}" for begin, end, worker in mark.runs)
    return "; ".join(said) or NOTHING


def seconds_table(document: FaultDocument, _: Translate = untranslated) -> Table:
    """Each second: messages in the queue at its end, and jobs that ended in it, by contender."""
    arms = list(document.arms)
    ended = {arm: throughput(document, arm) for arm in arms}
    head = [_(N_("Second"))]
    for arm in arms:
        head += [f"{arm_label(arm, _)}: {_(_QUEUED)}", f"{arm_label(arm, _)}: {_(_ENDED)}"]
    rows = []
    for second in range(math.ceil(end_of(document))):
        row = [str(second + 1)]
        for arm in arms:
            points = [n for at, n in document.depth.get(arm, ()) if at <= second + 1]
            row += [number(points[-1], _) if points else NOTHING, str(ended[arm][second])]
        rows.append(row)
    return plain(_(N_("Queue and throughput by the second")), head, rows)


def seconds(value: float | None, _: Translate = untranslated) -> str:
    """Seconds with two decimals; a dash for None."""
    return NOTHING if value is None else decimal(f"{value:.2f}", _)


def _said(document: FaultDocument, arms: Sequence[str], _: Translate) -> str:
    return " ".join(f"{arm_label(arm, _)}: {_counted(counts_of(document, arm), _)}." for arm in arms)


def _counted(counts: Counter[Fate], _: Translate) -> str:
    return ", ".join(f"{_(words)} {counts[fate]}" for fate, words in FATES.items() if counts[fate])


def _phases(document: FaultDocument, x: Scale, bottom: float, look: ChartSize, _: Translate) -> str:
    """The names of the phases, and the band of the fault, hatched."""
    hatch, parts = f"{look.prefix}-fault-hatch", []
    lines = element(
        "path", d="M-2 2l4-4M0 8l8-8M6 10l4-4", stroke=_BAD, stroke_width=1, stroke_opacity="0.28"
    )
    parts.append(element("pattern", lines, id=hatch, width=8, height=8, patternUnits="userSpaceOnUse"))
    for phase, words in PHASES.items():
        begin, end = document.phases.get(phase, (None, None))
        if begin is None:
            continue
        left, right = x.at(begin), x.at(end_of(document) if end is None else end)
        if phase == "fault":
            size = {"x": left, "y": _TOP - 8, "width": max(1.5, right - left), "height": bottom - _TOP + 8}
            parts.append(element("rect", **size, fill=_BAD, fill_opacity="0.06"))
            parts.append(element("rect", **size, fill=f"url(#{hatch})", stroke=_BAD, stroke_opacity="0.45"))
        fits = phase == "fault" or right - left > len(_(words)) * 6.4 + 8
        if fits:
            middle = min(max((left + right) / 2, 22), look.width - 22)
            look_of: dict[str, str | float | None] = (
                {"fill": _BAD, "font_weight": 600} if phase == "fault" else {}
            )
            parts.append(text(_(words), middle, 12, text_anchor="middle", **look_of))
    return element("g", *parts)


def _lane(
    document: FaultDocument,
    arm: str,
    place: int,
    x: Scale,
    top: float,
    look: ChartSize,
    _: Translate,
    link: Link,
) -> str:
    colour = METHODS[arm.split(":", 1)[0]].colour
    label = arm_label(arm, _)
    parts = [text(label, _SIDE, top + 13, fill=colour, font_weight=600)]
    if look.width > 500:
        parts.append(
            text(_counted(counts_of(document, arm), _), look.width - _SIDE, top + 13, text_anchor="end")
        )
    top += _TITLE
    ground = {"x": _SIDE, "y": top, "width": look.width - 2 * _SIDE, "height": _LANE}
    parts.append(element("rect", **ground, fill="none", stroke=LINE))
    marks = document.marks.get(arm, ())
    step = (_LANE - 10) / max(1, len(marks))
    runs, dots = [], []
    for index, mark in enumerate(marks):
        y = top + 5 + step * (index + 0.5)
        runs += [
            f"M{x.at(begin):.1f} {y:.1f}H{x.at(mark.at if over is None else over):.1f}"
            for begin, over, _worker in mark.runs
        ]
        dots.append(_mark(mark, x.at(mark.at), y, colour, link(arm, mark.job), _))
    if runs:
        parts.append(element("path", d="".join(runs), stroke=colour, stroke_width=1.2, stroke_opacity="0.5"))
    below = top + _LANE
    parts += dots
    parts.append(_depth(document, arm, x, below, colour, DASHES[place % len(DASHES)], _))
    parts.append(_bars(document, arm, x, below + _STRIP, colour, _))
    return element("g", *parts, data_arm=arm)


def _mark(mark: JobMark, x: float, y: float, colour: str, address: str, _: Translate) -> str:
    shape = element("path", d=_SHAPES[mark.status], **_look(mark.status, colour))
    place = f"translate({x:.1f} {y:.1f})"
    if not address:
        return element("g", shape, transform=place)
    # By the keyboard jobs are reached in the table, not by hundreds of stops here.
    name = element("title", f"{mark.job}: {_(FATES[mark.status])}")
    return element("a", name, shape, href=address, tabindex="-1", transform=place)


def _look(fate: Fate, colour: str) -> dict[str, str | float | None]:
    match fate:
        case Fate.DONE:
            return {"fill": colour}
        case Fate.LOST:
            return {"fill": "none", "stroke": _BAD, "stroke_width": 2}
        case Fate.DOUBLED:
            return {"fill": _WARN, "fill_rule": "evenodd"}
        case Fate.HELD:
            return {"fill": "none", "stroke": INK, "stroke_width": 1.4}
        case _:
            return {"fill": "none", "stroke": SOFT, "stroke_width": 1.2}


def _alone(fate: Fate) -> str:
    shape = element("path", d=_SHAPES[fate], transform="translate(7 7)", **_look(fate, "currentColor"))
    return element(
        "svg", shape, viewBox="0 0 14 14", width=14, height=14, aria_hidden="true", font_family=FONT
    )


def _depth(
    document: FaultDocument, arm: str, x: Scale, top: float, colour: str, dash: str, _: Translate
) -> str:
    points = [(at, n) for at, n in document.depth.get(arm, ()) if at <= end_of(document)]
    most = max((n for _at, n in points), default=0)
    said = text(f"{_(_MOST_QUEUED)} {number(most, _)}", _SIDE + 4, top + 11, font_size=10)
    if not points or not most:
        return said
    steps: list[tuple[float, float]] = []
    for at, n in points:
        height = top + _STRIP - 2 - n / most * (_STRIP - _WORDS - 2)
        if steps:
            steps.append((x.at(at), steps[-1][1]))
        steps.append((x.at(at), height))
    line = element(
        "path", d=path(steps), fill="none", stroke=colour, stroke_width=1.5, stroke_dasharray=dash or None
    )
    return line + said


def _bars(document: FaultDocument, arm: str, x: Scale, top: float, colour: str, _: Translate) -> str:
    ended = throughput(document, arm)
    most = max(ended, default=0)
    bars = [
        element(
            "rect",
            x=x.at(second) + 0.5,
            y=top + _STRIP - n / most * (_STRIP - _WORDS - 2),
            width=max(0.5, x.at(second + 1) - x.at(second) - 1),
            height=n / most * (_STRIP - _WORDS - 2),
            fill=colour,
            fill_opacity="0.35",
        )
        for second, n in enumerate(ended)
        if n
    ]
    said = text(f"{_(_MOST_ENDED)} {number(most, _)}", _SIDE + 4, top + 11, font_size=10)
    ground = element("path", d=f"M{_SIDE} {top + _STRIP}H{x.at(end_of(document)):.1f}", stroke=LINE)
    return "".join(bars) + ground + said


def _axis(x: Scale, bottom: float, look: ChartSize, _: Translate) -> str:
    parts = [element("path", d=f"M{_SIDE} {bottom}H{look.width - _SIDE}", stroke=INK)]
    for value, words in x.ticks:
        parts.append(element("path", d=f"M{x.at(value):.1f} {bottom}v5", stroke=INK))
        parts.append(
            text(words, min(max(x.at(value), 10), look.width - 12), bottom + 17, text_anchor="middle")
        )
    parts.append(text(_(N_("seconds since the begin")), look.width / 2, bottom + 33, text_anchor="middle"))
    return element("g", *parts)
