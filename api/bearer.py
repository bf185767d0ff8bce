"""The token of a task as workers show it: `Authorization: Bearer <token>` (RFC 6750)."""

from flask import Response, request

from api.problems import problem
from api.services import services
from lab.token import verify


def holds_token(task_id: str) -> bool:
    """Whether this request carries the token of the task `task_id`."""
    given = request.authorization
    return (
        given is not None and given.type == "bearer" and verify(services().secret, task_id, given.token or "")
    )


def refuse() -> Response:
    """The answer to one that does not."""
    return problem(403, "Forbidden", "the token is wrong for this task")
