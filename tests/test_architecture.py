"""Who may import whom: the walls between the rooms."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MAY_IMPORT = {
    "lab": set(),
    "celery_app": {"lab"},
    "celery_tasks": {
        "lab",
        "celery_app",
        "celery_control",
        "celery_dead_letters",
        "celery_examples",
        "celery_reporting",
    },
    "celery_reporting": {"lab", "celery_app"},
    "celery_examples": {"lab", "celery_app"},
    "celery_dead_letters": set(),
    "celery_control": {"lab", "celery_app"},
    "consumer": {"lab"},
    "transports": {"lab", "celery_app"},
    "experiments": {"lab", "transports", "harness"},
    "api": {"lab", "transports", "experiments"},
    "harness": {"lab"},
    "benchmarks": {"lab", "harness", "api", "transports"},
}
FORBIDDEN = {
    "lab": {"flask", "sqlalchemy", "celery", "kombu"},
    "consumer": {"flask", "sqlalchemy", "celery", "kombu"},
    "transports": {"flask", "sqlalchemy"},
    "experiments": {"flask", "sqlalchemy"},
}
SQL_ROOMS = {
    "models.py",
    "database.py",
    "store.py",
    "updates.py",
    "bulk.py",
    "queries.py",
    "moves.py",
    "outbox.py",
    "dead_letters.py",
    "migrate.py",
}
HOT_PATH = ("worker.py", "jobs.py", "acks.py")
"""From a message's bytes to its settlement."""


def _files(room: str) -> list[Path]:
    return [ROOT / f"{room}.py"] if (ROOT / f"{room}.py").exists() else sorted((ROOT / room).rglob("*.py"))


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return found


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_those_it_may(room: str) -> None:
    for path in _files(room):
        names = {name.split(".")[0] for name in _imports(path)}
        others = names & (set(MAY_IMPORT) - {room})
        assert others <= MAY_IMPORT[room], f"{path.relative_to(ROOT)} imports {others - MAY_IMPORT[room]}"
        banned = names & FORBIDDEN.get(room, set())
        assert not banned, f"{path.relative_to(ROOT)} imports {banned}"


def test_only_the_store_and_its_neighbours_build_sql() -> None:
    for path in _files("api"):
        if path.name not in SQL_ROOMS and "migrations" not in path.parts:
            names = _imports(path) - {"sqlalchemy.exc"}
            assert not any(name.split(".")[0] == "sqlalchemy" for name in names), path.name


def test_only_the_settings_read_the_environment() -> None:
    for room in ("lab", "celery_app", "celery_tasks", "consumer", "transports", "api"):
        for path in _files(room):
            if path.name != "settings.py":
                assert not re.search(r"\benviron\b", path.read_text()), path.relative_to(ROOT)


def test_no_file_grows_beyond_three_hundred_lines() -> None:
    for room in MAY_IMPORT:
        for path in _files(room):
            assert len(path.read_text().splitlines()) <= 300, path.relative_to(ROOT)


def test_the_consumer_can_be_read_in_one_sitting() -> None:
    lines = {path.name: len(path.read_text().splitlines()) for path in _files("consumer")}
    assert sum(lines[name] for name in HOT_PATH) <= 450
    assert sum(lines.values()) <= 1_000
    assert lines["tutorial.py"] <= 80


def test_the_image_holds_every_room_that_runs_in_it() -> None:
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    rooms = {f"{room}.py" if (ROOT / f"{room}.py").exists() else room for room in MAY_IMPORT}
    assert rooms - {"harness", "benchmarks"} <= let_in
    assert {"static", "templates", "translations", "requirements.txt"} <= let_in
