"""A plan and its run in the reader's language: what is asked for, how long it takes, and how far it is."""

import math
import re
from typing import Final

from api.web.i18n import duration as measured
from api.web.i18n import moment, number, seconds
from api.web.wording import gettext, ngettext
from experiments.model import Experiment
from experiments.plan import OpenLoop, Plan, Workload
from experiments.plan_facts import WORKS, duration_text
from experiments.troubles import trouble_text
from experiments.words import in_language
from lab.clock import to_iso

_A_JOB_SECONDS: Final = 0.001
_BETWEEN_SECONDS: Final = 1.5
_STEP: Final = re.compile(
    r"(?:warm-up|(?P<capacity>measuring the capacity)|turn (?P<turn>[0-9]+) of (?P<all>[0-9]+)), (?P<arm>[^;]+)"
    r"(?:; beyond capacity: (?P<offered>[0-9]+)/s offered, (?P<done>[0-9]+)/s done)?"
)


def works() -> dict[str, str]:
    """What a job does, by the plan's name."""
    return {work.value: gettext(text) for work, text in WORKS.items()}


def title(plan: Plan) -> str:
    """The plan's own title, else how many jobs, how often, and what a job does."""
    if plan.title:
        return plan.title
    jobs = ngettext("%(n)s job", "%(n)s jobs", plan.count, n=number(plan.count))
    times = ngettext("%(n)s repetition", "%(n)s repetitions", plan.repetitions, n=number(plan.repetitions))
    work = gettext("no work") if plan.work is Workload.NOOP else gettext(WORKS[plan.work])
    took = "" if plan.work is Workload.NOOP else f", {duration_text(plan, gettext)}"
    return f"{jobs}, {times}: {work}{took}"


def estimate(plan: Plan | None, concurrency: int) -> str:
    """How many jobs a plan makes in all, and about how long they take with `concurrency` at once; nothing for a
    form with faults."""
    if plan is None:
        return ""
    turns = len(plan.arms) * plan.repetitions
    if isinstance(plan.arrival, OpenLoop) and plan.arrival.share is not None and plan.seconds is not None:
        time = seconds(math.ceil(turns * (plan.seconds + _BETWEEN_SECONDS) / 10) * 10)
        return gettext("About %(seconds)s. How many jobs that is follows from the capacity.", seconds=time)
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


def when(experiment: Experiment) -> str:
    """When it was started, and how long it took."""
    at = gettext("%(at)s UTC", at=moment(to_iso(experiment.created_us)))
    if experiment.started_us is None or experiment.finished_us is None:
        return at
    return f"{at} · {measured((experiment.finished_us - experiment.started_us) / 1e6)}"


def step(experiment: Experiment) -> str:
    """What a run is doing: which turn, which contender."""
    if experiment.status == "PENDING":
        return gettext("Its turn has not come: another experiment is running.")
    if experiment.step == "preparing":
        return gettext("Preparing: the workers are inspected and made equal.")
    known = _STEP.fullmatch(experiment.step)
    if known is None:
        return experiment.step or gettext("It begins.")
    arm = in_language(known["arm"], gettext)
    if known["capacity"]:
        return gettext("Measuring by a short burst how many jobs a second each can do: %(arm)s", arm=arm)
    if known["turn"] is None:
        return gettext("Warming up: %(arm)s", arm=arm)
    return gettext("Turn %(turn)s of %(all)s: %(arm)s", turn=known["turn"], all=known["all"], arm=arm)


def beyond(experiment: Experiment) -> str:
    """That more jobs come than are done, as long as that is so in the running turn."""
    known = _STEP.fullmatch(experiment.step)
    if known is None or known["offered"] is None:
        return ""
    return gettext(
        "Beyond capacity: %(offered)s/s offered, %(done)s/s done. The queue grows, and latencies say for how long.",
        offered=number(int(known["offered"])),
        done=number(int(known["done"])),
    )


def trouble(experiment: Experiment) -> str:
    """Why an experiment did not come to its end; nothing for any other."""
    if experiment.error is None:
        return gettext("It was cancelled.") if experiment.status == "CANCELLED" else ""
    return trouble_text(experiment.error, gettext)


def _seconds_of(plan: Plan, concurrency: int) -> float:
    """How long one arm takes for one repetition, at least."""
    busy = plan.count * (plan.mean_seconds / concurrency + _A_JOB_SECONDS)
    return max(busy, plan.count / plan.arrival.rate) if isinstance(plan.arrival, OpenLoop) else busy
