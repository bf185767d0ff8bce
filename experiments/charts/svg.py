"""SVG by hand: elements with escaped texts, and how an arm looks in a picture."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, NamedTuple

from experiments.model import ArmTurn, label
from experiments.plan import Plan
from experiments.tables import Table
from experiments.words import Translate, untranslated
from transports.methods import METHODS

FONT: Final = "system-ui, -apple-system, Segoe UI, Roboto, Noto Sans, Liberation Sans, sans-serif"
INK: Final = "var(--ink, #1c1e22)"
SOFT: Final = "var(--ink-soft, #585e68)"
LINE: Final = "var(--line, #e3e3de)"
DASHES: Final = ("", "7 4", "2 3", "11 3 2 3", "14 5", "5 2 1 2 1 2")
HATCHES: Final = (
    "M0 0h8v8h-8z",
    "M-2 2l4-4M0 8l8-8M6 10l4-4",
    "M0 4h8",
    "M-2 6l4 4M0 0l8 8M6-2l4 4",
    "M4 0v8",
    "M0 4h8M4 0v8",
)
"""The pattern that fills an arm's bars, in a square of eight; the first is filled whole."""


@dataclass(frozen=True)
class Style:
    """How an arm is told from the others: by its method's colour, and without any colour by its dashes and its
    hatching."""

    label: str
    colour: str
    dash: str
    hatch: str
    solid: bool


@dataclass(frozen=True)
class ChartSize:
    """The size of a picture, in pixels; `prefix` keeps ids apart where a page has a chart twice."""

    width: int = 720
    height: int = 320
    prefix: str = "chart"


WIDE: Final = ChartSize()
SLIM: Final = ChartSize(width=360, height=280, prefix="slim")
"""For a screen as narrow as a phone's."""


class Kind(NamedTuple):
    """A kind of chart: what draws it, "" where there is nothing to show, and what makes the table of its numbers."""

    key: str
    title: str
    draw: Callable[[Plan, Sequence[ArmTurn], ChartSize, Translate], str]
    table: Callable[[Plan, Sequence[ArmTurn], Translate], Table]


def style_of(plan: Plan, arm: int, _: Translate = untranslated) -> Style:
    """The style of the arm at that place of the plan, with its label in the language of `_`."""
    return Style(
        label=label(plan, arm, _),
        colour=METHODS[plan.arms[arm].method].colour,
        dash=DASHES[arm % len(DASHES)],
        hatch=HATCHES[arm % len(HATCHES)],
        solid=arm % len(HATCHES) == 0,
    )


def element(name: str, *inside: str, **attributes: str | float | None) -> str:
    """An element with `inside` as it is; an attribute of None is left out, and of `stroke_width` it makes
    stroke-width."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{written}>{''.join(inside)}</{name}>" if inside else f"<{name}{written}/>"


def text(words: str, x: float, y: float, **attributes: str | float | None) -> str:
    """Words at a place, in the soft colour unless `fill` is given."""
    return element("text", escape(words), x=x, y=y, **{"fill": SOFT, **attributes})


def path(points: Iterable[tuple[float, float]]) -> str:
    """The `d` of a line through `points`."""
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def sample(plan: Plan, arm: int) -> str:
    """A bit of the arm's line, as the charts draw it."""
    style = style_of(plan, arm)
    dash = style.dash or None
    line = element("path", d="M0 5h26", stroke=style.colour, stroke_width=2.5, stroke_dasharray=dash)
    return element("svg", line, width=26, height=10, viewBox="0 0 26 10", aria_hidden="true")


def picture(
    look: ChartSize, key: str, title: str, description: str, *inside: str, height: float | None = None
) -> str:
    """The whole drawing, named and described for those who do not see it."""
    name, about = f"{look.prefix}-{key}-title", f"{look.prefix}-{key}-about"
    tall = look.height if height is None else height
    return element(
        "svg",
        element("title", escape(title), id=name),
        element("desc", escape(description), id=about),
        *inside,
        viewBox=f"0 0 {look.width} {tall:g}",
        role="img",
        aria_labelledby=f"{name} {about}",
        font_family=FONT,
        font_size=12,
    )


def _value(value: str | float) -> str:
    return escape(value) if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")
