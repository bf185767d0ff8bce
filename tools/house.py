"""Measures the house: `python -m tools.house [FOLDER]`, of this checkout or another one, as JSON.

What it counts: product files (Python outside tests, benchmarks and tools), their lines and median; class names that
stand for more than one thing; files that name a method by its string; files at the root of `api/` and `lab/`.
"""

import ast
import json
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
ROOMS: Final = (
    "api",
    "celery_worker",
    "consumer",
    "experiments",
    "faults",
    "harness",
    "lab",
    "store",
    "transports",
)
METHODS: Final = frozenset({"celery", "rabbitmq", "sync"})


def files(root: Path) -> list[Path]:
    """The product's Python files."""
    inside = [path for room in ROOMS for path in (root / room).rglob("*.py")]
    return sorted([*root.glob("*.py"), *inside])


@cache
def _trees(root: Path) -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text()) for path in files(root)}


@cache
def measures(root: Path = ROOT) -> dict[str, Any]:
    """What the house at `root` measures."""
    trees = _trees(root)
    lines = {path: len(path.read_text().splitlines()) for path in trees}
    doubled = {name: places for name, places in classes(root).items() if len(places) > 1}
    naming = sorted(str(path.relative_to(root)) for path, tree in trees.items() if _names_a_method(tree))
    return {
        "files": len(lines),
        "lines": sum(lines.values()),
        "median": median(lines.values()),
        "longest": max(lines.values()),
        "class names with more than one meaning": doubled,
        "files that name a method": naming,
        "files at api's root": len(list((root / "api").glob("*.py"))),
        "files at lab's root": len(list((root / "lab").glob("*.py"))),
    }


def classes(root: Path = ROOT) -> dict[str, list[str]]:
    """Where each class is defined, by its name."""
    found: dict[str, list[str]] = {}
    for path, tree in _trees(root).items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append(f"{path.relative_to(root)}:{node.lineno}")
    return found


def _names_a_method(tree: ast.AST) -> bool:
    """Whether a string of the file, its words for people left out, is the name of a method."""
    return any(text in METHODS for text in _strings(tree))


def _strings(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


if __name__ == "__main__":
    print(json.dumps(measures(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT), indent=2))
