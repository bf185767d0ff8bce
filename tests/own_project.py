"""Copies of the project, with what a person adds to it."""

import shutil
from pathlib import Path

from harness.lab import ROOT

PARTS = (
    "experiments",
    "faults",
    "celery_worker",
    "lab",
    "store",
    "api",
    "consumer",
    "transports",
    "harness",
    "templates",
    "static",
    "translations",
)


def copied_project(copy: Path) -> Path:
    """Copies the project to the new folder `copy`, and returns that."""
    for part in PARTS:
        shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
    for path in ROOT.glob("celery_*.py"):
        shutil.copy(path, copy)
    return copy


def own_project(copy: Path, code: str) -> Path:
    """Copies the project to the new folder `copy`, with `code` at the end of its own tasks; returns `copy`."""
    with (copied_project(copy) / "lab" / "own_tasks.py").open("a") as file:
        file.write(f"\n\n{code}")
    return copy
