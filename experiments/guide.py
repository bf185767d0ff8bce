"""The decision guide: from a few answers to a method, with reasons. The same answers give the same advice.

Each reason cites a row of the page *Side by side*, or a run of the reader's own.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from experiments.guide_evidence import Evidence, evidence_for
from experiments.guide_question import Answer, Question
from experiments.guide_questions import CONTRADICTIONS, METHODS, QUESTIONS
from experiments.model import Experiment
from experiments.words import N_, Translate, untranslated

NAMES: Final = {
    "celery": N_("Celery"),
    "rabbitmq": N_("a consumer of your own"),
    "sync": N_("in the request"),
}
MARGIN: Final = 1
"""Two methods whose scores differ by no more than this are as good as each other."""

_ONE: Final = N_("Take this: %(method)s.")
_EITHER: Final = N_("Either will do: %(methods)s. Take what your people know.")
_TORN: Final = N_(
    "The answers pull both ways: %(methods)s. Ask which of the reasons weighs more, or use both."
)
_NONE: Final = N_("These answers do not go together; no method meets all of them.")
_OPEN: Final = N_("Answer a few questions to get advice.")


@dataclass(frozen=True)
class Reason:
    """Why; one of `row` (of *Side by side*) and `experiment_id` says where to look it up.

    Attributes:
        weights: what it adds to each method's score.
        rules_out: the methods that it excludes.
        question: the id of the question that it comes from.
    """

    question: str
    text: str
    weights: Mapping[str, int]
    rules_out: frozenset[str] = frozenset()
    row: str = ""
    experiment_id: str = ""


@dataclass(frozen=True)
class Advice:
    """What the guide says.

    Attributes:
        choice: "celery", "rabbitmq" or "sync"; "either" of `methods`; "none" where the answers contradict each
            other; "" where nothing was answered.
        summary: that, as a sentence.
        methods: those that are as good as the best, best first.
        scores: by method, of those that are not ruled out.
        unmeasured: the questions that a run of the reader's own would answer better.
    """

    choice: str
    summary: str
    methods: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()
    contradictions: tuple[str, ...] = ()
    scores: Mapping[str, int] | None = None
    unmeasured: tuple[str, ...] = ()


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
    unmeasured = tuple(q.id for q, found in given if found.needs is not None and not _measured(q, reasons))
    if clashes:
        return Advice("none", _(_NONE), (), reasons, tuple(clashes), scores, unmeasured)
    best = max(scores.values())
    methods = tuple(m for m in sorted(scores, key=lambda m: -scores[m]) if scores[m] >= best - MARGIN)
    summary = _summary(methods, reasons, _)
    choice = methods[0] if len(methods) == 1 else "either"
    return Advice(choice, summary, methods, reasons, (), scores, unmeasured)


def _reasons(
    question: Question, answer: Answer, experiments: Sequence[Experiment], rate: float, _: Translate
) -> Iterator[Reason]:
    evidence: list[Evidence] = []
    if answer.needs is not None:
        evidence = evidence_for(question.figure, answer.needs, experiments, _, rate)
    for found in evidence:
        yield Reason(
            question=question.id,
            text=found.text,
            weights={found.method: found.weight},
            experiment_id=found.experiment_id,
        )
    # What was measured here counts instead of what is so in general.
    weights = {m: w for m, w in answer.weights.items() if m not in {found.method for found in evidence}}
    if answer.reason and (weights or answer.rules_out or not answer.weights):
        yield Reason(question.id, _(answer.reason), weights, answer.rules_out, answer.row)


def _measured(question: Question, reasons: Sequence[Reason]) -> bool:
    return any(reason.question == question.id and reason.experiment_id for reason in reasons)


def _summary(methods: Sequence[str], reasons: Sequence[Reason], _: Translate) -> str:
    if len(methods) == 1:
        return _(_ONE) % {"method": _(NAMES[methods[0]])}
    strong = {method for method in methods for reason in reasons if _speaks_for(reason, method, methods)}
    names = ", ".join(_(NAMES[method]) for method in methods)
    return _(_TORN if len(strong) > 1 else _EITHER) % {"methods": names}


def _speaks_for(reason: Reason, method: str, methods: Sequence[str]) -> bool:
    """Whether `reason` speaks for `method` and for none of the others."""
    others = [reason.weights.get(other, 0) for other in methods if other != method]
    return reason.weights.get(method, 0) >= 2 > max(others)
