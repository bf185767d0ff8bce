"""/openapi.json and /docs: the JSON API described, without reaching the internet."""

from http import HTTPStatus
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, current_app, render_template, request
from flask_openapi3 import OpenAPI
from pydantic.json_schema import models_json_schema

from api.web.answers import json_answer
from api.web.described import prose, routes, schemas
from lab.status import StatusUpdate

ROOT = Path(__file__).resolve().parents[2]

_PROBLEM = {"schema": {"$ref": "#/components/schemas/Problem"}}

docs = Blueprint("docs", __name__)


def init_app(app: OpenAPI) -> None:
    """Adds what the routes' own signatures cannot say."""
    _, schemas = models_json_schema(
        [(StatusUpdate, "validation")], ref_template="#/components/schemas/{model}"
    )
    app.components_schemas.update(schemas["$defs"])
    for path, item in app.api_doc["paths"].items():
        for method, operation in item.items():
            _describe_errors(operation, method != "get", "{" in path)


def _describe_errors(operation: dict[str, Any], acts: bool, named: bool) -> None:
    """Adds what any route may answer: to a request that `acts`, to an address in which something is `named`."""
    responses = operation["responses"]
    statuses = {401, 403, 414, 503, *([429] if acts else []), *([404] if named else [])}
    if "requestBody" in operation:
        statuses |= {400, 413, 415}
    for status in statuses:
        responses.setdefault(str(status), {"description": HTTPStatus(status).phrase})
    for status, response in responses.items():
        if status[0] not in "45":
            continue
        own = response.setdefault("content", {}).pop("application/json", _PROBLEM)
        if own["schema"].get("$ref", _PROBLEM["schema"]["$ref"]) != _PROBLEM["schema"]["$ref"]:
            response["content"]["application/json"] = own  # of a route that has errors of another form
        response["content"]["application/problem+json"] = _PROBLEM
    responses["414"]["content"] = {"text/html": {"schema": {"type": "string"}}}  # gunicorn's own
    if not any(status.startswith("2") for status in responses):
        responses["200"] = {"description": HTTPStatus.OK.phrase}
    responses["422"]["description"] = HTTPStatus.UNPROCESSABLE_ENTITY.phrase


@docs.get("/openapi.json")
def document() -> Response:
    """The OpenAPI 3.1 document, generated from the routes and their models."""
    app: OpenAPI = current_app  # type: ignore[assignment]
    servers = [{"url": request.script_root or "/"}]
    return json_answer({**app.api_doc, "servers": servers})


@docs.get("/docs")
def page() -> str:
    """The same document to read."""
    app: OpenAPI = current_app  # type: ignore[assignment]
    document = app.api_doc
    return render_template(
        "web/docs.html",
        routes=routes(document),
        tags={tag["name"]: prose(tag.get("description", "")) for tag in document["tags"]},
        schemas=schemas(document),
        root=request.url_root.rstrip("/"),
    )
