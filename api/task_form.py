"""A page's form as a request: text becomes numbers, and what was left empty is left out."""

import inspect
import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from api.job_request import FIELDS, PARAMETERS
from api.schemas import Invalid, TaskRequest, faults
from lab.kinds import PLAIN
from lab.signatures import Parameter, parameters

_TEXTS: Final = ("method", "kind", "delivery")
_NUMBERS: Final = ("timeout", "time_limit", "countdown", "expires")
_WHOLE: Final = ("times", "count", "max_retries", "priority")


def parse_form(form: Mapping[str, str]) -> TaskRequest:
    """The request that a page's form holds: `method`, `kind`, `timeout`, `numbers` (separated by spaces,
    commas, semicolons or new lines), `times`, `count`, `delivery`, `max_retries`, `time_limit`,
    `countdown`, `expires`, `priority`, and `kind.parameter` for the parameters of one's own tasks. An empty
    field counts as left out, and so does one that the kind does not take.

    Raises:
        Invalid: a field is not what it should be.
    """
    given = {name: form[name].strip() for name in form if form[name].strip()}
    kind = given.get("kind", "process_task")
    for name in set(FIELDS) - set(PARAMETERS.get(kind, ())):
        given.pop(name, None)
    fields: dict[str, Any] = {name: given[name] for name in _TEXTS if name in given}
    fields |= {name: _number(given[name]) for name in _NUMBERS if name in given}
    fields |= {name: _whole(given[name]) for name in _WHOLE if name in given}
    if "numbers" in given:
        fields["numbers"] = _list(given["numbers"])
    if kind in PLAIN:
        fields["params"] = {p.name: _typed(p, form.get(f"{kind}.{p.name}")) for p in parameters(PLAIN[kind])}
        fields["params"] = {name: value for name, value in fields["params"].items() if value is not None}
    try:
        return TaskRequest.model_validate(fields)
    except ValidationError as error:
        raise Invalid(faults(error)) from error


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


def _typed(parameter: Parameter, text: str | None) -> Any:
    """What was typed for `parameter`; None where it is left out. A box that is not ticked sends nothing."""
    if parameter.type is bool:
        return text is not None
    if text is None or (parameter.type is not str and not text.strip()):
        return None
    if parameter.type is str:
        return text if text or parameter.required else None
    if parameter.type is int:
        return _whole(text.strip())
    return _number(text.strip()) if parameter.type is float else _list(text)


def _number(text: str) -> float | str:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return text


def _whole(text: str) -> int | str:
    return int(text) if re.fullmatch(r"-?\d{1,18}", text, re.ASCII) else text


def _list(text: str) -> list[float | str]:
    return [_number(part) for part in re.split(r"[\s,;]+", text) if part]
