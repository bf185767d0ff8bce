"""The pages of the fault lab: the cards, a card's form, a run while it goes on and afterwards, and the matrix."""

import math
import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from flask import Blueprint, abort, flash, make_response, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from api.faults import wording
from api.faults.form import FaultForm, typed_of
from api.faults.service import NoBrokerHere
from api.services import services
from api.side.rows import FEATURES
from api.web.forms import sent_before
from api.web.keys import form_key
from api.web.page_config import page_config
from api.web.wording import gettext
from experiments.charts import SLIM, WIDE
from experiments.report_html import TEMPLATES
from faults.cards import CARDS, Card
from faults.document import ARMS, MAX_JOBS, MAX_SECONDS, FaultDocument, FaultPlan, JobMark
from faults.timeline import FATES, draw, legend, runs_said, seconds, seconds_table
from store.tasks import KeyReused

faults = Blueprint("faults", __name__, template_folder=str(TEMPLATES))

RECENT: Final = 20
RUNS_OF_A_CARD: Final = 8


@faults.get("/faults")
def index() -> str:
    """All cards, and the newest runs."""
    lab = services().faults
    before = request.args.get("before", "")
    runs, older = lab.page(RECENT, int(before) if before.isdecimal() and len(before) < 19 else None)
    matrix = lab.matrix()
    return render_template(
        "faults/index.html",
        cards=CARDS.values(),
        measured={row.card: sum(cell is not None for cell in row.cells.values()) for row in matrix.cards},
        contenders=len(ARMS),
        can_run=lab.can_run(),
        runs=[_listed(run) for run in runs],
        older=older,
        newer=bool(before),
        config=_config(),
    )


@faults.get("/faults/cards/<card>")
def card(card: str) -> AnyResponse:
    """One card with its form; `again` is a run whose values fill it in."""
    found = CARDS.get(card) or abort(404)
    again = request.args.get("again", "")
    run = services().faults.get(again) if again else None
    return _form(FaultForm(typed_of(run) if run is not None else None, card=found))


@faults.post("/faults/cards/<card>")
def start(card: str) -> AnyResponse:
    """The form: starts a run, and goes to its page."""
    form = FaultForm(request.form, card=CARDS.get(card) or abort(404))
    plan = form.plan()
    if plan is None:
        return _form(form, 422)
    started = _started([plan], "faults", form)
    if started is None:
        return _form(form, 409)
    return redirect(url_for(".one", run_id=started[0]), 303)


@faults.get("/faults/matrix")
def matrix() -> str:
    """Faults by contenders."""
    return _matrix()


@faults.post("/faults/matrix")
def run_missing() -> AnyResponse:
    """Starts a run for each card that has contenders which never ran it."""
    lab = services().faults
    plans = lab.missing(lab.matrix())
    form = FaultForm(card=next(iter(CARDS.values())))
    started = _started(plans, "fault-matrix", form) if plans else []
    if started is None:
        flash(form.errors["form"], "matrix error")
    elif not started:
        flash(gettext("Nothing is missing."), "matrix")
    return redirect(url_for(".matrix"), 303)


@faults.get("/faults/matrix/now")
def matrix_now() -> str:
    """How far the matrix is, as a part of its page."""
    found = services().faults.matrix()
    said = wording.estimate(found.waiting, found.estimate_seconds)
    return render_template("faults/_matrix_now.html", matrix=found, estimate=said, total=_cells())


@faults.get("/faults/<run_id>")
def one(run_id: str) -> str:
    """One run: how far it is, or what came of it. `arm` and `job` are a job whose history is shown."""
    run = _found(run_id)
    of = CARDS[run.card]
    return render_template(
        "faults/one.html",
        run=run,
        card=of,
        ended=run.ended,
        when=wording.when(run),
        settings=wording.settings_of(run),
        labels_of={arm: wording.label(arm) for arm in run.arms},
        trouble=wording.trouble(run),
        agreement=wording.agreement(run),
        prediction=wording.prediction_table(run),
        why=_why(of),
        job=_job(run),
        seconds_table=seconds_table(run, gettext),
        fates={fate.value: gettext(words) for fate, words in FATES.items()},
        disagreements=[wording.sentence(said) for said in run.disagreements],
        runs_said=lambda mark: runs_said(mark, gettext),
        seconds_said=lambda value: seconds(value, gettext),
        **_progress(run),
        config=_config(ended=gettext("The run has ended.")),
    )


@faults.get("/faults/<run_id>/now")
def now(run_id: str) -> str:
    """How far it is, as a part of its page."""
    run = _found(run_id)
    return render_template("faults/_now.html", run=run, **_progress(run))


@faults.post("/faults/<run_id>/cancel")
def cancel(run_id: str) -> AnyResponse:
    """Cancels it, and goes back to its page."""
    _found(run_id)
    if services().faults.cancel(run_id):
        flash(gettext("Cancelled: the fault is undone, and what was started ends."), "fault")
    else:
        flash(gettext("It has ended before."), "fault error")
    return redirect(url_for(".one", run_id=run_id), 303)


def _found(run_id: str) -> FaultDocument:
    return services().faults.get(run_id) or abort(404)


def _config(**more: Any) -> dict[str, Any]:
    return page_config(services().store.last_change(), more)


def _progress(run: FaultDocument) -> dict[str, Any]:
    """What moves while it runs: step, share of ended jobs, picture in two widths, what was done, counters."""
    looks = {"wide": replace(WIDE, prefix="fault"), "slim": replace(SLIM, prefix="fault-slim")}
    return {
        "step": "" if run.ended else wording.step(run),
        "share": wording.share(run),
        "picture": {
            name: Markup(draw(run, look, gettext, _link))  # noqa: S704 - charts escape every text
            for name, look in looks.items()
        },
        "legend": [(name, Markup(mark), words) for name, mark, words in legend(gettext)],  # noqa: S704
        "done": [wording.sentence(said) for said in run.struck],
        "figures": wording.figures_table(run),
    }


def _link(arm: str, job: int) -> str:
    return f"?arm={arm}&job={job}#job"


def _job(run: FaultDocument) -> dict[str, Any] | None:
    """The job that the address asks for."""
    arm, job = request.args.get("arm", ""), request.args.get("job", "")
    marks: Sequence[JobMark] = run.marks.get(arm, ())
    mark = next((mark for mark in marks if str(mark.job) == job), None)
    if mark is None:
        return {"arm": arm, "number": job, "mark": None} if job else None
    said = {"fate": gettext(FATES[mark.status]), "where": wording.where(mark.where)}
    return {"arm": arm, "number": job, "mark": mark, **said}


def _why(card: Card) -> dict[str, Any]:
    """What decided it: sentences, and where the lines are that did."""
    return {
        "why": gettext(card.why),
        "meaning": gettext(card.meaning),
        "change": gettext(card.change),
        "rows": [(row, gettext(FEATURES[row].title)) for row in card.decided_by if row in FEATURES],
    }


def _listed(run: FaultDocument) -> dict[str, Any]:
    return {
        "id": run.id,
        "status": run.status.value,
        "title": gettext(CARDS[run.card].title),
        "arms": [(arm.partition(":")[0], wording.label(arm)) for arm in run.arms],
        "created_at": run.created_at,
        "said": wording.headline(run),
    }


def _started(plans: Sequence[FaultPlan], form_name: str, form: FaultForm) -> list[str] | None:
    """The ids of runs that were started; None, with the reason in `form`, where they were not."""
    key = form_key(form_name, request.form.get("key", ""))
    try:
        return services().faults.start(plans, key)
    except NoBrokerHere:
        form.errors["form"] = gettext("There is no RabbitMQ here for a run to start.")
    except KeyReused:
        form.errors["form"] = sent_before()
    return None


def _form(form: FaultForm, status: int = 200) -> AnyResponse:
    lab, bounds = services().faults, form.card.strength
    runs, _older = lab.page(RUNS_OF_A_CARD, card=form.card.name)
    page = render_template(
        "faults/card.html",
        form=form,
        card=form.card,
        key=secrets.token_urlsafe(16),
        contenders=[(arm, arm.partition(":")[0], wording.label(arm)) for arm in ARMS],
        can_run=lab.can_run(),
        most=wording.most_of({"jobs": MAX_JOBS, "seconds": MAX_SECONDS}),
        strength={
            "least": f"{bounds.least:g}",
            "most": f"{bounds.most:g}",
            "step": "0.5" if any(each % 1 for each in (bounds.least, bounds.default, bounds.most)) else "1",
        },
        runs=[_listed(run) for run in runs],
        config=_config(),
    )
    return make_response(page, status)


def _cells() -> int:
    return len(ARMS) * len(CARDS)


def _matrix() -> str:
    lab = services().faults
    found = lab.matrix()
    return render_template(
        "faults/matrix.html",
        matrix=found,
        titles={name: gettext(card.title) for name, card in CARDS.items()},
        contenders=[(arm, arm.partition(":")[0], wording.label(arm)) for arm in ARMS],
        estimate=wording.estimate(found.waiting, found.estimate_seconds),
        missing_minutes=math.ceil(len(lab.missing(found)) * lab.seconds_a_run() / 60),
        total=_cells(),
        can_run=lab.can_run(),
        key=secrets.token_urlsafe(16),
        config=_config(ended=gettext("All runs have ended.")),
    )
