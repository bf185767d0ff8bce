"""A plan in the reader's language: what is asked for, and about how long it takes."""

import math
from typing import Final

from api.i18n import number, seconds
from api.wording import gettext, ngettext
from experiments.plan import Exponential, Fixed, OpenLoop, Plan, Uniform, Values, Work
from experiments.plan_facts import WORKS, duration_text

_A_JOB_SECONDS: Final = 0.001
_BETWEEN_SECONDS: Final = 1.5


def works() -> dict[str, str]:
    """What a job does, by the plan's name."""
    return {work.value: gettext(text) for work, text in WORKS.items()}


def title(plan: Plan) -> str:
    """The plan's own title, else how many jobs, how often, and what a job does."""
    if plan.title:
        return plan.title
    jobs = ngettext("%(n)s job", "%(n)s jobs", plan.count, n=number(plan.count))
    times = ngettext("%(n)s repetition", "%(n)s repetitions", plan.repetitions, n=number(plan.repetitions))
    work = gettext("no work") if plan.work is Work.NOOP else gettext(WORKS[plan.work])
    took = "" if plan.work is Work.NOOP else f", {duration_text(plan, gettext)}"
    return f"{jobs}, {times}: {work}{took}"


def estimate(plan: Plan | None, concurrency: int) -> str:
    """How many jobs a plan makes in all, and about how long they take with `concurrency` at once; nothing for a
    form with faults."""
    if plan is None:
        return ""
    turns = len(plan.arms) * plan.repetitions
    in_all = ngettext(
        "%(n)s job in all", "%(n)s jobs in all", plan.count * turns, n=number(plan.count * turns)
    )
    about = turns * (_seconds_of(plan, concurrency) + _BETWEEN_SECONDS)
    minutes = max(1, round(about / 60))
    if about < 100:
        return gettext(
            "%(jobs)s, about %(seconds)s.", jobs=in_all, seconds=seconds(math.ceil(about / 10) * 10)
        )
    time = ngettext("%(n)s minute", "%(n)s minutes", minutes, n=number(minutes))
    return gettext("%(jobs)s, about %(seconds)s.", jobs=in_all, seconds=time)


def _seconds_of(plan: Plan, concurrency: int) -> float:
    """How long one arm takes for one repetition, at least."""
    match plan.duration:
        case Fixed(seconds=each):
            mean = each
        case Uniform(low=low, high=high):
            mean = (low + high) / 2
        case Exponential(mean=each):
            mean = each
        case Values(values=values):
            mean = sum(values) / len(values)
    work = 0.0 if plan.work is Work.NOOP else mean
    busy = plan.count * (work / concurrency + _A_JOB_SECONDS)
    return max(busy, plan.count / plan.arrival.rate) if isinstance(plan.arrival, OpenLoop) else busy
