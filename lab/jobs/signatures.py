"""What a job function takes, told from its signature: the model that checks a request, the fields of a form."""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, wraps
from types import ModuleType
from typing import Annotated, Any, Final, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model

from lab.jobs.context import Context
from lab.values import MAX_WHOLE

NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
MAX_TEXT: Final = 10_000
MAX_ITEMS: Final = 10_000

# What a Celery task takes beside its kind's parameters.
OF_ALL: Final = frozenset({"task_num", "worker_id"})
# What a request for any task names beside them.
OF_REQUESTS: Final = frozenset(
    {
        "method", "kind", "params", "count", "delivery", "max_retries", "time_limit", "callback", "errback",
        "countdown", "eta", "expires", "priority", "retry", "keep_result",
    }
)  # fmt: skip
_IN_USE: Final = OF_ALL | OF_REQUESTS | {"self", "context", "_context"}

_signature = cache(inspect.signature)
_Finite = Annotated[float, Field(allow_inf_nan=False)]
_CHECKED: Final[dict[Any, Any]] = {
    int: Annotated[int, Field(ge=-MAX_WHOLE, le=MAX_WHOLE)],
    float: _Finite,
    str: Annotated[str, Field(max_length=MAX_TEXT)],
    bool: bool,
    list[float]: Annotated[list[_Finite], Field(max_length=MAX_ITEMS)],
}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a job function; `type` is int, float, str, bool or list[float]."""

    name: str
    type: Any
    default: Any = ...

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is ...

    @property
    def type_name(self) -> str:
        """Its type in a word: int, float, str, bool or list."""
        return str(getattr(self.type, "__name__", "list"))


def takes_context(function: Callable[..., Any]) -> bool:
    """Whether the function wants a `lab.jobs.context.Context` before its own parameters."""
    return next(iter(inspect.signature(function).parameters), None) == "context"


def parameters(function: Callable[..., Any]) -> tuple[Parameter, ...]:
    """The parameters of `function`, without its context.

    Raises:
        TypeError: one of them has a type that the lab does not know, or a name that is in use; the message names it.
    """
    hints = get_type_hints(function)
    found = []
    for place, (name, one) in enumerate(inspect.signature(function).parameters.items()):
        if name == "context" and not place:
            continue
        if name in _IN_USE or hasattr(BaseModel, name):
            raise TypeError(
                f"{function.__module__}.{function.__name__}: a parameter cannot be named {name}, that name is in use"
            )
        if hints.get(name) not in _CHECKED or one.kind is not one.POSITIONAL_OR_KEYWORD:
            raise TypeError(
                f"{function.__module__}.{function.__name__}: parameter {name} takes one of the types int,"
                " float, str, bool, list[float]"
            )
        found.append(Parameter(name, hints[name], ... if one.default is one.empty else one.default))
    return tuple(found)


def model(function: Callable[..., Any]) -> type[BaseModel]:
    """A strict model of the function's parameters. Raises as `parameters` does."""
    fields: dict[str, Any] = {p.name: (_CHECKED[p.type], p.default) for p in parameters(function)}
    return create_model(
        function.__name__,
        __config__=ConfigDict(strict=True, extra="forbid", protected_namespaces=()),
        __doc__=inspect.getdoc(function) or "",
        **fields,
    )


def open_parameter(function: Callable[..., Any], params: Mapping[str, Any]) -> str | None:
    """The first parameter without a default that `params` do not name: it takes what the task before gave.
    None where all are named."""
    for name, one in _signature(function).parameters.items():
        if name != "context" and one.default is one.empty and name not in params:
            return name
    return None


def bind(function: Callable[..., Any], args: tuple[Any, ...], params: Mapping[str, Any]) -> dict[str, Any]:
    """`params` with the positional `args` put into the first parameters that they do not name.

    Raises:
        TypeError: there are more of them than parameters.
    """
    if not args:
        return dict(params)
    names = [name for name in _signature(function).parameters if name != "context"]
    free = [name for name in names if name not in params]
    if len(args) > len(free):
        raise TypeError(f"{function.__name__} takes {len(names)} parameters")
    return {**dict(zip(free, args, strict=False)), **params}


def check_call(function: Callable[..., Any], args: tuple[Any, ...], params: Mapping[str, Any]) -> None:
    """Looks whether a Celery task of `function` can be called with `args` and `params`.

    Raises:
        TypeError: it lacks a parameter, or does not take one.
    """
    given = bind(function, args, {name: value for name, value in params.items() if name not in OF_ALL})
    if lacking := open_parameter(function, given):
        raise TypeError(f"{function.__name__} lacks its parameter {lacking!r}")
    if strange := given.keys() - _signature(function).parameters.keys():
        raise TypeError(f"{function.__name__} takes no parameter {strange.pop()!r}")


def kinds_of(module: ModuleType) -> dict[str, Callable[..., Any]]:
    """The functions that `module` defines, by name, as kinds of jobs; not those that begin with `_`.

    Raises:
        TypeError: a function's name or one of its parameters is not as a kind needs it.
    """
    found = {}
    for name, function in vars(module).items():
        is_own = callable(function) and getattr(function, "__module__", None) == module.__name__
        if not is_own or isinstance(function, type) or name.startswith("_"):
            continue
        if not NAME.fullmatch(name):
            raise TypeError(f"{module.__name__}.{name}: a task's name takes small letters, digits and _")
        parameters(function)
        found[name] = _with_context(function)
    return found


def _with_context(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` as a kind is called: its context first, whether it takes one or not."""
    if takes_context(function):
        return function

    @wraps(function)
    def run(_context: Context, **params: Any) -> Any:
        return function(**params)

    return run
