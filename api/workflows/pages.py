"""The pages of workflows: the patterns with the form, recent workflows, and one workflow with its picture."""

import secrets
from functools import cache
from typing import Any, Final

from flask import Blueprint, abort, make_response, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as AnyResponse

from api.services import services
from api.web import both
from api.web.answers import say
from api.web.forms import Form, sent_before
from api.web.keys import form_key
from api.web.page_config import page_config
from api.web.schemas import Invalid
from api.web.wording import gettext
from api.workflows import wording
from api.workflows.form import parse_workflow
from api.workflows.graph import AWAITED, NARROW, TINY, WIDE, Edge, Node, Picture, draw
from api.workflows.patterns import DEFAULT_COUNT, build
from api.workflows.present import workflow_json, workflow_with_nodes
from api.workflows.schemas import PATTERNS
from api.workflows.service import NoChords
from lab.plan import MOST_NODES, WorkflowPlan
from lab.status import TaskStatus
from store.task_queries import Row
from store.tasks import KeyReused
from transports.methods import QUEUES, RABBITMQ

workflows = Blueprint("workflows", __name__)

RECENT: Final = 20
PREVIEW_CHARS: Final = 4_000
SHOWN_RESULTS: Final = 20
_SHAPE_ITEMS: Final = 3


@workflows.get("/workflows")
def index() -> str:
    """The patterns, and the newest workflows."""
    return _page(Form())


@workflows.post("/workflows")
def send() -> AnyResponse:
    """The form: runs a workflow, and goes to its page."""
    form, key = Form(request.form), form_key("workflows", request.form.get("key", ""))
    try:
        if both.FIELD in request.form:
            ids = _send_by_both(key)
            return redirect(url_for(".index", both=",".join(ids)), 303)
        wanted = parse_workflow(form, services().workflows.rows.paths())
        return redirect(url_for(".one", workflow_id=services().workflows.send(wanted, key)), 303)
    except Invalid as error:
        form.refuse(error, wording.faults(), pattern="form", method="form", fail_at="fail")
        return make_response(_page(form), 422)
    except NoChords as error:
        form.errors["form"] = gettext(
            "Celery's result backend here, %(backend)s, has no chords. Choose another pattern, or RabbitMQ.",
            backend=str(error),
        )
    except KeyReused:
        form.errors["form"] = sent_before()
    return make_response(_page(form), 409)


@workflows.get("/workflows/<workflow_id>")
def one(workflow_id: str) -> str:
    """One workflow: its picture, its steps, its result."""
    # The position in the stream comes before the rows: what changes in between is sent again.
    last_change = services().store.last_change()
    row = services().workflows.rows.get(workflow_id) or abort(404)
    found = workflow_with_nodes(workflow_id) or abort(404)
    nodes, edges = _as_drawn(found, row)
    wide = draw(nodes, edges, WIDE)
    never = [n["name"] for n in found["nodes"] if n["status"] == TaskStatus.CANCELLED and not n["started_at"]]
    return render_template(
        "workflows/one.html",
        workflow=found,
        title=wording.patterns()[found["pattern"]]["title"],
        counted=wording.counted(found["counts"]),
        drawn=wording.drawn(found),
        reason=wording.reason(found["error"]),
        ended=TaskStatus(found["status"]).final,
        wide=wide,
        narrow=draw(nodes, edges, NARROW),
        by_id={node["id"]: node for node in found["nodes"]},
        parts=wording.parts,
        never=wording.never_run(never),
        culprit=next((n for n in found["nodes"] if n["status"] == TaskStatus.FAILED), None),
        result=_result(found),
        config=page_config(last_change, {"workflowId": workflow_id, "workflows": wording.for_scripts()}),
    )


@workflows.post("/workflows/<workflow_id>/cancel")
def cancel(workflow_id: str) -> AnyResponse:
    """Cancels the workflow and goes back to its page. A script that asks for JSON gets
    `{"message", "ok"}`."""
    if services().workflows.rows.get(workflow_id) is None:
        abort(404)
    ok = services().workflows.cancel(workflow_id)
    target = url_for(".one", workflow_id=workflow_id)
    return say(wording.cancelled(ok), "workflow", target, 200 if ok else 409)


@cache
def shape(pattern: str) -> Picture:
    """The pattern's shape, drawn small, of a plan as it would be sent by hand."""
    plan, steps = build(pattern, RABBITMQ.name, {}, [""] * _SHAPE_ITEMS, _SHAPE_ITEMS, None)
    made = [f"item-{n}" for n in range(1, _SHAPE_ITEMS + 1)] if plan.made_at >= 0 else []
    kinds = {
        name: f"way-{place}" if pattern == "conditional_map" else "made" for place, name in enumerate(made)
    }
    nodes = [Node(step.name, step.name, step.kind) for step in steps]
    return draw(nodes + [Node(name, name, kinds[name]) for name in made], plan.edges(made), TINY)


def _send_by_both(key: str | None) -> list[str]:
    """Runs the workflow by each method that has workers, once all of them would take it; returns the ids."""
    table = services().workflows.rows.paths()
    typed = [MultiDict({**request.form, "method": method}) for method in QUEUES]
    wanted = [parse_workflow(Form(one), table) for one in typed]
    return [services().workflows.send(one, key and f"{key}:{one.method}") for one in wanted]


def _page(form: Form) -> str:
    settings, rows = services().settings, services().workflows.rows
    last_change = services().store.last_change()
    recent = rows.recent(RECENT)
    counts = rows.counts([row["id"] for row in recent])
    patterns = wording.patterns()
    return render_template(
        "workflows/index.html",
        form=form,
        both=both.shown(request.args.get(both.FIELD, ""), rows, lambda one: url_for(".one", workflow_id=one)),
        key=secrets.token_urlsafe(16),
        methods=QUEUES,
        patterns=[{"name": name, "shape": shape(name), **patterns[name]} for name in PATTERNS],
        table=len(rows.paths()),
        buckets=settings.s3_buckets,
        hosts=settings.download_hosts,
        most=MOST_NODES,
        known_before=wording.known_before(),
        schemes=wording.SCHEMES,
        workflows=[
            {**told, "title": patterns[told["pattern"]]["title"], "counted": wording.counted(told["counts"])}
            for told in (workflow_json(row, counts[row["id"]]) for row in recent)
            if told["pattern"] in patterns
        ],
        config=page_config(last_change, {}),
    )


def _as_drawn(workflow: dict[str, Any], row: Row) -> tuple[list[Node], list[Edge]]:
    """Its nodes and edges, with one node in place of those that a map has still to make."""
    nodes = [Node(node["id"], node["name"], node["kind"], node["status"]) for node in workflow["nodes"]]
    edges: list[Edge] = [(begin, end) for begin, end in workflow["edges"]]
    plan = WorkflowPlan.model_validate(row["plan"])
    if plan.made_at < 0 or any(plan.stage_of(node.name) == plan.made_at for node in nodes):
        return nodes, edges
    before = [node.key for node in nodes if plan.stage_of(node.name) == plan.made_at - 1]
    after = [node.key for node in nodes if plan.stage_of(node.name) == plan.made_at + 1]
    ended = TaskStatus(workflow["status"]).final
    status = TaskStatus.CANCELLED if ended else TaskStatus.PENDING
    awaited = Node(AWAITED, "", "", status.value, 1 if ended else _expected(workflow["params"]))
    edges = [(begin, end) for begin, end in edges if not (begin in before and end in after)]
    return [*nodes, awaited], [
        *edges,
        *((key, AWAITED) for key in before),
        *((AWAITED, key) for key in after),
    ]


def _expected(params: dict[str, Any]) -> int:
    """How many tasks a map will make, as far as that is known."""
    source = params.get("source", {})
    known = source.get("paths") or (services().workflows.rows.paths() if "table" in source else ())
    return int(params.get("count") or len(known) or DEFAULT_COUNT)


def _result(workflow: dict[str, Any]) -> dict[str, Any]:
    """What is shown of its result: `facts` about a file and the beginning of its `text`, or a `rows` for
    each file that was fetched; `more` of them are left out."""
    told = workflow["result"]
    if isinstance(told, list):
        rows = [one for one in told if isinstance(one, dict)]
        return {"rows": rows[:SHOWN_RESULTS], "more": len(rows) - len(rows[:SHOWN_RESULTS])}
    if not isinstance(told, dict):
        return {}
    return {
        "facts": {name: told[name] for name in told if name != "task"},
        **_preview(str(told.get("task", ""))),
    }


def _preview(task_id: str) -> dict[str, Any]:
    try:
        with services().image_files.made(task_id, "result").open("rb") as file:
            raw = file.read(4 * PREVIEW_CHARS)
    except (ValueError, OSError):
        return {"text": None, "cut": False}
    text = raw.decode(errors="replace")
    return {"text": text[:PREVIEW_CHARS], "cut": len(text) > PREVIEW_CHARS}
