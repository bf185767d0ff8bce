"""Who may import whom: the walls between the rooms."""

import ast
import os
import re
from pathlib import Path

import pytest

from tools.house import classes, files, measures

ROOT = Path(__file__).resolve().parent.parent
MAY_IMPORT = {
    "lab": set(),
    "celery_app": {"lab", "celery_worker"},
    "celery_tasks": {"lab", "celery_app", "celery_worker"},
    "celery_worker": {"lab", "celery_app"},
    "consumer": {"lab"},
    "transports": {"lab", "celery_app"},
    "experiments": {"lab", "transports", "harness"},
    "store": {"lab", "experiments"},
    "api": {"lab", "transports", "experiments", "faults", "store"},
    "harness": {"lab"},
    "faults": {"lab", "transports", "experiments", "harness"},
    "benchmarks": {"lab", "harness", "api", "store", "transports"},
}
FORBIDDEN = {
    "lab": {"flask", "sqlalchemy", "celery", "kombu"},
    "consumer": {"flask", "sqlalchemy", "celery", "kombu"},
    "transports": {"flask", "sqlalchemy"},
    "experiments": {"flask", "sqlalchemy"},
    "faults": {"flask", "sqlalchemy"},
    "store": {"flask", "celery", "pika"},
}
HOT_PATH = ("worker.py", "jobs.py")
"""From a message's bytes to its settlement."""


STOCK = [room for room in MAY_IMPORT if room.startswith("celery_")] + ["consumer", "transports", "lab"]
"""What uses Celery, kombu, billiard, py-amqp and pika as their documentation has it."""
NEVER_EXTENDED = {
    "AsynPool",
    "Consumer",
    "LaxBoundedSemaphore",
    "Pool",
    "QoS",
    "Request",
    "Semaphore",
    "TaskPool",
    "Timer",
}


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


def test_only_the_store_builds_sql() -> None:
    for path in _files("api"):
        names = _imports(path) - {"sqlalchemy.exc"}
        assert not any(name.split(".")[0] == "sqlalchemy" for name in names), path.relative_to(ROOT)


def test_only_the_settings_read_the_environment() -> None:
    for room in ("lab", "celery_app", "celery_tasks", "consumer", "transports", "api"):
        for path in _files(room):
            if path.name != "settings.py":
                assert not re.search(r"\benviron\b", path.read_text()), path.relative_to(ROOT)


def test_no_file_grows_beyond_four_hundred_lines() -> None:
    for room in MAY_IMPORT:
        for path in _files(room):
            assert len(path.read_text().splitlines()) <= 400, path.relative_to(ROOT)


def test_the_consumer_can_be_read_in_one_sitting() -> None:
    lines = {path.name: len(path.read_text().splitlines()) for path in _files("consumer")}
    assert sum(lines[name] for name in HOT_PATH) <= 450
    assert sum(lines.values()) <= 1_000
    assert lines["tutorial.py"] <= 80


def _private(name: str) -> bool:
    return name.startswith("_") and not (name.startswith("__") and name.endswith("__"))


def _private_uses(tree: ast.AST) -> list[str]:
    """What reaches into another object or module by a name that begins with an underscore."""
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="self" | "cls")):
                continue
            case ast.Attribute(attr=name) if _private(name):
                found.append(ast.unparse(node))
            case ast.ImportFrom(names=names) if any(_private(alias.name) for alias in names):
                found.append(ast.unparse(node))
            case ast.Call(func=ast.Name(id="getattr" | "setattr"), args=[_, ast.Constant(str(name)), *_]):
                if _private(name):
                    found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize("room", STOCK)
def test_nothing_private_of_others_is_used(room: str) -> None:
    for path in _files(room):
        assert not _private_uses(ast.parse(path.read_text())), path.relative_to(ROOT)


def test_what_is_private_is_found_however_it_is_reached() -> None:
    code = "self.x._y; pool._z; from a import _b; getattr(pool, '_c'); cls._d; self._e; pool.__class__; from a import b"
    found = _private_uses(ast.parse(code.replace("; ", "\n")))
    assert found == ["from a import _b", "self.x._y", "pool._z", "getattr(pool, '_c')"]


def test_no_part_of_a_stock_worker_is_extended_but_for_one_exception() -> None:
    extended = [
        (str(path.relative_to(ROOT)), node.name)
        for room in STOCK
        for path in _files(room)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
        and NEVER_EXTENDED & {ast.unparse(base).split(".")[-1] for base in node.bases}
    ]
    assert extended == [("celery_worker/dead_letters.py", "DeadLetteringConsumer")]
    for exception in ("celery_worker/dead_letters.py", "celery_worker/results.py"):
        assert len((ROOT / exception).read_text().splitlines()) <= 60


def test_the_image_holds_every_room_that_runs_in_it() -> None:
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    rooms = {f"{room}.py" if (ROOT / f"{room}.py").exists() else room for room in MAY_IMPORT}
    assert rooms - {"harness", "benchmarks"} <= let_in
    assert {"static", "templates", "translations", "requirements.txt"} <= let_in


@pytest.mark.parametrize(
    ("kind", "ending", "taken"),
    [
        ("templates", "html", r'(?:extends|from|include) "([^"]+/[^"]+)"'),
        ("static", "js", r'from "(\.[^"]+)"'),
    ],
)
def test_a_page_takes_templates_and_scripts_of_its_own_and_shared_ones(
    kind: str, ending: str, taken: str
) -> None:
    base = ROOT / kind
    for path in base.rglob(f"*.{ending}"):
        room = path.relative_to(base).parts[0]
        assert (ROOT / "api" / room).is_dir(), path
        for name in re.findall(taken, path.read_text()):
            other = os.path.relpath(path.parent / name if name.startswith(".") else base / name, base)
            assert Path(other).parts[0] in (room, "web"), (path, name)
            assert (base / other).is_file(), (path, name)


def test_no_class_name_stands_for_two_things() -> None:
    assert {name: places for name, places in classes().items() if len(places) > 1} == {}


def test_few_files_name_a_method_by_its_string() -> None:
    naming = measures()["files that name a method"]
    assert len(naming) <= 12, naming


def test_the_roots_of_api_and_lab_stay_small() -> None:
    assert measures()["files at api's root"] <= 8
    assert measures()["files at lab's root"] <= 16


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _edges() -> dict[str, set[str]]:
    """Which modules of the product each of them imports when it is imported itself."""
    modules = {_module(path): path for path in files(ROOT)}
    edges: dict[str, set[str]] = {}
    for module, path in modules.items():
        found = set()
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                inside = {f"{node.module}.{alias.name}" for alias in node.names}
                found |= (inside & modules.keys()) or {node.module}
        edges[module] = (found & modules.keys()) - {module}
    return edges


def test_no_modules_import_each_other_in_a_circle() -> None:
    edges = _edges()
    while edges:
        leaves = {module for module, imported in edges.items() if not imported & edges.keys()}
        assert leaves, f"a circle among {sorted(edges)}"
        edges = {module: imported for module, imported in edges.items() if module not in leaves}


# Health counts what the control page reads; side by side runs what other pages have; the page of tasks is the
# whole page's blueprint; the guide leads to side by side; an experiment wants the workers looked at anew.
NEIGHBOURS = {
    ("control", "health"), ("health", "control"), ("experiments", "side"), ("experiments", "control"),
    ("side", "tasks"), ("faults", "side"), ("side", "workflows"), ("side", "schedule"),
}  # fmt: skip


def test_a_page_imports_no_other_page() -> None:
    pages = {path.name for path in (ROOT / "api").iterdir() if path.is_dir()} - {"web", "__pycache__"}
    crossing = set()
    for module, imported in _edges().items():
        for other in imported:
            mine, theirs = module.split("."), other.split(".")
            if mine[0] == theirs[0] == "api" and len(mine) > 2 and len(theirs) > 2 and mine[1] != theirs[1]:
                crossing |= {(mine[1], theirs[1])} if {mine[1], theirs[1]} <= pages else set()
    assert {pair for pair in crossing if pair[0] != "tasks"} <= NEIGHBOURS
