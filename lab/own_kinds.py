"""Makes kinds of jobs of a module's plain functions."""

import re
from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any, Final

from lab.context import Context
from lab.signatures import parameters, takes_context

NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")


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
        found[name] = with_context(function)
    return found


def with_context(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` as a kind is called: its context first, whether it takes one or not."""
    if takes_context(function):
        return function

    @wraps(function)
    def run(_context: Context, **params: Any) -> Any:
        return function(**params)

    return run
