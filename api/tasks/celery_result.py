"""One task as Celery's guides ask for it: `GET /task/<task_id>`."""

from typing import Any

from flask import Response, abort, current_app, json
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field

from api.services import services
from api.web.schemas import Problem, TaskPath
from lab.status import TaskStatus
from store.tasks import Row
from transports.celery.groups import BackendAway

task_result = APIBlueprint(
    "task_result", __name__, abp_tags=[Tag(name="Tasks", description="Submit timed jobs and follow them")]
)

# The statuses of the lab in Celery's words: https://docs.celeryq.dev/en/stable/userguide/tasks.html#states
STATUSES = {
    TaskStatus.PENDING: "PENDING",
    TaskStatus.IN_PROGRESS: "STARTED",
    TaskStatus.RETRYING: "RETRY",
    TaskStatus.DONE: "SUCCESS",
    TaskStatus.FAILED: "FAILURE",
    TaskStatus.CANCELLED: "REVOKED",
}


class CeleryResultOut(BaseModel):
    """A task in Celery's words: `result` of SUCCESS, `error` of FAILURE, `progress` of PROCESSING."""

    task_id: str
    status: str
    result: Any = None
    error: str | None = None
    progress: float | None = Field(None, description="0 to 100")


@task_result.get("/task/<task_id>", responses={200: CeleryResultOut, 503: Problem})
def result(path: TaskPath) -> Response:
    """One task, in Celery's words

    Tasks of the lab, of every method, and those that any Celery client has sent and whose result is kept. An
    id that nobody knows is PENDING, as Celery has it.
    """
    row = services().store.get(path.task_id)
    try:
        found = services().results.look(path.task_id) if row is None else in_celerys_words(row)
    except BackendAway as away:
        current_app.logger.warning("the result backend: %s", away)
        abort(503, "the result backend does not answer; try again")
    text = json.dumps({"task_id": path.task_id, **found}, default=str)
    return current_app.response_class(text, 200, content_type="application/json")


def in_celerys_words(row: Row) -> dict[str, Any]:
    """The task in `row` of the store, as Celery would tell of it."""
    status = TaskStatus(row["status"])
    if status is TaskStatus.DONE:
        return {"status": STATUSES[status], "result": row["result"]}
    if status is TaskStatus.FAILED:
        return {"status": STATUSES[status], "error": row["error"]}
    if status is TaskStatus.IN_PROGRESS and row["progress"]:
        return {"status": "PROCESSING", "progress": round(100 * row["progress"])}
    return {"status": STATUSES[status]}
