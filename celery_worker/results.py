"""Celery cannot; the lab adds: `AsyncResult` and `celery -A celery_app result ID` tell of every task of the lab.

Results of tasks that the page sends lie in the lab's store, so that no job waits for a result backend. Of that which
RESULT_BACKEND names one public method is extended: where it knows nothing of a task, the API is asked, by no worker.
"""

from contextlib import suppress
from typing import Any
from urllib.parse import quote

from celery import current_task, states
from celery.app.backends import by_url
from celery.exceptions import TaskRevokedError
from requests import RequestException

from celery_app import celery_app, settings
from lab.jobs.context import TemporaryError
from lab.jobs.task_api import Refused, beside, exchange

_Backend: Any = by_url(settings.result_backend, celery_app.loader)[0]
_name = settings.result_backend.partition("://")[0].partition("+")[0]
celery_app.loader.override_backends = {_name: "celery_worker.results:LabResults"}


class TaskFailed(Exception):
    """The task failed, as this says."""


class LabResults(_Backend):  # type: ignore[misc]
    """The result backend, and the lab's store behind it."""

    def get_task_meta(self, task_id: str, cache: bool = True) -> Any:
        """As Celery's. The job's own exception may come while the API is asked, which has its words only."""
        found = super().get_task_meta(task_id, cache=cache)
        if found["status"] == states.PENDING and not current_task:
            with suppress(RequestException, TemporaryError, Refused, ValueError, KeyError):
                told = found | {"task_id": task_id} | _in_celerys_form(_ask(task_id))
                found = super().get_task_meta(task_id, cache=False)
                return told if found["status"] == states.PENDING else found
        return found


def _ask(task_id: str) -> dict[str, Any]:
    url = beside(settings.api_url, f"task/{quote(task_id, safe='')}")
    login = (settings.user, settings.password) if settings.user else None
    with exchange("GET", url, {}, Refused, auth=login, timeout=5.0) as answer:
        return dict(answer.json())


def _in_celerys_form(told: dict[str, Any]) -> dict[str, Any]:
    result: Any = told.get("result")
    match told["status"]:
        case states.FAILURE:
            result = TaskFailed(told["error"])
        case states.REVOKED:
            result = TaskRevokedError("it was cancelled")
        case "PROCESSING":
            result = {"progress": told["progress"]}
    return {"status": told["status"], "result": result, "traceback": None, "children": []}
