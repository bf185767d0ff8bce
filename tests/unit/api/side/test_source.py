"""Code is found by name, with its lines, and counted."""

import pytest

from api.side.feature import METHODS
from api.side.rows import ROWS
from api.side.source import excerpts

SAMPLE = "tests/unit/api/side/sample.py"


@pytest.mark.parametrize(
    ("name", "first_line", "lines", "count"),
    [
        ("LIMITS", "LIMITS = {", 6, 6),
        ("LIMITS.short", '"short": 1,  # seconds', 1, 1),
        ("LIMITS.long", '"long": [', 3, 3),
        ("call", "def call(function: Callable[..., object], **options: object) -> None:", 4, 2),
        ("Box.lid", "lid: int = 0", 1, 1),
        ("Box.open", "@decorated", 22, 18),
        ("Box.open.call()", "call(", 4, 4),
        ("Box.open.end", 'end="",', 1, 1),
        ("Box.open.ValueError", "except ValueError:", 2, 2),
        ("Box.open.open", 'case "open":', 2, 2),
        ("Box.open.if callable()", "if callable(what):", 2, 2),
        ("Box.open.seen", "self.seen = {}", 1, 1),
        ("Box.open.twice", 'self.seen["twice"] = True', 1, 1),
    ],
)
def test_a_place_is_found_by_its_name(name: str, first_line: str, lines: int, count: int) -> None:
    (found,) = excerpts([f"{SAMPLE}:{name}"])
    assert found.text.splitlines()[0] == first_line
    assert found.last - found.first + 1 == lines
    assert found.count == count


def test_neighbours_become_one() -> None:
    (found,) = excerpts([f"{SAMPLE}:LIMITS.short", f"{SAMPLE}:LIMITS.long"])
    assert found.names == ("LIMITS.short", "LIMITS.long")
    assert found.count == 4


@pytest.mark.parametrize("name", ["nothing", "Box.nothing", "Box.open.nothing()", "nothing.else"])
def test_what_is_not_there_is_said_by_its_name(name: str) -> None:
    with pytest.raises(LookupError, match=name.replace("(", r"\(").replace(")", r"\)")):
        excerpts([f"{SAMPLE}:{name}"])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_each_row_finds_its_code(row: object) -> None:
    for method in METHODS:
        side = row.side(method)  # type: ignore[attr-defined]
        assert len(excerpts(side.code)) <= len(side.code)
