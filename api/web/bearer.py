"""The token of a task as workers show it: `Authorization: Bearer <token>` (RFC 6750)."""

from typing import NoReturn

from flask import abort, request

from api.services import services
from lab.token import verify


def need_token(task_id: str) -> None:
    """Refuses this request with 403 unless it carries the token of the task `task_id`."""
    given = request.authorization
    if given is None or given.type != "bearer" or not verify(services().secrets, task_id, given.token or ""):
        forbid()


def forbid() -> NoReturn:
    """Refuses this request as one without the right token."""
    abort(403, "the token is wrong for this task")
