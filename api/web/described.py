"""The OpenAPI document as the page of the JSON API shows it: routes by their tags, types in words."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup, escape

_CODE: Final = re.compile("`([^`]+)`")
_BOUNDS: Final = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "minLength": "≥ {} characters",
    "maxLength": "≤ {} characters",
    "minItems": "≥ {} items",
    "maxItems": "≤ {} items",
    "pattern": "matches {}",
}


@dataclass(frozen=True)
class ApiField:
    """A parameter of a route, or a field of a document."""

    name: str
    type: Markup
    about: Markup
    required: bool
    place: str = ""


@dataclass(frozen=True)
class ApiAnswer:
    """What a route answers with one status."""

    status: str
    about: Markup
    type: Markup


@dataclass(frozen=True)
class ApiRoute:
    """A route with one HTTP method. `body` is what the request carries, if anything."""

    id: str
    verb: str
    path: str
    summary: Markup
    about: Markup
    parameters: tuple[ApiField, ...]
    body: Markup
    answers: tuple[ApiAnswer, ...]


def routes(document: Mapping[str, Any]) -> dict[str, list[ApiRoute]]:
    """All routes, by the name of their tag, in the document's order."""
    found: dict[str, list[ApiRoute]] = {tag["name"]: [] for tag in document["tags"]}
    for path, item in document["paths"].items():
        for verb, told in item.items():
            found.setdefault(told["tags"][0], []).append(_route(path, verb, told))
    return found


def schemas(document: Mapping[str, Any]) -> Iterator[tuple[str, Markup, Markup, tuple[ApiField, ...]]]:
    """Each document that routes take or answer with: its name, its type, what it is, and its fields."""
    for name, schema in sorted(document["components"]["schemas"].items()):
        required = schema.get("required", ())
        fields = tuple(
            ApiField(field, type_text(told), prose(told.get("description", "")), field in required)
            for field, told in schema.get("properties", {}).items()
        )
        yield name, type_text(schema), prose(schema.get("description", "")), fields


def type_text(schema: Mapping[str, Any]) -> Markup:
    """What a value has to be, in a few words, with links to the documents that it names."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return Markup('<a href="#schema-{0}">{0}</a>').format(name)
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return Markup(" | ").join(map(type_text, schema[several]))
    if "const" in schema:
        return Markup("<code>{}</code>").format(schema["const"])
    if "enum" in schema:
        return Markup(" | ").join(Markup("<code>{}</code>").format(value) for value in schema["enum"])
    told = escape(schema.get("format") or schema.get("type", "anything"))
    if schema.get("type") == "array" and schema.get("items"):
        told = Markup("array of {}").format(type_text(schema["items"]))
    bounds = [text.format(_plain(schema[bound])) for bound, text in _BOUNDS.items() if bound in schema]
    if schema.get("default") not in (None, ""):
        bounds.append(f"default {json.dumps(schema['default'])}")
    return Markup(", ").join([told, *bounds])


def prose(text: str) -> Markup:
    """`text` as HTML, with what stands between backticks as code."""
    parts = _CODE.split(text)  # every second one stood between backticks
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else escape(part)
        for place, part in enumerate(parts)
    )


def _route(path: str, verb: str, told: Mapping[str, Any]) -> ApiRoute:
    parameters = tuple(
        ApiField(
            one["name"],
            type_text(one["schema"]),
            prose(one.get("description", "")),
            one["required"],
            one["in"],
        )
        for one in told.get("parameters", ())
    )
    answers = tuple(
        ApiAnswer(status, prose(answer["description"]), _content(answer))
        for status, answer in sorted(told["responses"].items())
    )
    body = _content(told.get("requestBody", {}))
    summary = prose(told.get("summary", ""))
    about = prose(told.get("description", "").replace("<br/>", " ").strip())
    return ApiRoute(told["operationId"], verb.upper(), path, summary, about, parameters, body, answers)


def _content(part: Mapping[str, Any]) -> Markup:
    """The media types that a request or an answer carries, each with its document."""
    told = (
        Markup("<code>{}</code> {}")
        .format(kind, type_text(media["schema"]) if "schema" in media else "")
        .strip()
        for kind, media in part.get("content", {}).items()
    )
    return Markup("; ").join(told)


def _plain(bound: float | str) -> str:
    return bound if isinstance(bound, str) else f"{bound:.12g}"
