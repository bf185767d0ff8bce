"""What the reader's own runs say about a bound."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from experiments.model import Experiment, label
from experiments.plan import Burst, Fixed, OpenLoop, Plan, Work
from experiments.verdict import HIGHER_IS_BETTER
from experiments.words import N_, Translate, shown, unit_of
from lab.delivery import Delivery

KEPT: Final = 1
MISSED: Final = -3

_KEPT: Final = N_(
    "Your run of %(arm)s, %(load)s, kept it: %(value)s %(unit)s, where %(needed)s were asked for."
)
_MISSED: Final = N_(
    "Your run of %(arm)s, %(load)s, did not keep it: %(value)s %(unit)s, where %(needed)s were asked for."
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
    figure: str, needed: float, experiments: Sequence[Experiment], _: Translate
) -> list[Evidence]:
    """For each method a run among `experiments` that kept the bound `needed` of `figure`, or else one that did
    not; the first of them.

    Runs that say nothing about it are passed over: of arms that may lose jobs, and those of `_tells`.
    """
    found: dict[str, Evidence] = {}
    for experiment in experiments:
        if experiment.status != "DONE":
            continue
        for total in experiment.totals:
            arm = experiment.plan.arms[total.arm]
            safe = arm.method == "sync" or arm.delivery is Delivery.SAFE
            if not safe or total.lost or figure not in total.figures:
                continue
            value = _value(experiment.plan, total.figures[figure].value, figure)
            kept = value >= needed if figure in HIGHER_IS_BETTER else value <= needed
            best = found.get(arm.method)
            if _tells(experiment.plan, figure, kept) and (best is None or (kept and best.weight < KEPT)):
                said = _said(experiment.plan, total.arm, figure, value, needed, _)
                text = _(_KEPT if kept else _MISSED) % said
                found[arm.method] = Evidence(arm.method, experiment.id, text, KEPT if kept else MISSED)
    return list(found.values())


def _tells(plan: Plan, figure: str, kept: bool) -> bool:
    """Whether a run of `plan` says something about a bound of `figure`.

    Throughput is of bursts; one whose jobs take time may be held up by them and not by its method, so it can
    only show that a bound was kept. Latency is of open loops, where jobs do not wait for a burst to be over, and
    of a fixed duration, which can be taken off.
    """
    if figure in HIGHER_IS_BETTER:
        return isinstance(plan.arrival, Burst) and (kept or plan.work is Work.NOOP)
    return isinstance(plan.arrival, OpenLoop) and (isinstance(plan.duration, Fixed) or plan.work is Work.NOOP)


def _value(plan: Plan, value: float, figure: str) -> float:
    if figure in HIGHER_IS_BETTER or plan.work is Work.NOOP or not isinstance(plan.duration, Fixed):
        return value
    return max(0.0, value - plan.duration.seconds * 1000)


def _said(plan: Plan, arm: int, figure: str, value: float, needed: float, _: Translate) -> dict[str, str]:
    arrival = plan.arrival
    load = (
        _(_OPEN) % {"rate": f"{arrival.rate:g}"}
        if isinstance(arrival, OpenLoop)
        else _(_BURST) % {"jobs": plan.count}
    )
    return {
        "arm": label(plan, arm),
        "load": load,
        "value": shown(figure, value),
        "unit": unit_of(figure, _),
        "needed": shown(figure, needed),
    }
