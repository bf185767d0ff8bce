"""The pages of experiments: the form with what differs, all runs, one run, and two compared."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from flask import Blueprint, abort, flash, make_response, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from api.experiments import plan_words, wording
from api.experiments.connected import NoWorker
from api.experiments.differences import differences_of, pictures_now, workers_at
from api.experiments.form import ExperimentForm, typed_of
from api.experiments.presets import PRESETS
from api.services import services
from api.web import commands
from api.web.forms import sent_before
from api.web.keys import form_key
from api.web.page_config import page_config
from api.web.wording import gettext
from experiments.between import ALONE, Parts, between
from experiments.charts import SLIM, WIDE, live
from experiments.fairness_table import fairness_said, fairness_table
from experiments.guide_plans import plan_for
from experiments.model import CONTENDERS, Experiment
from experiments.report import content_of
from experiments.report_html import TEMPLATES
from experiments.report_tables import arms, changes
from experiments.tables import NOTHING, Cell, Column, Row, Table
from experiments.verdict import verdict_of
from lab.clock import to_iso
from store.tasks import KeyReused
from transports.methods import label_of

experiments = Blueprint("experiments", __name__, template_folder=str(TEMPLATES))

RECENT: Final = 50
DEFAULT_CONCURRENCY: Final = 3
_NUMBER: Final = re.compile(r"[0-9]{1,18}")


@experiments.get("/experiments")
def index() -> AnyResponse:
    """The form, as a preset, the guide or an earlier experiment fills it in, and all experiments."""
    preset = request.args.get("preset", "")
    if preset in PRESETS:
        return _page(ExperimentForm(typed_of(PRESETS[preset])), preset=preset)
    if plan := plan_for(request.args.get("measure", ""), request.args, request.args.getlist("method")):
        return _page(ExperimentForm(typed_of(plan)))
    if again := request.args.get("again"):
        plan = _found(again, runs=False).plan
        form = ExperimentForm(typed_of(plan))
        return _page(form, again="" if form.contenders() == plan.arms else again)
    before = request.args.get("before", "")
    return _page(ExperimentForm(), before=int(before) if _NUMBER.fullmatch(before) else None)


@experiments.post("/experiments")
def start() -> AnyResponse:
    """The form: starts an experiment, and goes to its page."""
    form, key = ExperimentForm(request.form), request.form.get("key", "")
    plan = form.plan()
    if plan is None:
        return _page(form, 422)
    try:
        started = services().experiments.start(plan, form_key("experiments", key))
    except NoWorker as error:
        form.errors["arm"] = wording.no_worker(error.arm)
        return _page(form, 409)
    except KeyReused:
        form.errors["form"] = sent_before()
        return _page(form, 409)
    return redirect(url_for(".one", experiment_id=started), 303)


@experiments.route("/experiments/differences", methods=["GET", "POST"])
def differences() -> AnyResponse:
    """The form as it was typed, with what differs between its contenders. Its script asks by GET."""
    typed = request.form if request.method == "POST" else request.args
    return _page(ExperimentForm(typed if typed else None))


@experiments.get("/experiments/compare")
def compare() -> AnyResponse:
    """Two experiments beside each other: `one` and `other`, or two `pick`, the older one first."""
    if picked := request.args.getlist("pick"):
        return _picked(picked)
    if not ("one" in request.args and "other" in request.args):
        return _pick_two()
    one, other = _found(request.args["one"]), _found(request.args["other"])
    found = between(one, other, gettext)
    return make_response(
        render_template(
            "experiments/compare.html",
            one=_listed(one),
            other=_listed(other),
            config=page_config(services().store.last_change(), {}),
            methods={arm.title: arm.method for each in (one, other) for arm in arms(each.plan, gettext)},
            tables=changes(found, gettext),
            unmatched=found.unmatched,
            remark=gettext(ALONE),
            plan=_sides(found.plan),
            environment=_sides(found.environment),
            fairness=_sides(found.fairness),
        )
    )


@experiments.get("/experiments/<experiment_id>")
def one(experiment_id: str) -> str:
    """One experiment: how far it is, or what it found."""
    last_change = services().store.last_change()
    found = _found(experiment_id)
    return render_template(
        "experiments/one.html",
        experiment=found,
        ended=found.ended,
        title=plan_words.title(found.plan),
        names=arms(found.plan, gettext),
        when=plan_words.when(found),
        **_progress(found),
        trouble=plan_words.trouble(found),
        content=content_of(found, gettext),
        key=secrets.token_urlsafe(16),
        config=page_config(last_change, {"ended": gettext("The experiment has ended.")}),
    )


@experiments.post("/experiments/<experiment_id>/next/<step>")
def next_step(experiment_id: str, step: str) -> AnyResponse:
    """Starts the experiment that its verdict has as the step, and goes to its page."""
    found = _found(experiment_id)
    steps = {one.key: one for one in verdict_of(found).steps}
    if step not in steps:
        abort(404)
    try:
        key = form_key(f"next-{step}", request.form.get("key", ""))
        started = services().experiments.start(steps[step].plan, key)
    except NoWorker as error:
        flash(wording.no_worker(error.arm), "experiment error")
        return redirect(url_for(".one", experiment_id=experiment_id), 303)
    except KeyReused:
        flash(sent_before(), "experiment error")
        return redirect(url_for(".one", experiment_id=experiment_id), 303)
    return redirect(url_for(".one", experiment_id=started), 303)


@experiments.get("/experiments/<experiment_id>/now")
def now(experiment_id: str) -> str:
    """How far it is, as a part of its page."""
    found = _found(experiment_id, runs=False)
    return render_template("experiments/_now.html", experiment=found, **_progress(found))


@experiments.post("/experiments/<experiment_id>/cancel")
def cancel(experiment_id: str) -> AnyResponse:
    """Cancels it, and goes back to its page."""
    _found(experiment_id, runs=False)
    ok = services().experiments.cancel(experiment_id)
    if ok:
        flash(gettext("Cancelled: what has not ended is not counted."), "experiment")
    else:
        flash(gettext("It has ended before."), "experiment error")
    return redirect(url_for(".one", experiment_id=experiment_id), 303)


def _found(experiment_id: str, *, runs: bool = True) -> Experiment:
    return services().experiments.rows.get(experiment_id, runs=runs) or abort(404)


def _progress(experiment: Experiment) -> dict[str, Any]:
    if experiment.ended:
        return {"step": "", "beyond": "", "race": {"wide": "", "slim": ""}}
    return {
        "step": plan_words.step(experiment),
        "beyond": plan_words.beyond(experiment),
        "race": _race(experiment),
    }


def _race(experiment: Experiment) -> dict[str, Markup]:
    """The running turn as a chart: `wide`, and `slim` for a phone."""
    curves = services().experiments.rows.race(experiment.id)
    looks = {"wide": WIDE, "slim": replace(SLIM, prefix="live-slim")}
    return {
        name: Markup(live(experiment.plan, curves, look, gettext))  # noqa: S704 - charts escape every text
        for name, look in looks.items()
    }


def _sides(parts: Parts) -> Table | None:
    """What two experiments have otherwise; None where that is nothing."""
    head = (gettext("What"), gettext("The first"), gettext("The second"))
    rows = (Row(name, (Cell(one or NOTHING), Cell(other or NOTHING))) for name, one, other in parts)
    return Table(tuple(Column(title, numeric=False) for title in head), tuple(rows)) if parts else None


def _picked(picked: list[str]) -> AnyResponse:
    if len(set(picked)) != 2:
        return _pick_two(picked)
    one, other = sorted((_found(each, runs=False) for each in picked), key=lambda found: found.created_us)
    return redirect(url_for(".compare", one=one.id, other=other.id))


def _pick_two(picked: Sequence[str] = ()) -> AnyResponse:
    flash(gettext("Choose two experiments to compare."), "compare error")
    return redirect(url_for(".index", pick=picked[:RECENT], _anchor="runs"))


def _concurrency() -> int:
    """How many jobs each method runs at once, the smaller number of the two."""
    found: dict[str, int] = {}
    for worker in pictures_now():
        if worker.delivery == "safe":
            found[worker.method] = found.get(worker.method, 0) + (worker.concurrency or 0)
    return min((n for n in found.values() if n), default=DEFAULT_CONCURRENCY)


def _page(
    form: ExperimentForm, status: int = 200, *, preset: str = "", again: str = "", before: int | None = None
) -> AnyResponse:
    """The form with the list; `again` is the experiment whose contenders the form cannot hold as they were."""
    last_change = services().store.last_change()
    plan = form.compared()
    rows = differences_of(plan) if plan else []
    listed, older = services().experiments.rows.page(RECENT, before)
    page = render_template(
        "experiments/index.html",
        form=form,
        key=secrets.token_urlsafe(16),
        preset=preset,
        presets=wording.presets(),
        works=plan_words.works(),
        arms=_contenders(),
        estimate=plan_words.estimate(form.plan() if not form.errors else None, _concurrency()),
        fairness=fairness_table(rows, plan, gettext, ran=False) if plan else None,
        fairness_said=fairness_said(rows, plan, gettext),
        again=again,
        most=wording.most(),
        experiments=[_listed(found) for found in listed],
        newer=before is not None,
        older=older,
        picked=request.args.getlist("pick"),
        config=page_config(last_change, {}),
    )
    return make_response(page, status)


def _contenders() -> list[dict[str, Any]]:
    """The cards of the form; `workers` is how many answer, None where that is not known or none is needed."""
    health = services().watch.snapshot()
    about = wording.contenders()
    return [
        {
            "name": name,
            "id": name.replace(":", "-"),
            "method": arm.method,
            "label": gettext(label_of(arm.method, arm.delivery)),
            "text": about[name],
            "workers": workers_at(health, arm),
            "nobody": wording.nobody(arm),
            "command": commands.worker_command(arm.method, arm.delivery),
        }
        for name, arm in CONTENDERS.items()
    ]


def _listed(experiment: Experiment) -> dict[str, Any]:
    """An experiment as a row of the list, with its verdict in one line."""
    return {
        "id": experiment.id,
        "status": experiment.status,
        "title": plan_words.title(experiment.plan),
        "names": arms(experiment.plan, gettext),
        "created_at": to_iso(experiment.created_us),
        "comparable": bool(experiment.totals),
        "said": plan_words.trouble(experiment) or verdict_of(experiment, gettext).line,
    }
