"""A workflow as the outside sees it."""

from typing import Any

from flask import url_for

from api.services import services
from api.web.present import result_json, row_json, task_json
from api.workflows.schemas import WorkflowOut
from lab.clock import now_us
from lab.plan import WorkflowPlan
from lab.status import TaskStatus
from store.task_queries import Row, count_statuses


def workflow_json(row: Row, counts: dict[str, int]) -> dict[str, Any]:
    """A workflow, with how many of its nodes stand at each status; `total` is seconds."""
    result = row["result"]
    made = row["status"] == TaskStatus.DONE and isinstance(result, dict) and "task" in result
    return {
        **row_json(WorkflowOut, row),
        **result_json(row),
        "result_url": url_for("workflows.result", workflow_id=row["id"]) if made else None,
        "counts": counts,
        "total": max(0, (row["finished_us"] or now_us()) - row["created_us"]) / 1e6,
    }


def workflow_with_nodes(workflow_id: str) -> dict[str, Any] | None:
    """A workflow with its nodes and edges; None where there is no such workflow."""
    rows = services().workflows.rows
    row = rows.get(workflow_id)
    if row is None:
        return None
    nodes = rows.nodes(workflow_id)
    counts = count_statuses(node["status"] for node in nodes)
    plan = WorkflowPlan.model_validate(row["plan"])
    made = [node["node"] for node in nodes if plan.stage_of(node["node"]) == plan.made_at]
    ids = {node["node"]: node["id"] for node in nodes}
    return {
        **workflow_json(row, counts),
        "nodes": [{**task_json(node), "name": node["node"]} for node in nodes],
        "edges": [[ids[begin], ids[end]] for begin, end in plan.edges(made)],
    }
