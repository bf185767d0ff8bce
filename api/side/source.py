"""Code as it stands in the lab's own files, found by name: what the page shows cannot drift from what runs.

The files are read, not imported: the API knows the workers' code no other way.
"""

import ast
import io
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]

_SILENT: Final = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


@dataclass(frozen=True)
class Excerpt:
    """Lines `first` to `last` (from 1) of the file `path`, as text without the indentation of the first.

    Attributes:
        names: what stands there, such as `Handler.read`.
        count: how many of the lines are code: no blank ones, no comments, no docstrings.
    """

    path: str
    names: tuple[str, ...]
    first: int
    last: int
    text: str
    count: int


def excerpts(places: Iterable[str]) -> list[Excerpt]:
    """What stands at each of `places`; neighbours in one file become one.

    A place is `path:name`. The name is that of a function, class or setting, with dots for what is in it: a
    method, a key of a dictionary, an argument of a call, what is assigned to, the exception that is handled or
    the text that is matched, or a call itself (`Consumer._listen.queue_bind()`, `if is_delayed()`,
    `if waits`).

    Raises:
        LookupError: nothing of that name is there.
    """
    found: list[Excerpt] = []
    for place in places:
        path, _, name = place.partition(":")
        first, last = _span(path, name)
        before = found[-1] if found else None
        if before is not None and before.path == path and before.last + 1 == first:
            found[-1] = _cut(path, (*before.names, name), before.first, last)
        else:
            found.append(_cut(path, (name,), first, last))
    return found


@dataclass(frozen=True)
class _File:
    lines: tuple[str, ...]
    tree: ast.Module
    code: frozenset[int]


@cache
def _file(path: str) -> _File:
    text = (ROOT / path).read_text()
    return _File(tuple(text.splitlines()), ast.parse(text), code_lines(text))


def code_lines(text: str) -> frozenset[int]:
    """The numbers of the lines of `text` that are code: no blank ones, no comments, no docstrings."""
    code: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in _SILENT:
            code.update(range(token.start[0], token.end[0] + 1))
    for docstring in _docstrings(ast.parse(text)):
        code.difference_update(range(docstring.lineno, (docstring.end_lineno or 0) + 1))
    return frozenset(code)


def _docstrings(tree: ast.Module) -> Iterator[ast.stmt]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            match node.body:
                case [ast.Expr(value=ast.Constant(value=str())) as docstring, *_]:
                    yield docstring


def _cut(path: str, names: tuple[str, ...], first: int, last: int) -> Excerpt:
    file = _file(path)
    shown = file.lines[first - 1 : last]
    indent = shown[0][: len(shown[0]) - len(shown[0].lstrip())]
    text = "\n".join(line.removeprefix(indent) for line in shown)
    return Excerpt(path, names, first, last, text, len(file.code & set(range(first, last + 1))))


@cache
def _span(path: str, name: str) -> tuple[int, int]:
    place: ast.AST = _file(path).tree
    span = (0, 0)
    for part in name.split("."):
        found = next(_named(place, part), None)
        if found is None:
            raise LookupError(f"{path} has no {name}")
        place, span = found
    return span


def _named(place: ast.AST, part: str) -> Iterator[tuple[ast.AST, tuple[int, int]]]:
    """What is called `part` in `place`, each with its lines: what is defined there goes before what is deeper."""
    for node in getattr(place, "body", ()):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == part:
            yield node, _lines(node, *node.decorator_list)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and part in _targets(node):
            yield node, _lines(node)
    for node in ast.walk(place) if not isinstance(place, ast.Module) else ():
        match node:
            case ast.keyword(arg=name) if name == part:
                yield node, _lines(node)
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    if isinstance(key, ast.Constant) and key.value == part:
                        yield value, _lines(key, value)
            case ast.ExceptHandler(type=ast.Name(id=name)) if name == part:
                yield node, _lines(node)
            case ast.match_case(pattern=ast.MatchValue(value=ast.Constant(value=name)) as pattern) if (
                name == part
            ):
                yield node, _lines(pattern, *node.body)
            case ast.Assign() | ast.AnnAssign() if part in _targets(node):
                yield node, _lines(node)
            case ast.Expr(value=ast.Call(func=function)) if part == f"{_name(function)}()":
                yield node, _lines(node)
            case ast.If(test=ast.Call(func=function)) if part == f"if {_name(function)}()":
                yield node, _lines(node)
            case ast.If(test=ast.BoolOp(values=[ast.Name(id=name), *_])) if part == f"if {name}":
                yield node, _lines(node)
            case ast.If(test=ast.Attribute(attr=name)) if part == f"if {name}":
                yield node, _lines(node)


def _targets(node: ast.Assign | ast.AnnAssign) -> set[str | None]:
    """What is assigned to, by its last name: `x`, `a.x` and `a["x"]` are all `x`."""
    return {_name(target) for target in (node.targets if isinstance(node, ast.Assign) else [node.target])}


def _name(node: ast.expr) -> str | None:
    match node:
        case (
            ast.Name(id=name) | ast.Attribute(attr=name) | ast.Subscript(slice=ast.Constant(value=str(name)))
        ):
            return name
    return None


def _lines(*nodes: ast.AST) -> tuple[int, int]:
    places: list[Any] = list(nodes)
    return min(node.lineno for node in places), max(node.end_lineno for node in places)
