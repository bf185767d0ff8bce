"""What to do after an experiment: plans that answer what it left open, with the reason for each."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from experiments.figures import ENOUGH
from experiments.model import CONTENDERS, Experiment, Finding, arm_name
from experiments.plan import MAX_REPETITIONS, MAX_TASKS, OpenLoop, Plan
from experiments.winners import Win
from experiments.words import N_, Translate, number
from lab.delivery import Delivery

MOST: Final = 3
HALF: Final = 0.5
ENOUGH_TURNS: Final = 5
SOME_TURNS: Final = 10
"""Where it cannot be said how many are needed."""

_FEWEST_MORE: Final = 2
_LONGEST_SECONDS: Final = 20.0

_MORE: Final = N_("%(n)s more repetitions")
_MORE_WHY: Final = N_(
    "%(all)s in all, from the first on: adding turns until something shows would find differences by chance."
)
_HALF: Final = N_("At half the load")
_BEYOND_WHY: Final = N_(
    "%(rate)s jobs a second, half of what the slowest did: what is beyond capacity only waits."
)
_BURST_WHY: Final = N_(
    "%(rate)s jobs a second, half of what the slowest did: how long does a job wait on an ordinary day?"
)
_QUIET: Final = N_("Without the busy program")
_QUIET_WHY: Final = N_("End what else keeps the processor busy, then run the same again.")
_AGAIN: Final = N_("The same again")
_DISTURBED_WHY: Final = N_("What disturbed it may not come again.")
_STOPPED_WHY: Final = N_("It did not run to its end.")
_JOBS: Final = N_("With %(n)s jobs")
_JOBS_WHY: Final = N_("Fewer do not tell the p99.")
_RIVALS: Final = N_("Against the others")
_RIVALS_WHY: Final = N_("The same jobs by the contenders that are safe.")
_ITSELF: Final = N_("Against itself")
_ITSELF_WHY: Final = N_("The winner twice: how much do the figures differ by chance alone?")
_ONLY_AGAIN: Final = frozenset({"clock_offset", "late_sender", "outages", "restarts", "other_tasks"})


class NextStep(NamedTuple):
    """An experiment to run next: `options` are what `python -m experiments run` has to put over the plan."""

    key: str
    title: str
    why: str
    plan: Plan
    options: str


def steps_of(experiment: Experiment, wins: Sequence[Win], _: Translate) -> list[NextStep]:
    """At most three, the most needed first; none before it has ended."""
    if not experiment.ended or not experiment.totals:
        return []
    return list(_steps(experiment, wins, _))[:MOST]


def _steps(experiment: Experiment, wins: Sequence[Win], _: Translate) -> Iterator[NextStep]:
    plan, marks = experiment.plan, experiment.marks
    if "foreign_load" in marks:
        yield NextStep("quiet", _(_QUIET), _(_QUIET_WHY), plan, "")
    if "growing_queue" in marks:
        done = min((mark.of or 0.0) - mark.value for mark in marks["growing_queue"])
        yield from _at_half(plan, done, _BEYOND_WHY, _)
    if "foreign_load" not in marks and (marks.keys() & _ONLY_AGAIN or experiment.status != "DONE"):
        why = _DISTURBED_WHY if experiment.status == "DONE" else _STOPPED_WHY
        yield NextStep("again", _(_AGAIN), _(why), plan, "")
    if len(plan.arms) == 1:
        names = [name for name, arm in CONTENDERS.items() if arm.delivery is Delivery.SAFE]
        yield from _step(
            "rivals", _(_RIVALS), _(_RIVALS_WHY), plan, _arms(names), arms=[CONTENDERS[n] for n in names]
        )
    yield from _repeated(plan, wins, _)
    if isinstance(plan.arrival, OpenLoop) and plan.count < (enough := ENOUGH["p99"]):
        n = {"n": number(enough, _)}
        options = f"--jobs {enough}"
        yield from _step("jobs", _(_JOBS) % n, _(_JOBS_WHY), plan, options, jobs=enough, seconds=None)
    if not isinstance(plan.arrival, OpenLoop):
        slowest = min(total.figures["throughput"].value for total in experiment.totals)
        yield from _at_half(plan, slowest, _BURST_WHY, _)
    elif wins:
        winner = plan.arms[wins[0].ahead]
        options = _arms([arm_name(winner)] * 2)
        yield from _step("itself", _(_ITSELF), _(_ITSELF_WHY), plan, options, arms=[winner] * 2)


def _repeated(plan: Plan, wins: Sequence[Win], _: Translate) -> Iterator[NextStep]:
    unknown = [win for win in wins if win.found.answer is Finding.UNKNOWN and win.sound]
    more = max((win.found.more for win in unknown if win.found.more is not None), default=0)
    if unknown and any(win.found.difference.low is None for win in unknown):
        more = ENOUGH_TURNS - plan.repetitions
    elif unknown and any(win.found.more is None for win in unknown):
        more = SOME_TURNS
    most = min(MAX_REPETITIONS, (MAX_TASKS // len(plan.arms) - plan.warm_up_count) // plan.count)
    all_of_them = min(most, plan.repetitions + max(_FEWEST_MORE, more))
    if more > 0 and all_of_them > plan.repetitions:
        title = _(_MORE) % {"n": all_of_them - plan.repetitions}
        why, options = _(_MORE_WHY) % {"all": all_of_them}, f"--repetitions {all_of_them}"
        yield from _step("repetitions", title, why, plan, options, repetitions=all_of_them)


def _at_half(plan: Plan, capacity: float, why: str, _: Translate) -> Iterator[NextStep]:
    """The same jobs in an open loop at half of so many a second."""
    rate = float(f"{HALF * capacity:.3g}")
    if rate <= 0:
        return
    seconds = float(f"{min(_LONGEST_SECONDS, plan.count / rate):.3g}")
    options = f"--rate {rate:g} --seconds {seconds:g}"
    arrival = {"law": "open", "rate": rate}
    told = _(why) % {"rate": number(rate, _)}
    yield from _step("half", _(_HALF), told, plan, options, arrival=arrival, jobs=None, seconds=seconds)


def _step(key: str, title: str, why: str, plan: Plan, options: str, **changes: Any) -> Iterator[NextStep]:
    """The step, where such a plan is within the bounds of plans."""
    try:
        changed = Plan.model_validate({**plan.model_dump(), **changes})
    except ValueError:
        return
    yield NextStep(key, title, why, changed, options)


def _arms(names: Sequence[str]) -> str:
    return " ".join(f"--arm {name}" for name in names)
