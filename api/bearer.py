"""The token of a task as workers show it: `Authorization: Bearer <token>` (RFC 6750)."""

from typing import NoReturn

from flask import abort, request

from api.problems import problem
from api.services import services
from lab.token import verify


def check_token(task_id: str) -> None:
    """Ends this request with 403 unless it carries the token of the task `task_id`."""
    given = request.authorization
    token = given.token if given is not None and given.type == "bearer" else None
    if not verify(services().secret, task_id, token or ""):
        forbid()


def forbid() -> NoReturn:
    """Ends this request with 403."""
    abort(problem(403, "Forbidden", "the token is wrong for this task"))
