"""What the reader's own runs say about a bound."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from experiments.model import Experiment, Interval
from experiments.plan import Burst, Fixed, OpenLoop, Plan, Work
from experiments.verdict import HIGHER_IS_BETTER
from experiments.words import N_, Translate, bounds_text, decimal, named, shown, unit_of
from lab.delivery import Delivery

KEPT: Final = 1
MISSED: Final = -3

_KEPT: Final = N_(
    "Your run of %(arm)s, %(load)s, kept it: %(value)s %(unit)s by its interval, where %(needed)s were asked for."
)
_MISSED: Final = N_(
    "Your run of %(arm)s, %(load)s, did not keep it: %(value)s %(unit)s by its interval, where %(needed)s were asked"
    " for."
)
_BURST: Final = N_("%(jobs)s jobs at once")
_OPEN: Final = N_("%(rate)s jobs a second")


@dataclass(frozen=True)
class Evidence:
    """One method held against a bound, in the experiment of that id."""

    method: str
    experiment_id: str
    text: str
    weight: int


def evidence_for(
    figure: str, needed: float, experiments: Sequence[Experiment], _: Translate, rate: float = 0.0
) -> list[Evidence]:
    """For each method the newest run that kept the bound `needed` of `figure` with its whole interval, or missed
    it with its whole interval.

    Runs that say nothing about it are passed over: of arms that may lose jobs, or did, or whose jobs failed,
    those with the bound within their interval or without one, and those of `_tells`.

    Args:
        experiments: newest first.
        rate: how many jobs a second the reader has, at the busiest; slower runs say nothing of latency.
    """
    found: dict[str, Evidence] = {}
    for experiment in experiments:
        if experiment.status != "DONE":
            continue
        plan = experiment.plan
        for total in experiment.totals:
            arm = plan.arms[total.arm]
            safe = arm.method == "sync" or arm.delivery is Delivery.SAFE
            if arm.method in found or not safe or total.lost or total.failed or figure not in total.figures:
                continue
            interval = _beside_the_work(plan, total.figures[figure], figure)
            kept = _kept(interval, needed, figure)
            if kept is not None and _tells(plan, figure, kept, rate):
                said = _said(plan, total.arm, figure, interval, needed, _)
                text = _(_KEPT if kept else _MISSED) % said
                found[arm.method] = Evidence(arm.method, experiment.id, text, KEPT if kept else MISSED)
    return list(found.values())


def _kept(interval: Interval, needed: float, figure: str) -> bool | None:
    """Whether the bound was kept; None where it lies within the interval, or there is none."""
    low, high = interval.low, interval.high
    if low is None or high is None or low < needed < high:
        return None
    return low >= needed if figure in HIGHER_IS_BETTER else high <= needed


def _tells(plan: Plan, figure: str, kept: bool, rate: float) -> bool:
    """Whether a run of `plan` says something about a bound of `figure`.

    Throughput is of bursts; one whose jobs take time may be held up by them and not by its method, so it can
    only show that a bound was kept. Latency is of open loops, where jobs do not wait for a burst to be over, and
    of a fixed duration, which can be taken off; of slower ones than are needed only that it was missed.
    """
    if figure in HIGHER_IS_BETTER:
        return isinstance(plan.arrival, Burst) and (kept or plan.work is Work.NOOP)
    fixed = isinstance(plan.duration, Fixed) or plan.work is Work.NOOP
    return isinstance(plan.arrival, OpenLoop) and fixed and (plan.arrival.rate >= rate or not kept)


def _beside_the_work(plan: Plan, interval: Interval, figure: str) -> Interval:
    if figure in HIGHER_IS_BETTER or plan.work is Work.NOOP or not isinstance(plan.duration, Fixed):
        return interval
    work = plan.duration.seconds * 1000
    ends = {
        name: None if value is None else max(0.0, value - work)
        for name, value in interval.model_dump().items()
    }
    return Interval.model_validate(ends)


def _said(
    plan: Plan, arm: int, figure: str, interval: Interval, needed: float, _: Translate
) -> dict[str, str]:
    arrival = plan.arrival
    load = (
        _(_OPEN) % {"rate": decimal(f"{arrival.rate:g}", _)}
        if isinstance(arrival, OpenLoop)
        else _(_BURST) % {"jobs": plan.count}
    )
    return {
        "arm": named(plan, arm, _),
        "load": load,
        "value": bounds_text(figure, interval, _),
        "unit": unit_of(figure, _),
        "needed": shown(figure, needed, _),
    }
