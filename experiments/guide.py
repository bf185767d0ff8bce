"""The decision guide: from a few answers to a method, with reasons. The same answers give the same advice.

Each reason cites a row of the page *Side by side*, or a run of the reader's own.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from experiments.guide_questions import CONTRADICTIONS, QUESTIONS, Choice, Question
from experiments.model import Experiment, Interval
from experiments.plan import Burst, FixedDuration, OpenLoop, Plan, Workload
from experiments.winners import HIGHER_IS_BETTER
from experiments.words import N_, Translate, bounds_text, decimal, named, shown, unit_of, untranslated
from lab.delivery import Delivery
from transports.methods import METHODS, SYNC

MARGIN: Final = 1
"""Two methods whose scores differ by no more than this are as good as each other."""

KEPT: Final = 1
MISSED: Final = -3

_ONE: Final = N_("Take this: %(methods)s.")
_ONE_SO_FAR: Final = N_("As far as is known, this: %(methods)s.")
_EITHER: Final = N_("Either will do: %(methods)s. Take what your people know.")
_EITHER_SO_FAR: Final = N_("As far as is known, either will do: %(methods)s.")
_BOTH: Final = N_(
    "Use both: %(methods)s. Each is strong where the other is not; the reasons say which jobs go where."
)
_OTHER: Final = N_("None of these: %(other)s.")
OTHERS: Final = {
    "cron": N_("cron or a timer of the system does it"),
    "table": N_("a table in your database does it"),
    "engine": N_("take a workflow engine"),
}
STRONG: Final = 2
_NONE: Final = N_("These answers do not go together; no method meets all of them.")
_NONE_KEPT: Final = N_("None of them kept what you need, in your own runs on this machine.")
_UNKNOWN: Final = N_("Not known: these answers speak neither for nor against any of them.")
_OPEN: Final = N_("Answer a few questions to get advice.")
_KEPT: Final = N_(
    "Your run of %(arm)s, %(load)s, kept it: %(value)s %(unit)s by its interval, where %(needed)s were asked for."
)
_MISSED: Final = N_(
    "Your run of %(arm)s, %(load)s, did not keep it: %(value)s %(unit)s by its interval, where %(needed)s were asked"
    " for."
)
_CONTRADICTS: Final = N_("An older run contradicts the newer one.")
_OTHER_RUN: Final = N_("your jobs or your machines are not like those of that run.")

_BURST: Final = N_("%(jobs)s jobs at once")
_LOOP: Final = N_("%(rate)s jobs a second")


@dataclass(frozen=True)
class Reason:
    """Why; one of `row` (of *Side by side*) and `experiment_id` says where to look it up.

    Attributes:
        weights: what it adds to each method's score.
        rules_out: the methods that it excludes.
        question: the id of the question that it comes from.
        unless: in which case it is wrong, as the end of a sentence; "" where nothing is said of that.
        same: whether a newer run of the same method said the same.
        speaks: whether it speaks for each method ("for", "against"), of those that it says something about.
    """

    question: str
    text: str
    weights: Mapping[str, int]
    rules_out: frozenset[str] = frozenset()
    row: str = ""
    experiment_id: str = ""
    unless: str = ""
    same: bool = False

    @property
    def speaks(self) -> dict[str, str]:
        found = {
            method: "for" if weight > 0 else "against" for method, weight in self.weights.items() if weight
        }
        return {method: said for method, said in found.items() if method not in self.rules_out}


@dataclass(frozen=True)
class Gap:
    """What no run of the reader's own tells: whether `methods` keep what the answer to `question` asks for."""

    question: str
    methods: tuple[str, ...]


@dataclass(frozen=True)
class Advice:
    """What the guide says.

    Attributes:
        choice: "celery", "rabbitmq" or "sync"; "either" of `methods`, or "both"; "other" where none of them is
            needed; "none" where the answers contradict each other, or all methods missed what is needed; "unknown"
            where the answers speak for none of them; "" where nothing was answered.
        summary: that, as a sentence.
        methods: those that are as good as the best, best first.
        scores: by method, of those that are not ruled out.
        gaps: what runs of the reader's own would tell, and have not yet.
    """

    choice: str
    summary: str
    methods: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()
    contradictions: tuple[str, ...] = ()
    scores: Mapping[str, int] | None = None
    gaps: tuple[Gap, ...] = ()


def advise(
    answers: Mapping[str, str], experiments: Sequence[Experiment] = (), _: Translate = untranslated
) -> Advice:
    """The advice on `answers`, from the ids of questions to the ids of answers; others are passed over.

    Args:
        experiments: the reader's own, newest first.
    """
    given = [(q, found) for q in QUESTIONS if (found := q.answer(answers.get(q.id, "")))]
    rate = next((found.needs for q, found in given if q.figure == "throughput" and found.needs), 0.0)
    reasons = tuple(
        reason for question, found in given for reason in _reasons(question, found, experiments, rate, _)
    )
    if not given:
        return Advice("", _(_OPEN))
    chosen = {question.id: found.id for question, found in given}
    clashes = [
        _(why)
        for (first, one), (second, other), why in CONTRADICTIONS
        if chosen.get(first) == one and chosen.get(second) == other
    ]
    out = {method for reason in reasons for method in reason.rules_out}
    scores = {m: sum(reason.weights.get(m, 0) for reason in reasons) for m in METHODS if m not in out}
    gaps = tuple(_gaps(given, reasons, scores))
    if clashes:
        return Advice("none", _(_NONE), (), reasons, tuple(clashes), scores, gaps)
    missed = {m for r in reasons if r.experiment_id for m, weight in r.weights.items() if weight == MISSED}
    if missed >= scores.keys():
        return Advice("none", _(_NONE_KEPT), (), reasons, (), scores, gaps)
    best = max(scores.values())
    others = [found.other for _question, found in given if found.other]
    if others and best <= STRONG:
        told = ", ".join(_(OTHERS[other]) for other in dict.fromkeys(others))
        return Advice("other", _(_OTHER) % {"other": told}, (), reasons, (), scores, gaps)
    choice, summary, methods = _choice(reasons, scores, gaps)
    between = _("and") if choice == "both" else _("or")
    names = f" {between} ".join(_(METHODS[method].in_guide) for method in methods)
    return Advice(choice, _(summary) % {"methods": names}, methods, reasons, (), scores, gaps)


def _choice(
    reasons: Sequence[Reason], scores: Mapping[str, int], gaps: Sequence[Gap]
) -> tuple[str, str, tuple[str, ...]]:
    """The choice, its summary, and the methods that are meant."""
    if not any(reason.weights or reason.rules_out for reason in reasons):
        return "unknown", _UNKNOWN, ()
    best = max(scores.values())
    methods = tuple(m for m in sorted(scores, key=lambda m: -scores[m]) if scores[m] >= best - MARGIN)
    # What no run has measured, and nothing speaks for, is not as good as the best: it is not known.
    unmeasured = {method for gap in gaps for method in gap.methods}
    backed = {method for reason in reasons for method, weight in reason.weights.items() if weight > 0}
    so_far = bool(unmeasured & set(methods))
    methods = tuple(m for m in methods if m not in unmeasured or m in backed) or methods
    if len(methods) == 1:
        return methods[0], _ONE_SO_FAR if so_far else _ONE, methods
    strong = {method for method in methods for reason in reasons if _speaks_for(reason, method, methods)}
    if len(strong) > 1:
        return "both", _BOTH, methods
    return "either", _EITHER_SO_FAR if so_far else _EITHER, methods


def _gaps(
    given: Iterable[tuple[Question, Choice]], reasons: Sequence[Reason], methods: Iterable[str]
) -> Iterator[Gap]:
    measured = {(reason.question, m) for reason in reasons if reason.experiment_id for m in reason.weights}
    for question, answer in given:
        missing = tuple(m for m in METHODS if m in set(methods) and (question.id, m) not in measured)
        if answer.needs is not None and missing:
            yield Gap(question.id, missing)


def _reasons(
    question: Question, answer: Choice, experiments: Sequence[Experiment], rate: float, _: Translate
) -> Iterator[Reason]:
    measured: set[str] = set()
    if answer.needs is not None:
        for reason in _evidence(question, answer.needs, experiments, rate, _):
            measured |= reason.weights.keys()
            yield reason
    # What was measured here counts instead of what is so in general.
    weights = {m: w for m, w in answer.weights.items() if m not in measured}
    if answer.reason and (weights or answer.rules_out or not answer.weights):
        unless = _(answer.unless) if answer.unless else ""
        yield Reason(question.id, _(answer.reason), weights, answer.rules_out, answer.row, unless=unless)


def _speaks_for(reason: Reason, method: str, methods: Sequence[str]) -> bool:
    """Whether `reason` speaks for `method` and for none of the others."""
    others = [reason.weights.get(other, 0) for other in methods if other != method]
    return reason.weights.get(method, 0) >= STRONG > max(others)


def _evidence(
    question: Question, needed: float, experiments: Sequence[Experiment], rate: float, _: Translate
) -> Iterator[Reason]:
    """The runs that kept the bound `needed` with their whole interval, or missed it with their whole interval. The
    newest of each method counts; older ones are cited as well, and said to contradict where they do.

    Runs that say nothing about it are passed over: of arms that may lose jobs, or did, or whose jobs failed,
    those with the bound within their interval or without one, those that were disturbed, and those of `_tells`.

    Args:
        experiments: newest first.
        rate: how many jobs a second the reader has, at the busiest; slower runs say nothing of latency.
    """
    newest: dict[str, bool] = {}
    figure = question.figure
    for experiment in experiments:
        if experiment.status != "DONE":
            continue
        plan = experiment.plan
        marked = {mark.arm for marks in experiment.marks.values() for mark in marks}
        for total in experiment.totals:
            arm = plan.arms[total.arm]
            safe = arm.method == SYNC.name or arm.delivery is Delivery.SAFE
            if not safe or total.lost or total.failed or total.arm in marked or figure not in total.figures:
                continue
            interval = _beside_the_work(plan, total.figures[figure], figure)
            kept = _kept(interval, needed, figure)
            if kept is None or not _tells(plan, figure, kept, rate):
                continue
            text = _(_KEPT if kept else _MISSED) % _said(plan, total.arm, figure, interval, needed, _)
            before = newest.get(arm.method)
            newest.setdefault(arm.method, kept)
            yield Reason(
                question.id,
                f"{_(_CONTRADICTS)} {text}" if before is (not kept) else text,
                {arm.method: KEPT if kept else MISSED} if before is None else {},
                experiment_id=experiment.id,
                unless=_(_OTHER_RUN),
                same=before is kept,
            )


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
        return isinstance(plan.arrival, Burst) and (kept or plan.work is Workload.NOOP)
    fixed = isinstance(plan.duration, FixedDuration) or plan.work is Workload.NOOP
    return isinstance(plan.arrival, OpenLoop) and fixed and (plan.arrival.rate >= rate or not kept)


def _beside_the_work(plan: Plan, interval: Interval, figure: str) -> Interval:
    if (
        figure in HIGHER_IS_BETTER
        or plan.work is Workload.NOOP
        or not isinstance(plan.duration, FixedDuration)
    ):
        return interval
    work = plan.duration.seconds * 1000
    ends = interval.model_dump(exclude_none=True)
    return Interval.model_validate({name: max(0.0, value - work) for name, value in ends.items()})


def _said(
    plan: Plan, arm: int, figure: str, interval: Interval, needed: float, _: Translate
) -> dict[str, str]:
    load = _(_BURST) % {"jobs": plan.count}
    if isinstance(plan.arrival, OpenLoop):
        load = _(_LOOP) % {"rate": decimal(f"{plan.arrival.rate:g}", _)}
    return {
        "arm": named(plan, arm, _),
        "load": load,
        "value": bounds_text(figure, interval, _),
        "unit": unit_of(figure, _),
        "needed": shown(figure, needed, _),
    }
