"""A page's form: as it was typed, as the request that is meant, and what is wrong with it, field by field."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar, Final, TypeVar

from pydantic import BaseModel, ValidationError
from werkzeug.datastructures import MultiDict

from api.web.i18n import local, number
from api.web.numbers import two_ways, typed, typed_list
from api.web.schemas import FIELDS, MODELS, PARAMETERS, Invalid, TaskRequest, faults
from api.web.wording import gettext
from lab.values import MAX_WHOLE

# What a request takes and no page has a field for; the parameters of one's own tasks have fields of their own.
WITHOUT_FIELD: Final = {"eta", "retry", "keep_result", "callback", "errback", "params"}
# The codes of problems by which pydantic says that a text is no number.
NO_NUMBER: Final = ("float_type", "int_type", "float_parsing", "int_parsing", "int_from_float")

_Model = TypeVar("_Model", bound=BaseModel)


@dataclass
class Form:
    """A form as it was typed, or as it stands at first (`typed` is None), and what is wrong with each of its
    fields; `errors["form"]` is about the whole."""

    longest: ClassVar[int] = 100_000
    """How many characters of a value count."""

    typed: MultiDict[str, str] | None = None
    errors: dict[str, str] = field(default_factory=dict)

    def value(self, name: str, default: str = "") -> str:
        """What was typed into the field `name`, else `default`, else what stands there at first."""
        first = default or self.at_first(name)
        return (first if self.typed is None else self.typed.get(name, first))[: self.longest]

    def at_first(self, name: str) -> str:  # noqa: ARG002 - a form with values of its own overrides it
        """What stands in the field `name` before anybody types, as the reader's language types it."""
        return ""

    def refuse(self, error: Invalid, says: Mapping[str, str], **places: str) -> None:
        """Keeps a sentence for each problem of `error`: what `says` has for its code, else for its field.
        `places` are the names of fields that the form calls otherwise than the request."""
        for problem in error.problems:
            whole = re.sub(r"\.\d+$", "", problem["field"])
            name = whole.partition(".")[0]
            text = says.get(str(problem.get("code"))) or says.get(whole) or says.get(name)
            place = places.get(name, name)
            if str(problem.get("code")) in NO_NUMBER:
                text = two_ways(self._typed(place)) or text
            self.errors.setdefault(place, text or str(problem["message"]))

    def _typed(self, name: str) -> str:
        """What was typed into the field `name`, which may be one of a kind's own."""
        return self.value(name) or self.value(f"{self.value('kind')}.{name}")


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
    return {
        name: {**properties[name], **properties[name].get("anyOf", [{}])[0]} for name in model.model_fields
    }


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
        return whole_number(least, most)
    if kind == "number" and "exclusiveMinimum" in about:
        return gettext("A number above %(least)s, at most %(most)s.", **names)
    if kind == "number":
        return gettext("A number from %(least)s to %(most)s.", **names)
    if kind == "string":
        return gettext("A line of text, at most %(most)s characters.", **names)
    return gettext("%(least)s to %(most)s numbers, separated by spaces or commas.", **names)


def whole_number(least: int, most: int) -> str:
    """What a field for a whole number takes."""
    return gettext("A whole number from %(least)s to %(most)s.", least=number(least), most=number(most))


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
    """The request that a form of tasks holds: fields named as the request's, and `kind.parameter` for the
    parameters of one's own tasks. An empty field counts as left out, and so does one that the kind does not take.

    Raises:
        Invalid: a field is not what it should be.
    """
    kind = form.get("kind", "").strip() or "process_task"
    taken = set(TaskRequest.model_fields) - WITHOUT_FIELD - set(FIELDS) | set(PARAMETERS.get(kind, ()))
    if kind != "hanging_task":
        taken.remove("time_limit")  # a page has its field for this kind alone
    wanted = _read(form, TaskRequest, taken)
    if kind in MODELS:
        wanted["params"] = _read(form, MODELS[kind], MODELS[kind].model_fields, f"{kind}.")
    return parse(TaskRequest, wanted)


def functions() -> list[dict[str, Any]]:
    """The kinds whose fields their signature tells, for the page: `kind`, `about` (the first line of its
    docstring) and `fields`, each with `name`, `type` (JSON schema's) and `default` as it is typed."""
    return [
        {
            "kind": kind,
            "about": (model.__doc__ or "").partition("\n")[0].replace("`", ""),
            "fields": [
                {"name": name, "type": about["type"], "default": _as_typed(about.get("default"))}
                for name, about in bounds(model).items()
            ],
        }
        for kind, model in MODELS.items()
    ]


def _as_typed(default: Any) -> str | bool:
    if isinstance(default, list):
        return " ".join(local(f"{number:g}") for number in default)
    if isinstance(default, float):
        return local(str(default))
    return default if isinstance(default, bool) else "" if default is None else str(default)


def _read(
    form: Mapping[str, str], model: type[BaseModel], names: Iterable[str], prefix: str = ""
) -> dict[str, Any]:
    """What was typed into the fields `names` of `model`, by their types. What is empty is left out, but not a
    text that has to be given; a box that is not ticked sends nothing."""
    found: dict[str, Any] = {}
    for name in names:
        about, text = bounds(model)[name], form.get(prefix + name)
        if about["type"] == "boolean":
            found[name] = text is not None
        elif about["type"] == "string" and text is not None and (text or "default" not in about):
            found[name] = text
        elif about["type"] != "string" and text and text.strip():
            found[name] = _typed(about["type"], text.strip())
    return found


def _typed(kind: str, text: str) -> Any:
    """`text` as a value of the JSON type `kind`, or as it is where it is none."""
    return typed_list(text) if kind == "array" else typed(text, whole=kind == "integer")
