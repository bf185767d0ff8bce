"""Answers of the JSON routes, all written in one way."""

from typing import Any

from flask import Response, current_app, json


def json_answer(body: dict[str, Any], status: int = 200) -> Response:
    """`body` as JSON, as the application writes it, with the HTTP status `status`."""
    return current_app.response_class(json.dumps(body), status, content_type="application/json")
