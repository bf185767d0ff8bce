"""Errors of the JSON routes as problem documents (RFC 9457)."""

from typing import Any

from flask import Flask, Response, current_app, json, render_template, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException, InternalServerError

from api.schemas import Invalid, faults

JSON_PREFIXES = ("/api/", "/update_task_status_api", "/events", "/healthz", "/readyz", "/openapi.json")


def problem(status: int, title: str, detail: str, errors: list[dict[str, Any]] | None = None) -> Response:
    """A problem document. `detail` is a sentence that says what to do; `errors` names fields."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    if errors:
        body["errors"] = errors
    return Response(json.dumps(body), status, content_type="application/problem+json")


def invalid(errors: list[dict[str, Any]], status: int = 422) -> Response:
    """The answer to a request whose fields are at fault."""
    detail = "; ".join(f"{error['field']}: {error['message']}" for error in errors)
    return problem(status, "The request is not valid", detail, errors)


def on_validation_error(error: ValidationError) -> Response:
    """flask-openapi3's hook for requests that do not fit their model."""
    return invalid(faults(error))


def init_app(app: Flask) -> None:
    """Registers the handlers: problem documents on the JSON routes, a page everywhere else."""

    @app.errorhandler(Invalid)
    def on_invalid(error: Invalid) -> Response:
        return invalid(error.problems)

    @app.errorhandler(HTTPException)
    def on_http_error(error: HTTPException) -> Response:
        if error.response is not None:
            return error.response  # type: ignore[return-value]
        code, name = error.code or 500, error.name
        if request.path.startswith(JSON_PREFIXES):
            response = problem(code, name, error.description or name)
        else:
            response = current_app.make_response((render_template("error.html", code=code, name=name), code))
        for header, value in error.get_headers():
            if header.lower() in ("allow", "retry-after"):
                response.headers[header] = value
        return response

    @app.errorhandler(Exception)
    def on_bug(error: Exception) -> Response:
        current_app.logger.exception("%s %s failed", request.method, request.path, exc_info=error)
        return on_http_error(InternalServerError())
