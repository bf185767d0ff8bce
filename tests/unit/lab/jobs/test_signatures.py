import subprocess
import sys
import types

import pytest
from pydantic import ValidationError

from api.web.schemas import FIELDS, TaskRequest
from lab.jobs.context import Context
from lab.jobs.kinds import KINDS, PLAIN
from lab.jobs.signatures import bind, kinds_of, model, open_parameter, parameters


def example(
    text: str,
    times: int = 1,
    share: float = 0.5,
    loud: bool = False,
    numbers: list[float] = [],  # noqa: B006 - it is read only
) -> str:
    """An example."""
    return f"{text}{times}{share}{loud}{numbers}"


def with_context(context: Context, seconds: float) -> float:
    context.progress(0.5)
    return seconds + context.num


def untyped(thing) -> None:  # type: ignore[no-untyped-def]
    """Has a parameter without a type."""


def strange(things: dict[str, int]) -> None:
    """Has a parameter of a type that forms have no field for."""


def rest(*numbers: float) -> None:
    """Takes any number of parameters."""


def test_parameters_are_told_from_the_signature() -> None:
    found = {p.name: (p.type_name, p.required) for p in parameters(example)}
    assert found == {
        "text": ("str", True),
        "times": ("int", False),
        "share": ("float", False),
        "loud": ("bool", False),
        "numbers": ("list", False),
    }
    assert [p.name for p in parameters(with_context)] == ["seconds"]


@pytest.mark.parametrize("function", [untyped, strange, rest])
def test_a_type_that_is_not_known_is_refused_by_name(function: types.FunctionType) -> None:
    with pytest.raises(TypeError, match=f"{function.__name__}: parameter (thing|things|numbers) takes"):
        parameters(function)


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({}, "text"),
        ({"text": 1}, "text"),
        ({"text": "x" * 10_001}, "text"),
        ({"text": "a", "times": "2"}, "times"),
        ({"text": "a", "times": 1.5}, "times"),
        ({"text": "a", "times": 2**54}, "times"),
        ({"text": "a", "share": float("nan")}, "share"),
        ({"text": "a", "loud": "yes"}, "loud"),
        ({"text": "a", "numbers": ["1"]}, "numbers"),
        ({"text": "a", "numbers": [0.0] * 10_001}, "numbers"),
        ({"text": "a", "more": 1}, "more"),
    ],
)
def test_a_model_of_the_signature_refuses_what_does_not_fit(params: dict[str, object], field: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        model(example).model_validate(params)
    assert {fault["loc"][0] for fault in refusal.value.errors()} == {field}


def test_a_model_fills_in_the_defaults() -> None:
    filled = model(example).model_validate({"text": "a", "share": 1}).model_dump()
    assert filled == {"text": "a", "times": 1, "share": 1.0, "loud": False, "numbers": []}


def test_positional_arguments_go_into_the_parameters_that_are_free() -> None:
    assert bind(KINDS["multiply"], (8,), {"y": 10}) == {"x": 8, "y": 10}
    assert bind(KINDS["multiply"], (8, 9), {}) == {"x": 8, "y": 9}
    with pytest.raises(TypeError):
        bind(KINDS["multiply"], (1, 2), {"y": 3})


def test_only_a_parameter_without_a_default_is_open() -> None:
    assert open_parameter(example, {}) == "text"
    assert open_parameter(example, {"text": "a"}) is None
    assert open_parameter(with_context, {}) == "seconds"


def test_functions_of_a_module_are_kinds_with_or_without_a_context() -> None:
    module = types.ModuleType("own")
    for function in (example, with_context):
        setattr(module, function.__name__, _moved(function, "own"))
    module._helper = _moved(untyped, "own")  # type: ignore[attr-defined]
    module.Context = Context  # type: ignore[attr-defined]
    found = kinds_of(module)
    assert set(found) == {"example", "with_context"}
    assert found["example"](Context(1), text="a") == "a10.5False[]"
    assert found["with_context"](Context(3), seconds=1.0) == 4.0
    assert open_parameter(found["example"], {}) == "text"


def test_a_name_that_is_none_is_refused() -> None:
    module = types.ModuleType("own")
    module.Shout = _moved(example, "own")  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="Shout"):
        kinds_of(module)


def _takes(name: str) -> types.FunctionType:
    made: dict[str, types.FunctionType] = {}
    exec(f"def function(text: str, {name}: int) -> None: ...", made)
    return made["function"]


@pytest.mark.parametrize(
    "name",
    [
        "task_num", "worker_id", "self", "context", "_context", "model_fields", "json",
        *sorted(TaskRequest.model_fields.keys() - set(FIELDS)),
    ],
)  # fmt: skip
def test_a_parameter_whose_name_is_in_use_is_refused(name: str) -> None:
    with pytest.raises(TypeError, match=f"a parameter cannot be named {name}"):
        parameters(_takes(name))


@pytest.mark.parametrize("name", ["send_email", "beat_due", "add", "process_task", "dmap"])
def test_a_task_whose_name_is_in_use_is_refused_at_the_start(name: str) -> None:
    code = f"import lab.own_tasks as own\ndef {name}(text: str) -> None: ...\n"
    code += f"{name}.__module__ = own.__name__\nown.{name} = {name}\nimport lab.jobs.kinds"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert f"TypeError: lab.own_tasks: the lab has a task {name} already" in done.stderr


def test_the_labs_own_example_is_a_kind() -> None:
    assert PLAIN["word_count"](Context(1), text="One, two; one!") == {"one": 2, "two": 1}


def _moved(function: types.FunctionType, name: str) -> types.FunctionType:
    copy = types.FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__
    )
    copy.__annotations__, copy.__module__ = function.__annotations__, name
    return copy
