"""What exists is described, and what is described exists."""

import re
import tomllib
from pathlib import Path

import pytest

from api import create_app
from lab.delivery import Delivery
from lab.settings import Settings
from transports.methods import QUEUES, contender

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
NOT_SETTINGS = {"PATH"}


def _text(name: str) -> str:
    return (ROOT / name).read_text()


def _first_cells(name: str) -> list[str]:
    """What stands in code quotes in the first column of a document's tables."""
    rows = [line.split(" | ")[0] for line in _text(name).splitlines() if line.startswith("| `")]
    return [found for row in rows for found in re.findall(r"`([^`]+)`", row)]


def _anchors(path: Path) -> set[str]:
    """The anchors that GitHub makes from a document's headings."""
    prose = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_variable_that_is_read_is_documented_and_no_other() -> None:
    read = {str(field.alias) for field in Settings.model_fields.values()}
    for path in (ROOT / "harness").glob("*.py"):
        read |= set(re.findall(r"env(?:iron)?\.get\(\s*\"([A-Z0-9_]+)\"", path.read_text()))
        read |= set(re.findall(r"\"(LAB_RABBITMQ_[A-Z_]+)\"", path.read_text()))
    read |= set(re.findall(r"(?<!\$)\$\{([A-Z0-9_]+)", _text("docker-compose.yml")))
    assert len(read) > 12
    assert read - NOT_SETTINGS == set(_first_cells("docs/settings.md"))


@pytest.mark.parametrize(
    "name",
    [
        "RMQ_URL", "LAB_HOST", "PORT", "LAB_MANAGEMENT_URL", "LAB_SYNC_MAX_SECONDS", "LAB_LOG_LANGUAGE",
        "LAB_IMAGE_SECONDS", "LAB_IMAGE_HOURS", "LAB_IMAGE_MEGAPIXELS", "LAB_UPLOAD_MEGABYTES", "LAB_UPLOAD_COUNT",
    ],
)  # fmt: skip
def test_the_documented_default_is_the_real_one(name: str) -> None:
    settings = Settings.from_env({})
    field = name.lower() if hasattr(settings, name.lower()) else name.removeprefix("LAB_").lower()
    real = getattr(settings, field)
    parts = real if isinstance(real, tuple) else (real,)
    shown = "-".join(f"{part:g}" if isinstance(part, float) else str(part) for part in parts)
    assert f"| `{name}` | `{shown}` |" in _text("docs/settings.md")


def test_one_service_builds_each_image_and_every_one_is_bounded() -> None:
    services = _text("docker-compose.yml").partition("\nservices:\n")[2].partition("\nvolumes:")[0]
    found = re.split(r"^  (?=\w+:)", services, flags=re.MULTILINE)[1:]
    anchor = _text("docker-compose.yml").partition("\nservices:\n")[0].partition("x-lab:")[2]
    assert [one.partition(":")[0] for one in found if "    build:" in one] == ["api", "faults"]
    assert "build:" not in anchor
    assert "cpus:" in anchor
    for text in [anchor, *(one for one in found if "<<: *lab" not in one)]:
        assert "logging: *logs" in text
        assert "mem_limit:" in text


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_table_has_its_head_and_the_same_cells_in_each_row(path: Path) -> None:
    for table in re.findall(r"(?:^\|.*\n)+", path.read_text(), re.MULTILINE):
        rows = table.splitlines()
        assert re.fullmatch(r"[|:\- ]+", rows[1] if rows[1:] else ""), rows[0]
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1, rows[0]


_ALL_THAT_DIFFERS = re.compile(
    r"all that differs|nothing else differs|only difference|every difference|therefore a difference",
    re.IGNORECASE,
)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_document_says_that_the_methods_are_all_that_differs(path: Path) -> None:
    """`…_lab_vs_outside` of `make bench` would have to show it, and does not."""
    assert _ALL_THAT_DIFFERS.findall(" ".join(path.read_text().split())) == []


def test_every_route_is_documented_and_no_other(tmp_path: Path) -> None:
    app = create_app(Settings.from_env({"LAB_VAR": str(tmp_path)}))
    routes = {
        f"{method} {re.sub(r'<[^<>:]+:', '<', rule.rule)}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert routes == set(_first_cells("docs/http.md"))


def test_every_make_target_is_described() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*##", _text("Makefile"), re.MULTILINE))
    assert targets == {
        target.removeprefix("make ")
        for target in _first_cells("CONTRIBUTING.md")
        if target.startswith("make ")
    }


def test_every_direct_dependency_has_its_reason_and_no_other() -> None:
    project = tomllib.loads(_text("pyproject.toml"))
    groups = project["dependency-groups"].values()
    direct = [*project["project"]["dependencies"], *(entry for group in groups for entry in group)]
    named = set(" ".join(re.findall(r"tools/install-packages ([a-z -]+[a-z])", _text("Makefile"))).split())
    assert {re.split(r"[\[><=]", entry)[0] for entry in direct} | named == set(
        _first_cells("docs/dependencies.md")
    )


def test_a_naive_worker_is_started_in_the_documents_as_on_the_pages() -> None:
    lines = _text("docs/experiments.md").splitlines()
    for method in QUEUES:
        start = contender(method, Delivery.NAIVE).start
        assert start
        assert start[0] in lines


def test_every_room_is_named_in_the_architecture() -> None:
    rooms = {path.parent.name for path in ROOT.glob("[a-z]*/*.py")} - {"tests"}
    assert rooms <= {room.rstrip("/") for room in _first_cells("docs/architecture.md")}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_within_the_project_lead_somewhere(path: Path) -> None:
    prose = re.sub(r"^ *```.*?^ *```$", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        found = (path.parent / file).resolve() if file else path
        assert found.exists(), target
        assert not anchor or anchor in _anchors(found), target


@pytest.mark.parametrize("name", ["README.md", "README.ru.md"])
def test_the_readme_shows_the_page(name: str) -> None:
    (picture,) = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", _text(name))
    assert (ROOT / picture).read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_every_document_can_be_reached_from_the_readme() -> None:
    seen, left = set(), [ROOT / "README.md"]
    while left:
        path = left.pop()
        if path in seen or path.suffix != ".md":
            continue
        seen.add(path)
        links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text())
        left += [(path.parent / link).resolve() for link in links if "://" not in link]
    assert set(DOCUMENTS) <= seen
