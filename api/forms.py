"""A page's form: as it was typed, as the request that is meant, and what is wrong with it, field by field."""

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from api.i18n import number
from api.job_request import FIELDS, MODELS, PARAMETERS
from api.schemas import Invalid, TaskRequest, faults
from api.wording import gettext
from lab.kinds import PLAIN
from lab.signatures import MAX_WHOLE, Parameter, parameters

LONGEST_VALUE: Final = 100_000
TASK_FIELDS: Final = (
    "method", "kind", "delivery", "timeout", "numbers", "times", "count", "max_retries", "time_limit",
    "countdown", "expires", "priority",
)  # fmt: skip

_Model = TypeVar("_Model", bound=BaseModel)


@dataclass
class Form:
    """A form as it was typed, and what is wrong with each of its fields; `errors["form"]` is about the whole."""

    values: Mapping[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    def value(self, name: str, default: str = "") -> str:
        """What was typed into the field `name`, or `default`."""
        return self.values.get(name, default)[:LONGEST_VALUE]

    def refuse(self, error: Invalid, says: Mapping[str, str], **places: str) -> None:
        """Keeps a sentence for each problem of `error`: what `says` has for its code, else for its field.
        `places` are the names of fields that the form calls otherwise than the request."""
        for problem in error.problems:
            whole = re.sub(r"\.\d+$", "", problem["field"])
            name = whole.partition(".")[0]
            text = next((says[key] for key in (problem.get("code"), whole, name) if key in says), None)
            self.errors.setdefault(places.get(name, name), text or str(problem["message"]))


def parse(model: type[_Model], wanted: Mapping[str, Any]) -> _Model:
    """`wanted` as `model` takes it.

    Raises:
        Invalid: a field is not what it should be.
    """
    try:
        return model.model_validate(wanted)
    except ValidationError as error:
        raise Invalid(faults(error)) from error


@cache
def bounds(model: type[BaseModel]) -> dict[str, dict[str, Any]]:
    """The JSON schema of each field of `model`; of several types that a field takes, the first."""
    properties = model.model_json_schema()["properties"]
    return {name: properties[name].get("anyOf", [properties[name]])[0] for name in model.model_fields}


def sentences(model: type[BaseModel], prefix: str = "") -> dict[str, str]:
    """What each field of `model` takes, in the reader's language; `prefix` comes before the names."""
    return {prefix + name: text for name, about in bounds(model).items() if (text := _sentence(about))}


def _sentence(about: Mapping[str, Any]) -> str:
    kind = about.get("type")
    least = next((about[key] for key in ("minimum", "exclusiveMinimum", "minItems") if key in about), 0)
    most = next((about[key] for key in ("maximum", "maxItems", "maxLength") if key in about), None)
    if "enum" in about:
        return gettext("One of these: %(values)s.", values=", ".join(map(str, about["enum"])))
    if most is None or most == MAX_WHOLE:
        return {"number": gettext("A number."), "integer": gettext("A whole number.")}.get(str(kind), "")
    names = {"least": number(least), "most": number(most)}
    if kind == "integer":
        return gettext("A whole number from %(least)s to %(most)s.", **names)
    if kind == "number" and "exclusiveMinimum" in about:
        return gettext("A number above %(least)s, at most %(most)s.", **names)
    if kind == "number":
        return gettext("A number from %(least)s to %(most)s.", **names)
    if kind == "string":
        return gettext("A line of text, at most %(most)s characters.", **names)
    return gettext("%(least)s to %(most)s numbers, separated by spaces or commas.", **names)


def sent_before() -> str:
    """Why a form is not taken under a key that came before."""
    return gettext("This form was sent before, with other values. Send it again?")


def task_sentences(most_seconds: float, chosen: str = "") -> dict[str, str]:
    """What each field of the forms of tasks takes, and what some codes of problems mean. `most_seconds` is how
    long one request may run jobs, `chosen` the kind whose parameters are also meant by their names alone."""
    found = sentences(TaskRequest)
    for kind, model in MODELS.items():
        found |= sentences(model, f"{kind}.") | (sentences(model) if kind == chosen else {})
    return {
        **found,
        "expires": gettext(
            "A number above that of “Not before”, at most %(most)s.",
            most=number(bounds(TaskRequest)["expires"]["maximum"]),
        ),
        "missing": gettext("Fill this in."),
        "delivery": gettext("Only with safe delivery."),
        "total_seconds": gettext(
            "One request may run for %(most)s seconds in all: fewer seconds, or fewer tasks.",
            most=number(most_seconds),
        ),
    }


def parse_task(form: Mapping[str, str]) -> TaskRequest:
    """The request that a form of tasks holds: TASK_FIELDS, and `kind.parameter` for the parameters of one's own
    tasks. An empty field counts as left out, and so does one that the kind does not take.

    Raises:
        Invalid: a field is not what it should be.
    """
    kind = form.get("kind", "").strip() or "process_task"
    taken = {*TASK_FIELDS} - {*FIELDS} | {*PARAMETERS.get(kind, ())}
    if kind != "hanging_task":
        taken.remove("time_limit")  # a page has its field for this kind alone
    wanted = {
        name: _typed(bounds(TaskRequest)[name]["type"], form[name].strip())
        for name in taken
        if form.get(name, "").strip()
    }
    if kind in PLAIN:
        params = {p.name: _parameter(p, form.get(f"{kind}.{p.name}")) for p in parameters(PLAIN[kind])}
        wanted["params"] = {name: value for name, value in params.items() if value is not None}
    return parse(TaskRequest, wanted)


def functions() -> list[dict[str, Any]]:
    """The kinds whose fields their signature tells, for the page: `kind`, `about` (the first line of its
    docstring) and `fields`, each with `name`, `type` and `default` as it is typed."""
    return [
        {
            "kind": kind,
            "about": (inspect.getdoc(function) or "").partition("\n")[0].replace("`", ""),
            "fields": [
                {"name": p.name, "type": p.type_name, "default": _as_typed(p)} for p in parameters(function)
            ],
        }
        for kind, function in PLAIN.items()
    ]


def _as_typed(parameter: Parameter) -> str | bool:
    if parameter.required or parameter.default is None:
        return ""
    if isinstance(parameter.default, list):
        return " ".join(f"{number:g}" for number in parameter.default)
    return parameter.default if parameter.type is bool else str(parameter.default)


def _parameter(parameter: Parameter, text: str | None) -> Any:
    """What was typed for `parameter`; None where it is left out. A box that is not ticked sends nothing."""
    if parameter.type is bool:
        return text is not None
    if parameter.type is str:
        return text if text or parameter.required else None
    kind = {int: "integer", float: "number"}.get(parameter.type, "array")
    return _typed(kind, text.strip()) if text and text.strip() else None


def _typed(kind: str, text: str) -> Any:
    """`text` as the JSON type `kind`, or as it is where it is none."""
    if kind == "string":
        return text
    if kind == "array":
        return [_typed("number", part) for part in re.split(r"[\s,;]+", text) if part]
    if kind == "integer":
        return int(text) if re.fullmatch(r"-?\d{1,18}", text, re.ASCII) else text
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return text
