"""The pages: the three forms with the live table, and one task with its history."""

import secrets
from typing import Any, Final

from flask import (
    Blueprint,
    Response,
    abort,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.blueprints import BlueprintSetupState
from flask_bootstrap import Bootstrap5
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.wrappers import Response as AnyResponse

from api.control.pages import control
from api.experiments.guide_pages import guide
from api.experiments.pages import experiments
from api.faults.pages import faults
from api.images.pages import images
from api.images.routes import kept_files
from api.letters import pages as letter_pages
from api.schedule.pages import schedule
from api.services import services
from api.side.pages import side
from api.submit import BrokerAway, ReceiveRefused
from api.tasks import all_three, compare
from api.tasks.bulk_pages import bulk_pages
from api.tasks.filter import Filter
from api.web import commands, forms, i18n, problems, security, wording
from api.web.answers import here, own_path, say, wants_json
from api.web.keys import form_key
from api.web.page_config import page_config
from api.web.present import event_json, task_json
from api.web.schemas import Invalid, TaskRequest
from api.web.wording import gettext
from api.workflows.pages import workflows
from lab.clock import now_us, to_iso
from lab.jobs.kinds import KINDS
from store.tables import HEALTH_CHECK
from store.task_order import WINDOW
from store.tasks import KeyReused, Row
from transports import TRANSPORTS

pages = Blueprint("pages", __name__)
for _page_of in (
    letter_pages.letters,
    images,
    control,
    experiments,
    faults,
    guide,
    schedule,
    side,
    workflows,
    compare.strip,
    bulk_pages,
):
    pages.register_blueprint(_page_of)

PAGE_SIZE: Final = 25
SHOWN_CHARS: Final = 4000


@pages.record_once
def serve_bootstrap(state: BlueprintSetupState) -> None:
    """Bootstrap comes from its package, through this application, and from nowhere else."""
    state.app.config["BOOTSTRAP_SERVE_LOCAL"] = True
    Bootstrap5(state.app)


@pages.after_request
def speak_language(response: Response) -> Response:
    """Caches keep the languages apart, and ask again before they show a page."""
    response.headers["Content-Language"] = i18n.language()
    response.vary.update(["Accept-Language", "Cookie"])
    response.headers.setdefault("Cache-Control", "private, no-cache")
    return response


@pages.errorhandler(CSRFError)
def keep_what_was_typed(error: CSRFError) -> AnyResponse:
    """A form whose page is too old comes back as it was typed, to be sent again."""
    method = request.form.get("method", "")
    if request.endpoint != "pages.submit" or method not in TRANSPORTS:
        return security.on_stale_form(error)
    return make_response(_page(forms.Form(request.form, {"form": security.stale_form()})), 400)


@pages.app_errorhandler(MethodNotAllowed)
def back(error: MethodNotAllowed) -> AnyResponse:
    """Somebody opens, reloads, or changes the language of the address of a form: back to the page above it."""
    if request.method not in ("GET", "HEAD") or problems.wants_document():
        return problems.refuse(error)
    return redirect(request.script_root + request.path.rpartition("/")[0] or url_for("pages.index"))


@pages.get("/favicon.ico")
def favicon() -> AnyResponse:
    """Where browsers look that were not told."""
    return redirect(url_for("static", filename="favicon.svg"))


@pages.get("/")
def index() -> str:
    """The three forms and the table."""
    return _page(forms.Form())


@pages.post("/submit")
def submit() -> AnyResponse:
    """A form sent without JavaScript: back to the page with a message, or the form with its errors."""
    method = request.form.get("method", "")
    if method not in TRANSPORTS:
        abort(400)
    typed, once = forms.Form(request.form), form_key("form", request.form.get("key", ""))
    try:
        rows = services().submitter.submit(forms.parse_task(request.form), once)
    except Invalid as error:
        typed.refuse(error, _sentences(typed.value("kind")))
        return make_response(_page(typed), 422)
    except KeyReused:
        typed.errors["form"] = forms.sent_before()
        return make_response(_page(typed), 409)
    flash(wording.sent(method, [row["num"] for row in rows]), f"form-{method}")
    return redirect(url_for("pages.index", _anchor=f"form-{method}"), 303)


@pages.post("/send-all")
def send_all() -> AnyResponse:
    """The form that sends a job through every method. A script that asks for JSON gets `{"message", "ok",
    "errors", "tasks"}`, and submits itself those that run in the request."""
    typed, target = forms.Form(request.form), url_for("pages.index", _anchor="form-all")
    status, tasks, text = 202, [], ""
    try:
        rows = all_three.submit(request.form, in_request=not wants_json())
        tasks, nums = [task_json(row) for row in rows], [row["num"] for row in rows]
        text = gettext("Sent through all: tasks #%(first)s to #%(last)s.", first=min(nums), last=max(nums))
    except Invalid as error:
        says = {**_sentences("process_task"), "too_many_to_watch": forms.whole_number(1, all_three.MOST)}
        typed.refuse(error, says)
        status = 422
    except KeyReused:
        typed.errors["form"] = text = forms.sent_before()
        status = 409
    if status != 202 and not wants_json():
        return make_response(_page(typed), status)
    return say(text, "form-all", target, status, errors=typed.errors, tasks=tasks)


@pages.post("/receive")
def receive() -> AnyResponse:
    """Takes one message off the raw queue and runs it here. A script that asks for JSON gets
    `{"message", "ok", "task"}`, where `task` is null unless one was run."""
    row, status = None, 200
    try:
        row = services().submitter.receive()
        if row is None:
            text = gettext("The queue is empty: there is nothing to receive.")
        else:
            text = gettext("Received and run: task #%(num)s.", num=row["num"])
    except BrokerAway:
        text, status = gettext("The broker does not answer. Nothing was received."), 503
    except ReceiveRefused as refusal:
        text, status = gettext("Not received: %(reason)s.", reason=str(refusal)), 409
    target = url_for("pages.index", _anchor="form-receive")
    return say(text, "receive", target, status, task=task_json(row) if row else None)


@pages.get("/tasks/<task_id>")
def task(task_id: str) -> AnyResponse:
    """One task: its timings, result or error, and its whole history."""
    store = services().store
    last_change = store.last_change()
    row = store.get(task_id, SHOWN_CHARS)
    if row is None:
        return _unknown(task_id)
    found = task_json(row)
    history = [event_json(event) for event in store.history(row["num"])]
    this = {"taskId": row["id"], "status": row["status"], "attempt": row["attempt"]}
    return make_response(
        render_template(
            "tasks/task.html",
            task=found,
            history=history,
            cancellation=wording.cancellation(found),
            time_limit=row["time_limit"],
            picture=bool(kept_files([row["id"]], "preview")),
            goes_on=wording.goes_on(found, history),
            first=store.get(row["retry_of"]) if row["retry_of"] else None,
            config=page_config(last_change, {**this, "cancelled": found["cancel_requested_at"] is not None}),
        )
    )


@pages.post("/tasks/<task_id>/cancel")
def cancel(task_id: str) -> AnyResponse:
    """Has a task cancelled, and goes back to `next`, by default the task's page. A script that asks for
    JSON gets `{"message", "ok", "task"}`."""
    answer = services().submitter.cancel(task_id)
    if answer is None:
        return _unknown(task_id)
    row, allowed = answer
    words = wording.cancelled if allowed else wording.ended
    return _acted(words(row["num"], row["status"]), row, 202 if allowed else 409)


@pages.post("/tasks/<task_id>/retry")
def retry(task_id: str) -> AnyResponse:
    """Sends a task that FAILED or was CANCELLED again, and goes to `next`, by default the new task's
    page. A script that asks for JSON gets `{"message", "ok", "task"}`."""
    old = services().store.get(task_id)
    answer = services().submitter.retry(task_id)
    if old is None or answer is None:
        return _unknown(task_id)
    row, allowed = answer
    if not allowed:
        return _acted(wording.not_sent_again(row["num"], row["status"]), row, 409)
    return _acted(wording.sent_again(old["num"], row["num"]), row, 202)


def _acted(text: str, row: Row, status: int) -> AnyResponse:
    target = own_path(request.form.get("next", ""), url_for("pages.task", task_id=row["id"]))
    return say(text, "act", target, status, task=task_json(row))


def _unknown(task_id: str) -> AnyResponse:
    if wants_json():
        return say(gettext("There is no such task"), "", "", 404, task=None)
    return make_response(render_template("web/error.html", code=404, name="", task_id=task_id), 404)


@pages.get("/lang/<code>")
def switch_language(code: str) -> AnyResponse:
    """Keeps the language in a cookie for a year and goes back to `next`, a path of this site."""
    if code not in i18n.LANGUAGES:
        abort(404)
    response = redirect(own_path(request.args.get("next", "")))
    response.set_cookie(
        i18n.COOKIE,
        code,
        max_age=31_536_000,
        path=request.script_root or "/",
        samesite="Lax",
        httponly=True,
        secure=request.is_secure,
    )
    return response


@pages.app_context_processor
def offer() -> dict[str, Any]:
    """What every template may use."""
    return {
        "labels": wording.LABELS,
        "contender": wording.contender,
        "prelude": commands.prelude,
        "worker_command": commands.worker_command,
        "meanings": wording.meanings(),
        "health": services().watch.snapshot(),
        "waiting_text": wording.waiting,
        "nowhere_text": wording.nowhere,
        "alarm_text": wording.alarm,
        "letters_count": letter_pages.count(),
        "seen_at": to_iso(now_us()),
        "live_config": lambda: page_config(None, {}),
        "here": here() if request.method == "GET" else url_for("pages.index"),
    }


def _page(typed: forms.Form) -> str:
    """The front page, with `typed` in the form of its method."""
    store, chosen = services().store, Filter.of(request.args)
    # The position in the stream comes before the rows: what changes in between is sent again. The count comes before
    # the number, so that it has no task that the stream tells of as new.
    all_counts = store.counts()
    last_change, last_num = store.last_change(), store.last_num()
    asked = chosen.query(PAGE_SIZE + 1)
    rows = store.page(asked)
    older = len(rows) > PAGE_SIZE
    rows = rows[:PAGE_SIZE]
    counts = store.counts(chosen.method or None, checks=chosen.all_checks)
    return render_template(
        "tasks/index.html",
        tasks=[task_json(row) for row in rows],
        older=asked.after(rows) if older else None,
        by_num=asked.by_num,
        window=WINDOW,
        kinds=sorted({*KINDS, *filter(None, [chosen.kind])}),
        chosen=chosen,
        counts=counts,
        any_tasks=bool(rows) or any(store.counts(checks=chosen.all_checks).values()),
        typed={
            name: typed if name == typed.value("method") else forms.Form()
            for name in (all_three.FORM, *TRANSPORTS)
        },
        most_each=all_three.MOST,
        **compare.strip_of(),
        since=None,
        new_key=lambda: secrets.token_urlsafe(16),
        limits=forms.bounds(TaskRequest),
        functions=forms.functions(),
        default_delivery=services().settings.delivery.value,
        config=page_config(
            last_change,
            {
                "filter": _for_scripts(chosen),
                "newest": chosen.newest,
                "newestNum": last_num,
                "total": sum(all_counts.values()),
                "pageSize": PAGE_SIZE,
                "errors": _sentences(),
                "compareUrl": url_for("pages.compare_page.page"),
                "race": all_three.for_scripts(),
            },
        ),
    )


def _for_scripts(chosen: Filter) -> dict[str, Any]:
    """The filter as scripts tell by it whether a task fits."""
    told = {name: getattr(chosen, name) for name in ("method", "status", "kind", "worker", "since", "until")}
    without = "" if chosen.all_checks else HEALTH_CHECK
    return {**told, "q": chosen.q.lower(), "error": chosen.error.lower(), "without": without}


def _sentences(kind: str = "") -> dict[str, str]:
    return forms.task_sentences(services().settings.sync_max_seconds, kind)
