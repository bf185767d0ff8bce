"""A group as the outside sees it."""

from typing import Any

from flask import url_for
from pydantic import BaseModel

from api.images.routes import image_json, kept_files
from api.services import services
from api.web.present import TaskOut, row_json, task_json
from lab.status import TaskStatus
from store.task_queries import Row, count_statuses


class GroupOut(BaseModel):
    """A group; `share` is the share of its tasks that are DONE, 0 to 1."""

    id: str
    method: str
    operation: dict[str, Any] | None
    count: int
    share: float
    counts: dict[str, int]
    created_at: str
    archive_url: str


class GroupTaskOut(TaskOut):
    """A task of a group, its image, and where what it made is available."""

    image: dict[str, Any]
    preview_url: str | None
    result_url: str | None


class GroupWithTasks(GroupOut):
    """A group with its tasks, in the order of its images."""

    tasks: list[GroupTaskOut]


class OneGroupOut(BaseModel):
    """A group."""

    group: GroupWithTasks


class GroupsOut(BaseModel):
    """Groups, newest first."""

    groups: list[GroupOut]


def group_json(row: Row, counts: dict[str, int]) -> dict[str, Any]:
    """A group, with how many of its tasks stand at each status."""
    return {
        **row_json(GroupOut, row),
        "operation": row["operation"] if isinstance(row["operation"], dict) else None,
        "share": counts[TaskStatus.DONE] / row["count"],
        "counts": counts,
        "archive_url": url_for("groups.results", group_id=row["id"]),
    }


def group_with_tasks(group_id: str) -> dict[str, Any] | None:
    """A group with its tasks, each with its image and the addresses of what it made; None where there is
    no such group."""
    rows = services().groups.rows
    group = rows.get(group_id)
    if group is None:
        return None
    tasks = rows.tasks(group_id)
    counts = count_statuses(task["status"] for task in tasks)
    uploads = services().uploads.get([task["params"]["image_id"] for task in tasks])
    ids = [task["id"] for task in tasks if task["status"] == TaskStatus.DONE]
    has = {"preview": kept_files(ids, "preview"), "result": kept_files(ids, "result")}

    def link(part: str, task_id: str) -> str | None:
        return url_for(f"images.{part}", task_id=task_id) if task_id in has[part] else None

    def told(task: Row) -> dict[str, Any]:
        image_id = task["params"]["image_id"]
        upload = uploads.get(image_id)
        image = image_json(upload) if upload else {"id": image_id, "name": image_id}
        links = {"preview_url": link("preview", task["id"]), "result_url": link("result", task["id"])}
        return {**task_json(task), "image": image, **links}

    return {**group_json(group, counts), "tasks": [told(task) for task in tasks]}
