"""The experiment that tells what the guide does not know: a plan for each question with a figure."""

from collections.abc import Mapping, Sequence
from typing import Final

from experiments.guide_questions import QUESTIONS, Question
from experiments.plan import MAX_RATE, Arm, FixedDuration, OpenLoop, Plan, Workload
from experiments.winners import HIGHER_IS_BETTER
from transports.methods import METHODS

LEAST_BURST: Final = 500
LEAST_RATE: Final = 100.0
JOBS_OF_A_P99: Final = 1_000
"""Fewer jobs have no p99 (`experiments.figures`)."""


def plan_for(question_id: str, answers: Mapping[str, str], methods: Sequence[str] = ()) -> Plan | None:
    """The plan whose run tells whether `methods` (all, where none is named) keep what the answer to the question asks
    for; None where that answer asks for no figure."""
    needed = _needs(answers)
    question = next((one for one in QUESTIONS if one.id == question_id and one.figure in needed), None)
    if question is None:
        return None
    arms = [Arm(method=method.name) for name, method in METHODS.items() if name in (methods or METHODS)]
    nothing = FixedDuration(seconds=0)
    if question.figure in HIGHER_IS_BETTER:
        jobs = max(LEAST_BURST, round(2 * needed[question.figure]))
        return Plan(arms=arms, jobs=jobs, work=Workload.NOOP, duration=nothing)
    rate = min(MAX_RATE, max(LEAST_RATE, needed.get("throughput", 0.0)))
    jobs = max(JOBS_OF_A_P99, round(2 * rate))
    arrival = OpenLoop(law="open", rate=rate)
    return Plan(arms=arms, jobs=jobs, arrival=arrival, work=Workload.NOOP, duration=nothing)


def _needs(answers: Mapping[str, str]) -> dict[str, float]:
    """What the answers ask for, by figure."""

    def asked(question: Question) -> float | None:
        found = question.answer(answers.get(question.id, ""))
        return found.needs if found else None

    return {q.figure: needed for q in QUESTIONS if q.figure and (needed := asked(q)) is not None}
