"""What the form of the page of workflows means."""

from collections.abc import Sequence
from typing import Any, Final

from api.web.forms import Form, parse
from api.web.numbers import typed
from api.workflows.patterns import build
from api.workflows.schemas import WorkflowRequest
from lab.plan import Step, WorkflowPlan

FAILS: Final = ("first", "middle", "last")


def parse_workflow(form: Form, table: Sequence[str]) -> WorkflowRequest:
    """The workflow that is meant; `table` are the paths of the table of samples.

    Raises:
        Invalid: a field is not what it should be, or does not go with the pattern.
    """
    wanted: dict[str, Any] = {name: form.value(name) for name in ("pattern", "method")}
    if count := form.value("count").strip():
        wanted["count"] = typed(count, whole=True)
    match form.value("source", "table"):  # what was typed for the other inputs does not count
        case "folder" | "bucket" as name:
            wanted["source"] = {name: form.value(name).strip()}
        case "paths":
            lines = [line.strip() for line in form.value("paths").splitlines()]
            wanted["source"] = {"paths": [line for line in lines if line]}
    request = parse(WorkflowRequest, wanted)
    return request.model_copy(update={"fail_at": _fails_at(form.value("fail"), request, table)})


def _fails_at(which: str, request: WorkflowRequest, table: Sequence[str]) -> str | None:
    """The name of the node that is to fail: the first, one in the middle, or the last."""
    if which not in FAILS:
        return None
    source = request.source.named()
    known = source.get("paths") or (list(table) if "table" in source else None)
    plan, steps = build(request.pattern, request.method, source, known, request.count, None)
    names = _names(plan, steps, request.count or len(known or ()) or 1)
    return names[{"first": 0, "middle": len(names) // 2, "last": -1}[which]]


def _names(plan: WorkflowPlan, steps: Sequence[Step], items: int) -> list[str]:
    """All nodes from first to last, also those that a map will make of `items`."""
    names = [step.name for step in steps if step.kind != "dmap"]
    if plan.made_at < 0:
        return names
    before = sum(plan.stage_of(name) < plan.made_at for name in names)
    return [*names[:before], *(f"item-{n}" for n in range(1, items + 1)), *names[before:]]
