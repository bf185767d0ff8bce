"""The page of the decision guide: questions, and what the answers come to. Its address holds the answers."""

from typing import Any, Final

from flask import Blueprint, render_template, request, url_for

from api.experiments import plan_words
from api.services import services
from api.side.rows import FEATURES
from api.web.page_config import page_config
from api.web.wording import gettext
from experiments.guide import Advice, Gap, Reason, advise
from experiments.guide_questions import QUESTIONS
from experiments.model import Experiment
from transports.methods import METHODS

guide = Blueprint("guide", __name__)

CONSIDERED: Final = 200


@guide.get("/guide")
def page() -> str:
    """The questions, with the advice where some are answered."""
    given = {question.id: request.args.get(question.id, "") for question in QUESTIONS}
    experiments, _ = services().experiments.rows.page(CONSIDERED)
    advice = advise(given, experiments, gettext)
    by_question = {question.id: gettext(question.text) for question in QUESTIONS}
    return render_template(
        "experiments/guide.html",
        questions=[
            {
                "id": question.id,
                "text": by_question[question.id],
                "answers": [(answer.id, gettext(answer.text)) for answer in question.answers],
                "given": given[question.id] if question.answer(given[question.id]) else "",
            }
            for question in QUESTIONS
        ],
        advice=advice,
        methods=_methods(advice),
        reasons=[_shown(reason, by_question, experiments) for reason in advice.reasons],
        config=page_config(services().store.last_change(), {}),
        gaps=[_gap(gap, by_question, given) for gap in advice.gaps],
    )


def _gap(gap: Gap, by_question: dict[str, str], given: dict[str, str]) -> dict[str, Any]:
    """What is not known, with the form of the experiment that would tell it."""
    asked: dict[str, Any] = {name: answer for name, answer in given.items() if answer}
    address = url_for("pages.experiments.index", measure=gap.question, method=gap.methods, **asked)
    return {"text": by_question[gap.question], "methods": gap.methods, "address": address}


def _methods(advice: Advice) -> list[dict[str, Any]]:
    """Each method, best first, and whether it is ruled out."""
    scores = advice.scores or {}
    order = sorted(METHODS, key=lambda method: -scores[method] if method in scores else 1_000)
    return [
        {"method": method, "name": gettext(METHODS[method].in_guide), "out": method not in scores}
        for method in order
    ]


def _shown(reason: Reason, by_question: dict[str, str], experiments: list[Experiment]) -> dict[str, Any]:
    """A reason with what it speaks for and against, and where that is looked up."""
    cited = {"address": "", "cites": ""}
    if reason.experiment_id:
        found = next(one for one in experiments if one.id == reason.experiment_id)
        address = url_for("pages.experiments.one", experiment_id=found.id)
        cited = {"address": address, "cites": plan_words.title(found.plan)}
    elif reason.row in FEATURES:
        address = url_for("pages.side.one", feature=reason.row)
        cited = {"address": address, "cites": gettext(FEATURES[reason.row].title)}
    return {
        **cited,
        "question": by_question[reason.question],
        "text": reason.text,
        "speaks": [{"method": method, "said": said} for method, said in reason.speaks.items()],
        "unless": reason.unless,
        "same": reason.same,
        "out": sorted(reason.rules_out),
    }
