"""/openapi.json and /docs: the JSON API described, without reaching the internet."""

from pathlib import Path

import flask_openapi3_swagger
from flask import Blueprint, Response, current_app, render_template, send_from_directory
from flask_openapi3 import OpenAPI
from pydantic.json_schema import models_json_schema

from api.answers import json_answer
from lab.status import StatusUpdate

ROOT = Path(__file__).resolve().parent.parent
SWAGGER = Path(flask_openapi3_swagger.__file__).parent / "templates" / "swagger"

docs = Blueprint("docs", __name__)


def init_app(app: OpenAPI) -> None:
    """Adds what the routes' own signatures cannot say."""
    _, schemas = models_json_schema(
        [(StatusUpdate, "validation")], ref_template="#/components/schemas/{model}"
    )
    app.components_schemas.update(schemas["$defs"])


@docs.get("/openapi.json")
def document() -> Response:
    """The OpenAPI 3.1 document, generated from the routes and their models."""
    app: OpenAPI = current_app  # type: ignore[assignment]
    return json_answer(app.api_doc)


@docs.get("/docs")
def page() -> str:
    """The document to read and to try, by Swagger UI from its package."""
    return render_template("docs.html")


@docs.get("/docs/assets/<path:name>")
def asset(name: str) -> Response:
    """A file of Swagger UI."""
    return send_from_directory(SWAGGER, name, max_age=86400)
