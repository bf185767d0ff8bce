"""How many lines of code a worker takes, counted from the project's files."""

import ast
import io
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from transports.methods import contender

ROOT: Final = Path(__file__).resolve().parent.parent

_SILENT: Final = (
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER,
)  # fmt: skip


@cache
def worker_lines(method: str, delivery: str, root: Path = ROOT) -> int:
    """Lines of the worker's files without blank ones, comments and docstrings; 0 for a method without workers. What
    both methods share, in `lab/`, counts for neither."""
    patterns, left_out = contender(method, delivery).code
    others = {root / name for name in left_out}
    files = {path for pattern in patterns for path in root.glob(pattern)} - others
    return sum(lines_of(path.read_text()) for path in files)


def lines_of(source: str) -> int:
    """Lines of Python code without blank ones, comments and docstrings."""
    code: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _SILENT:
            code.update(range(token.start[0], token.end[0] + 1))
    return len(code.difference(_docstrings(ast.parse(source))))


def _docstrings(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and (
            ast.get_docstring(node, clean=False) is not None
        ):
            yield from range(node.body[0].lineno, (node.body[0].end_lineno or node.body[0].lineno) + 1)
