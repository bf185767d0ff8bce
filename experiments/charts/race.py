"""The race: how much of its jobs each arm has done. Also while it runs."""

from collections.abc import Mapping, Sequence

from experiments.charts.svg import WIDE, Look, style_of
from experiments.charts.table import NOTHING, TYPICAL, Table, typical
from experiments.charts.timed import timed
from experiments.curves import Curve
from experiments.model import Run, arm_key
from experiments.plan import Plan
from experiments.words import N_, Translate, decimal, untranslated

TITLE = N_("The race")
_ABOUT = N_("The share of its jobs that each has done.")
_SHARES = (0.25, 0.5, 0.75, 0.9, 1.0)


def svg_of(plan: Plan, runs: Sequence[Run], look: Look = WIDE, _: Translate = untranslated) -> str:
    """The chart of a finished experiment; "" where nothing ended."""
    return _drawn(plan, _curves(plan, runs), look, f"{_(_ABOUT)} {_(TYPICAL)}", _)


def live(
    plan: Plan,
    curves: Mapping[str, Sequence[tuple[float, float]]],
    look: Look = WIDE,
    _: Translate = untranslated,
) -> str:
    """The chart of a running turn, from each arm's curve by its key; the axes alone before anyone has begun."""
    by_arm: dict[int, Curve] = {
        arm: list(curves.get(arm_key(plan, arm), ())) or [(0.0, 0.0)] for arm in range(len(plan.arms))
    }
    return _drawn(plan, by_arm, look, _(_ABOUT), _)


def table_of(plan: Plan, runs: Sequence[Run], _: Translate = untranslated) -> Table:
    """The seconds after which each had done a share of its jobs."""
    head = (_(N_("Contender")), *(f"{share * 100:.0f} %, {_(N_('s'))}" for share in _SHARES))
    rows = tuple(
        (style_of(plan, arm, _).label, *(_reached(curve, share, _) for share in _SHARES))
        for arm, curve in _curves(plan, runs).items()
    )
    return Table(head, rows)


def _drawn(plan: Plan, curves: dict[int, Curve], look: Look, about: str, _: Translate) -> str:
    return timed(plan, curves, look, "race", _(TITLE), about, _(N_("done, %")), _, share=True)


def _curves(plan: Plan, runs: Sequence[Run]) -> dict[int, Curve]:
    return {arm: run.figures.done_curve for arm, run in typical(plan, runs).items()}


def _reached(curve: Curve, share: float, _: Translate) -> str:
    return next((decimal(f"{at:.2f}", _) for at, done in curve if done >= share - 1e-9), NOTHING)
