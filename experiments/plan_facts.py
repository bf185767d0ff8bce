"""A plan in words, for reports."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from experiments.model import label
from experiments.plan import Burst, Exponential, Fixed, Plan, Uniform, Work
from experiments.words import N_, Translate


class Fact(NamedTuple):
    """A name and its value."""

    name: str
    value: str


_WORK: Final = {
    Work.WAIT: N_("waits"),
    Work.CPU: N_("computes"),
    Work.IMAGE: N_("works on a picture"),
    Work.NOOP: N_("nothing"),
    Work.FAILING: N_("waits, and may fail"),
}


def facts_of(plan: Plan, _: Translate) -> Iterator[Fact]:
    """What the plan asks for, part by part."""
    yield Fact(_(N_("Contenders")), ", ".join(label(plan, arm) for arm in range(len(plan.arms))))
    yield Fact(_(N_("Jobs a contender and repetition")), str(plan.count))
    yield Fact(_(N_("What a job does")), _(_WORK[plan.work]))
    if plan.work is Work.FAILING:
        yield Fact(_(N_("Share of jobs that fail")), f"{plan.p:g}")
    if plan.work is not Work.NOOP:
        yield Fact(_(N_("How long")), _duration(plan, _))
    yield Fact(_(N_("How they come")), _arrival(plan, _))
    yield Fact(_(N_("Payload, bytes")), str(plan.payload_bytes))
    yield Fact(_(N_("Repetitions")), str(plan.repetitions))
    yield Fact(_(N_("Warm-up")), _yes(plan.warm_up, _))
    yield Fact(_(N_("Made alike what can be")), _yes(plan.equalise, _))
    yield Fact(_(N_("Lost after, s")), f"{plan.deadline:g}")
    yield Fact(_(N_("Seed")), str(plan.seed))


def _duration(plan: Plan, _: Translate) -> str:
    match plan.duration:
        case Fixed(seconds=seconds):
            return _(N_("%(seconds)s s")) % {"seconds": f"{seconds:g}"}
        case Uniform(low=low, high=high):
            return _(N_("%(low)s to %(high)s s, all equally likely")) % {
                "low": f"{low:g}",
                "high": f"{high:g}",
            }
        case Exponential(mean=mean):
            return _(N_("exponential, mean %(mean)s s")) % {"mean": f"{mean:g}"}
    return _(N_("drawn from %(count)s values")) % {"count": len(plan.duration.values)}


def _arrival(plan: Plan, _: Translate) -> str:
    if isinstance(plan.arrival, Burst):
        return _(N_("all at once"))
    rate = {"rate": f"{plan.arrival.rate:g}"}
    even = plan.arrival.spacing == "even"
    return _(N_("%(rate)s a second, evenly") if even else N_("%(rate)s a second, by chance (Poisson)")) % rate


def _yes(value: bool, _: Translate) -> str:
    return _(N_("yes")) if value else _(N_("no"))
