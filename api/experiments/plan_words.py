"""A plan in the reader's language: what is asked for, and about how long it takes."""

import math
from typing import Final

from api.i18n import number, seconds
from api.wording import gettext, ngettext
from experiments.plan import Burst, Exponential, Fixed, OpenLoop, Plan, Uniform, Values

_A_JOB_SECONDS: Final = 0.001
_BETWEEN_SECONDS: Final = 1.5


def works() -> dict[str, str]:
    """What a job does, by the plan's name."""
    return {
        "wait": gettext("waits"),
        "cpu": gettext("computes"),
        "image": gettext("works on an image"),
        "noop": gettext("nothing"),
        "failing": gettext("waits, and some fail"),
    }


def amount(plan: Plan) -> str:
    """How many jobs, how often."""
    jobs = ngettext("%(n)s job", "%(n)s jobs", plan.count, n=number(plan.count))
    times = ngettext("%(n)s repetition", "%(n)s repetitions", plan.repetitions, n=number(plan.repetitions))
    return f"{jobs}, {times}"


def duration(plan: Plan) -> str:
    """What a job does, and how long it takes."""
    work = works()[plan.work.value]
    if plan.work.value == "noop":
        return gettext("no work")
    return f"{work}, {_law(plan)}"


def _law(plan: Plan) -> str:
    match plan.duration:
        case Fixed(seconds=each):
            return seconds(each)
        case Uniform(low=low, high=high):
            return gettext("%(low)s to %(high)s, all equally likely", low=seconds(low), high=seconds(high))
        case Exponential(mean=mean):
            return gettext("exponentially distributed around %(mean)s", mean=seconds(mean))
        case Values(values=values):
            return ngettext(
                "drawn from %(n)s value", "drawn from %(n)s values", len(values), n=number(len(values))
            )


def arrival(plan: Plan) -> str:
    """How the jobs come."""
    match plan.arrival:
        case Burst():
            return gettext("all at once")
        case OpenLoop(rate=rate, spacing="even"):
            return gettext("%(rate)s a second, evenly", rate=number(rate))
        case OpenLoop(rate=rate):
            return gettext("%(rate)s a second, at random times", rate=number(rate))


def facts(plan: Plan) -> list[tuple[str, str]]:
    """What a plan asks for, as names and values."""
    yes, no = gettext("yes"), gettext("no")
    told = [
        (gettext("Jobs"), amount(plan)),
        (gettext("A job"), duration(plan)),
        (gettext("Arrival"), arrival(plan)),
        (
            gettext("Beside the job"),
            ngettext("%(n)s byte", "%(n)s bytes", plan.payload_bytes, n=number(plan.payload_bytes)),
        ),
        (gettext("Seed"), str(plan.seed)),
        (gettext("Warm-up"), yes if plan.warm_up else no),
        (gettext("Equalised"), yes if plan.equalise else no),
        (gettext("Lost after"), seconds(plan.deadline)),
    ]
    if plan.work.value == "failing":
        told.insert(2, (gettext("Share of jobs that fail"), number(plan.p)))
    return told


def part_of_plan(key: str) -> str:
    """What the part `key` of a plan is called."""
    parts = {
        "arms": gettext("Contenders"),
        "jobs": gettext("Jobs"),
        "seconds": gettext("Seconds"),
        "work": gettext("A job"),
        "p": gettext("Share of jobs that fail"),
        "duration": gettext("Duration"),
        "arrival": gettext("Arrival"),
        "payload_bytes": gettext("Beside the job"),
        "repetitions": gettext("Repetitions"),
        "warm_up": gettext("Warm-up"),
        "seed": gettext("Seed"),
        "deadline": gettext("Lost after"),
        "equalise": gettext("Equalised"),
    }
    return parts.get(key, key)


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
    work = 0.0 if plan.work.value == "noop" else mean
    busy = plan.count * (work / concurrency + _A_JOB_SECONDS)
    return max(busy, plan.count / plan.arrival.rate) if isinstance(plan.arrival, OpenLoop) else busy
