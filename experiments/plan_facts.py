"""A plan in words."""

from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Final, NamedTuple

from experiments.model import label
from experiments.plan import (
    Burst,
    ExponentialDuration,
    FixedDuration,
    Plan,
    Reports,
    Uniform,
    Values,
    Workload,
)
from experiments.words import N_, Translate, decimal


class PlanFact(NamedTuple):
    """A name and its value."""

    name: str
    value: str


WORKS: Final = {
    Workload.WAIT: N_("waits"),
    Workload.CPU: N_("computes"),
    Workload.IMAGE: N_("works on an image"),
    Workload.NOOP: N_("nothing"),
    Workload.FAILING: N_("waits, and some fail"),
}
REPORTS: Final = {
    Reports.BESIDE: N_("beside the path"),
    Reports.IN_PATH: N_("in the path"),
}
_NAMES: Final = (
    N_("Contenders"),
    N_("Jobs a contender and repetition"),
    N_("What a job does"),
    N_("Share of jobs that fail"),
    N_("How long it takes"),
    N_("How they come"),
    N_("Reports"),
    N_("Bytes beside the job"),
    N_("Repetitions"),
    N_("Warm-up"),
    N_("Equalised"),
    N_("Lost after, seconds"),
    N_("Equal within, %"),
    N_("Seed"),
)


def facts_of(plan: Plan, _: Translate) -> Iterator[PlanFact]:
    """What the plan asks for, part by part; what says nothing, such as the length of no work, is left out."""
    values = (
        "; ".join(label(plan, arm, _) for arm in range(len(plan.arms))),
        str(plan.count),
        _(WORKS[plan.work]),
        _plain(plan.p, _) if plan.work is Workload.FAILING else "",
        "" if plan.work is Workload.NOOP else duration_text(plan, _),
        arrival_text(plan, _),
        _(REPORTS[plan.reports]),
        str(plan.payload_bytes),
        str(plan.repetitions),
        _yes(plan.warm_up, _),
        _yes(plan.equalise, _),
        _plain(plan.deadline, _),
        _plain(100 * plan.margin, _),
        str(plan.seed),
    )
    return (PlanFact(_(name), value) for name, value in zip(_NAMES, values, strict=True) if value)


def duration_text(plan: Plan, _: Translate) -> str:
    """How long a job takes."""
    match plan.duration:
        case FixedDuration(seconds=seconds):
            return _(N_("%(seconds)s s")) % {"seconds": _plain(seconds, _)}
        case Uniform(low=low, high=high):
            bounds = {"low": _plain(low, _), "high": _plain(high, _)}
            return _(N_("%(low)s to %(high)s s, all equally likely")) % bounds
        case ExponentialDuration(mean=mean):
            return _(N_("exponentially distributed around %(mean)s s")) % {"mean": _plain(mean, _)}
        case Values(values=values):
            return _drawn(values, _)


def arrival_text(plan: Plan, _: Translate) -> str:
    """How the jobs come."""
    if isinstance(plan.arrival, Burst):
        return _(N_("all at once"))
    even, share, capacity = plan.arrival.spacing == "even", plan.arrival.share, plan.arrival.capacity
    if share is not None and capacity is None:
        told = (
            N_("at %(share)s %% of the capacity, evenly")
            if even
            else N_("at %(share)s %% of the capacity, at random times")
        )
        return _(told) % {"share": _plain(100 * share, _)}
    said = _(N_("%(rate)s a second, evenly") if even else N_("%(rate)s a second, at random times"))
    said %= {"rate": _plain(plan.arrival.rate, _)}
    if share is None or capacity is None:
        return said
    of = _(N_("%(share)s %% of the measured %(capacity)s"))
    return f"{said}, {of % {'share': _plain(100 * share, _), 'capacity': _plain(capacity, _)}}"


def _drawn(values: Sequence[float], _: Translate) -> str:
    told = {"low": min(values), "high": max(values), "mean": fmean(values)}
    return _(N_("drawn from %(count)s values, from %(low)s to %(high)s s, mean %(mean)s s")) % {
        "count": len(values),
        **{name: _plain(value, _) for name, value in told.items()},
    }


def _plain(value: float, _: Translate) -> str:
    return decimal(f"{value:g}", _)


def _yes(value: bool, _: Translate) -> str:
    return _(N_("yes")) if value else _(N_("no"))
