"""The pages of images: upload, recent groups, and one group with its gallery."""

import secrets
from collections.abc import Sequence
from typing import Any, Final

from flask import Blueprint, abort, flash, make_response, redirect, render_template, request, url_for
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Response as AnyResponse

from api.images import wording
from api.images.files import DiskFull
from api.images.group_present import group_json, group_with_tasks
from api.images.routes import allow_files
from api.services import services
from api.web import both
from api.web.answers import say
from api.web.forms import Form, bounds, parse
from api.web.keys import form_key
from api.web.numbers import typed
from api.web.page_config import page_config
from api.web.schemas import Invalid
from api.web.wording import gettext
from lab.jobs.images import MEDIA_TYPES, Operation
from lab.jobs.images.operation import TAKES
from lab.status import TaskStatus
from store.tasks import KeyReused
from transports.methods import QUEUES

images = Blueprint("images", __name__)

RECENT: Final = 20
MOST_NAMED: Final = 5
NAME_LENGTH: Final = 40


@images.url_value_preprocessor
def take_files(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """Before the form is read, and the first to read it looks for its csrf_token."""
    if endpoint == "pages.images.send" and request.method == "POST":
        allow_files()


@images.errorhandler(RequestEntityTooLarge)
def too_large(_: RequestEntityTooLarge) -> AnyResponse:
    """More came than an upload may have in all."""
    text = gettext("That is too much at once. Choose fewer or smaller files.")
    return _refuse(Form(errors={"files": text}), 413)


@images.errorhandler(DiskFull)
def disk_full(_: DiskFull) -> AnyResponse:
    """There is no room for what came."""
    text = gettext("The lab's disk is full. Remove something, or wait until older images expire.")
    return _refuse(Form(errors={"files": text}), 507)


@images.get("/images")
def index() -> str:
    """The form, and the newest groups."""
    return _page(Form())


@images.post("/images")
def send() -> AnyResponse:
    """The form sent without JavaScript: its good files become one group, and its page says which were
    refused."""
    form, key = Form(request.form), request.form.get("key", "")
    method = form.value("method", "")
    if method not in QUEUES:
        abort(400)
    once = form_key("images", key)
    if once and (sent := services().groups.rows.sent_under(once)):
        return redirect(url_for(".group", group_id=sent), 303)
    files = [file for file in request.files.getlist("files") if file.filename]
    settings = services().settings
    try:
        operation = _operation(form)
    except Invalid as error:
        form.refuse(error, wording.faults(), name="form")
    if not files:
        form.errors["files"] = wording.faults()["files"]
    elif len(files) > settings.upload_count:
        form.errors["files"] = wording.too_many(settings, str(len(files)))
    if form.errors:
        return _refuse(form, 413 if len(files) > settings.upload_count else 422)
    taken = services().intake.take(files)
    refused = [(bad.name, wording.reason(bad.code, settings)) for bad in taken.refused]
    if not taken.images:
        form.errors["files"] = gettext("None of these files was taken. Choose others.")
        return _refuse(form, 422, refused)
    if both.FIELD in request.form:
        both_sent = _send_by_both([row["id"] for row in taken.images], operation, once)
        _flash_refused(refused)
        return redirect(url_for(".index", both=",".join(both_sent)), 303)
    try:
        group_id, _ = services().groups.send(method, [row["id"] for row in taken.images], operation, once)
    except KeyReused:  # pressed twice, and the other one was faster
        return redirect(url_for(".group", group_id=services().groups.rows.sent_under(once or "")), 303)
    _flash_refused(refused)
    for row in [row for row in taken.images if row["id"] in taken.completed][:MOST_NAMED]:
        flash(wording.completed(_short(row["name"])), "images refused")
    return redirect(url_for(".group", group_id=group_id), 303)


@images.get("/images/<group_id>")
def group(group_id: str) -> str:
    """One group: how far it is, and a gallery of its images."""
    # The position in the stream comes before the rows: what changes in between is sent again.
    last_change = services().store.last_change()
    found = group_with_tasks(group_id)
    if found is None:
        abort(404)
    settings = services().settings
    made = [task for task in found["tasks"] if isinstance(task["result"], dict)]
    gone = [task for task in made if task["result_url"] is None]
    return render_template(
        "images/group.html",
        group=found,
        title=wording.operation(found["operation"]),
        counted=wording.counted(found["counts"]),
        share=wording.share(found["counts"]),
        images=wording.images(found["count"]),
        ended=all(TaskStatus(task["status"]).final for task in found["tasks"]),
        results=len(made) - len(gone),
        expired=wording.expired(settings.image_hours) if gone else "",
        config=page_config(
            last_change,
            {
                "groupId": group_id,
                "groupDataUrl": url_for("groups.one", group_id=group_id),
                "previewUrl": url_for("images.preview", task_id="ID"),
                "resultUrl": url_for("images.result", task_id="ID"),
                "images": wording.for_scripts(settings),
            },
        ),
    )


@images.post("/images/<group_id>/cancel")
def cancel(group_id: str) -> AnyResponse:
    """Cancels what has not ended of a group, and goes back to its page. A script that asks for JSON gets
    `{"message", "ok"}`."""
    if services().groups.rows.get(group_id) is None:
        abort(404)
    found = services().groups.cancel(group_id)
    text = gettext("There is no such group") if found is None else wording.cancelled(found)
    return say(text, "images", url_for(".group", group_id=group_id), 404 if found is None else 200)


def _send_by_both(images: Sequence[str], operation: Operation, once: str | None) -> list[str]:
    """Sends the images as a group by each method that has workers; returns the groups' ids."""
    groups, found = services().groups, []
    for method in QUEUES:
        key = once and f"{once}:{method}"
        sent = groups.rows.sent_under(key) if key else None
        found.append(sent or groups.send(method, images, operation, key)[0])
    return found


def _operation(form: Form) -> Operation:
    """The operation that is meant. Of the fields only the one that belongs to it counts."""
    name = form.value("operation")
    meant: dict[str, Any] = {"name": name}
    if takes := TAKES.get(name):
        text = form.value(takes).strip()
        meant[takes] = text if takes == "text" else typed(text, whole=takes != "radius")
    return parse(Operation, meant)


def _refuse(form: Form, status: int, refused: Sequence[tuple[str, str]] = ()) -> AnyResponse:
    return make_response(_page(form, refused), status)


def _page(form: Form, refused: Sequence[tuple[str, str]] = ()) -> str:
    """The form with the newest groups; `refused` are names of files that were not taken, each with the reason."""
    settings, rows = services().settings, services().groups.rows
    last_change = services().store.last_change()
    recent = rows.recent(RECENT)
    counts = rows.counts([row["id"] for row in recent])
    groups = [group_json(row, counts[row["id"]]) for row in recent]
    return render_template(
        "images/index.html",
        form=form,
        both=both.shown(request.args.get(both.FIELD, ""), rows, lambda one: url_for(".group", group_id=one)),
        key=secrets.token_urlsafe(16),
        methods=QUEUES,
        refused=refused,
        bounds=bounds(Operation),
        accept=",".join(MEDIA_TYPES.values()),
        settings=settings,
        groups=[
            {
                **group,
                "title": wording.operation(group["operation"]),
                "counted": wording.counted(group["counts"]),
                "images": wording.images(group["count"]),
            }
            for group in groups
        ],
        config=page_config(
            last_change,
            {
                "uploadUrl": url_for("images.upload"),
                "groupsUrl": url_for("groups.send"),
                "takes": TAKES,
                "brokered": list(QUEUES),
                "imagesUrl": url_for(".index"),
                "bounds": {name: bounds(Operation)[name] for name in ("size", "radius")},
                "mostFiles": settings.upload_count,
                "mostBytes": int(settings.upload_megabytes * 1_000_000),
                "images": wording.for_scripts(settings),
            },
        ),
    )


def _flash_refused(refused: Sequence[tuple[str, str]]) -> None:
    """Keeps the first few: messages travel in a cookie."""
    for name, why in refused[:MOST_NAMED]:
        flash(wording.not_taken(_short(name), why), "images refused")
    if len(refused) > MOST_NAMED:
        flash(gettext("%(n)s more files were rejected.", n=len(refused) - MOST_NAMED), "images refused")


def _short(name: str) -> str:
    return name if len(name) <= NAME_LENGTH else f"{name[: NAME_LENGTH - 1]}…"
