"""Errors of the JSON routes as problem documents (RFC 9457)."""

from typing import Any, Final, Self

from flask import Flask, Response, current_app, json, render_template, request
from flask_babel import gettext
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import Conflict, HTTPException, InternalServerError

from api.web.answers import wants_json
from api.web.schemas import Invalid, faults
from lab.reporting.spool import FULL_DISK
from store.tasks import KeyReused

JSON_PREFIXES = (
    "/api/", "/update_task_status_api", "/events", "/healthz", "/readyz", "/metrics", "/openapi.json",
    "/process_images", "/status/", "/cancel/", "/task/",
)  # fmt: skip

MOST_ERRORS: Final = 20
MOST_LETTERS: Final = 200


class Refusal(HTTPException):
    """An error whose `description` is a sentence for anyone who asked, in their language."""

    def __init__(self, code: int, description: str, retry_after: int | None = None) -> None:
        super().__init__(description)
        self.code = code
        self.retry_after = retry_after

    @classmethod
    def too_many(cls, wait: int) -> Self:
        """Too many requests came; the next one is accepted in `wait` seconds."""
        text = gettext("Too many requests from one address. Wait %(n)s s and send again.", n=wait)
        return cls(429, text, wait)

    def get_headers(self, *_: Any, **__: Any) -> list[tuple[str, str]]:
        return [] if self.retry_after is None else [("Retry-After", str(self.retry_after))]


def wants_document() -> bool:
    """Whether a program asks: on a JSON route, or a page's script on another one."""
    return wants_json() or request.path.startswith(JSON_PREFIXES)


def refuse(error: HTTPException) -> Response:
    """The answer that says what is wrong: a problem document to programs, a page to people."""
    code, name = error.code or 500, error.name
    if wants_document():
        response = problem(code, name, error.description or name)
    else:
        text = error.description if isinstance(error, Refusal) else ""
        page = render_template("web/error.html", code=code, name=name, text=text)
        response = current_app.make_response((page, code))
    for header, value in error.get_headers():
        if header.lower() in ("allow", "retry-after"):
            response.headers[header] = value
    return response


def problem(
    status: int, title: str, detail: str, errors: list[dict[str, Any]] | None = None, **more: Any
) -> Response:
    """A problem document. `detail` is a sentence that says what to do; `errors` names fields; `more` are
    members of its own."""
    body: dict[str, Any] = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    if errors:
        body["errors"] = errors
    body.update(more)
    return Response(json.dumps(body), status, content_type="application/problem+json")


def invalid(errors: list[dict[str, Any]], status: int = 422) -> Response:
    """The answer to a request whose fields are at fault: it names at most MOST_ERRORS of them."""
    told = [{**error, "field": error["field"][:MOST_LETTERS]} for error in errors[:MOST_ERRORS]]
    said = [f"{error['field']}: {error['message']}" for error in told]
    if more := len(errors) - len(told):
        said.append(f"and {more} more")
    return problem(status, "The request is not valid", "; ".join(said), told)


def on_validation_error(error: ValidationError) -> Response:
    """flask-openapi3's hook for requests that do not fit their model."""
    return invalid(faults(error))


def init_app(app: Flask) -> None:
    """Registers the handlers: problem documents on the JSON routes, a page everywhere else."""

    @app.errorhandler(Invalid)
    def on_invalid(error: Invalid) -> Response:
        return invalid(error.problems)

    @app.errorhandler(KeyReused)
    def on_reused_key(_: KeyReused) -> Response:
        return refuse(Conflict("this Idempotency-Key was used before, with another request"))

    @app.errorhandler(HTTPException)
    def on_http_error(error: HTTPException) -> Response:
        if error.response is not None:
            return error.response  # type: ignore[return-value]
        return refuse(error)

    @app.errorhandler(DBAPIError)
    def on_store_error(error: DBAPIError) -> Response:
        current_app.logger.error("%s %s: the store: %s", request.method, request.path, error.orig)
        return refuse(Refusal(503, gettext("The store does not answer. Nothing was changed; try again."), 5))

    @app.errorhandler(Exception)
    def on_bug(error: Exception) -> Response:
        if isinstance(error, OSError) and error.errno in FULL_DISK:
            return refuse(Refusal(503, gettext("The disk is full. Nothing was changed; try again."), 5))
        current_app.logger.exception("%s %s failed", request.method, request.path, exc_info=error)
        return on_http_error(InternalServerError())
