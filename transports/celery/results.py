"""What Celery's result backend knows of a task that any Celery client has sent.

https://docs.celeryq.dev/en/stable/reference/celery.result.html#celery.result.AsyncResult
"""

from typing import Any

from celery import Celery, states

from celery_app import create_celery
from lab.delivery import Delivery
from lab.settings import Settings
from transports.celery.groups import BackendAway

PROCESSING = "PROCESSING"


class CeleryResults:
    """Tasks by their ids. Nothing connects until one is asked for."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._made: Celery | None = None

    def look(self, task_id: str) -> dict[str, Any]:
        """The task's `status`, and its `result`, `error` or `progress` (0 to 100) where it has one. A task
        that the backend has never heard of is PENDING, as in Celery.

        Raises:
            BackendAway: the result backend does not answer.
        """
        if "\x00" in task_id:
            return {"status": states.PENDING}
        if self._made is None:
            self._made = create_celery(self._settings, Delivery.SAFE)
        try:
            found = self._made.backend.get_task_meta(task_id)
        except Exception as error:  # each backend has errors of its own
            raise BackendAway(f"{type(error).__name__}: {error}") from error
        status, result = found["status"], found["result"]
        if status == states.SUCCESS:
            return {"status": status, "result": result}
        if status == states.FAILURE:
            return {"status": status, "error": str(result)}
        if status == PROCESSING and isinstance(result, dict):
            return {"status": status, "progress": result.get("progress", 0)}
        return {"status": status}
