"""How many lines of code a worker takes, counted from the project's files."""

import ast
import io
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent

# Of each contender the patterns of its worker's own files, and those that do not belong to it. What both methods
# share, in `lab/`, counts for neither.
_FILES: Final = {
    ("celery", "safe"): (("celery_*.py", "celery_worker/*.py"), ("celery_worker/examples.py",)),
    ("celery", "naive"): (("celery_app.py", "celery_tasks.py"), ()),
    ("rabbitmq", "safe"): (("consumer/*.py",), ("consumer/tutorial.py", "consumer/processes.py")),
    ("rabbitmq", "naive"): (("consumer/tutorial.py",), ()),
}
_SILENT: Final = (
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER,
)  # fmt: skip


@cache
def worker_lines(method: str, delivery: str, root: Path = ROOT) -> int:
    """Lines of the worker's files without blank ones, comments and docstrings; 0 for a method without workers."""
    patterns, left_out = _FILES.get((method, delivery), ((), ()))
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
