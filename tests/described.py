"""Holds the API's answers against its own description: each JSON answer has the keys that `/openapi.json` gives it."""

import re
from typing import Any

from flask import Flask, Response, request

_TYPES = {
    "array": list,
    "object": dict,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}
_CONVERTED = re.compile(r"<(?:[^<>:]+:)?([^<>:]+)>")


def check_answers(app: Flask, description: dict[str, Any]) -> None:
    """Has `app` fail a request whose JSON answer has a key that is not described, or lacks one that always is."""

    def check(response: Response) -> Response:
        rule = request.url_rule
        if rule is not None and response.mimetype == "application/json" and not response.is_streamed:
            path = _CONVERTED.sub(r"{\1}", rule.rule)
            operation = description["paths"].get(path, {}).get(request.method.lower())
            if operation is not None:
                told = operation["responses"].get(str(response.status_code), {}).get("content", {})
                schema = told.get("application/json", {}).get("schema")
                at = f"{request.method} {path} {response.status_code}"
                assert schema is not None, f"{at} is not described"
                faults = _faults(schema, response.get_json(), description, at)
                assert not faults, "; ".join(faults)
        return response

    app.after_request(check)


def _faults(schema: dict[str, Any], value: Any, whole: dict[str, Any], at: str) -> list[str]:
    if "$ref" in schema:
        schema = whole["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if variants := schema.get("anyOf"):
        found = [_faults(variant, value, whole, at) for variant in variants if _of_type(variant, value)]
        return min(found, key=len, default=[])
    if schema.get("type") in _TYPES and not isinstance(value, _TYPES[schema["type"]]):
        return [f"{at}: {value!r:.40} is no {schema['type']}"]
    if isinstance(value, list):
        items = schema.get("items", {})
        return [fault for n, item in enumerate(value) for fault in _faults(items, item, whole, f"{at}[{n}]")]
    if not isinstance(value, dict) or "properties" not in schema:
        return []
    known, more = schema["properties"], schema.get("additionalProperties", False)
    faults = [f"{at}: {key!r} is not described" for key in value.keys() - known.keys() if more is False]
    faults += [f"{at}: {key!r} is missing" for key in set(schema.get("required", ())) - value.keys()]
    for key in value.keys() & known.keys():
        faults += _faults(known[key], value[key], whole, f"{at}.{key}")
    return faults


def _of_type(variant: dict[str, Any], value: Any) -> bool:
    return (variant.get("type") == "null") == (value is None)
