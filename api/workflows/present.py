"""A workflow as the outside sees it."""

from typing import Any

from flask import url_for

from api.services import services
from api.web.present import result_json, task_json
from lab.clock import now_us, to_iso
from lab.plan import WorkflowPlan
from lab.status import TaskStatus
from store.task_queries import Row, count_statuses


def workflow_json(row: Row, counts: dict[str, int]) -> dict[str, Any]:
    """A workflow, with how many of its nodes stand at each status; `total` is seconds."""
    finished, created = row["finished_us"], row["created_us"]
    result = row["result"]
    made = row["status"] == TaskStatus.DONE and isinstance(result, dict) and "task" in result
    return {
        "id": row["id"],
        "pattern": row["pattern"],
        "method": row["method"],
        "params": row["params"],
        "status": row["status"],
        "error": row["error"],
        **result_json(row),
        "result_url": url_for("workflows.result", workflow_id=row["id"]) if made else None,
        "counts": counts,
        "created_at": to_iso(created),
        "finished_at": None if finished is None else to_iso(finished),
        "total": max(0, (finished or now_us()) - created) / 1e6,
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
