"""What is read fast is what the model says, and everything else is left to the model."""

import json
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from pydantic import ValidationError

from api.facts import Fact, fact_of, read
from lab.clock import to_iso
from lab.job import Job
from lab.lines import Lines
from lab.status import StatusUpdate, TaskStatus

MOST = 5
FIELDS: dict[str, Any] = {
    "task_id": "x",
    "token": "t",
    "attempt": 1,
    "worker": "w@h",
    "run": "r",
    "first": True,
    "status": "DONE",
    "at": "2026-01-31T12:00:00.000007Z",
}
text = st.text(max_size=12)
some = st.none() | st.booleans() | st.integers(-2, 3) | st.floats() | text
written = st.fixed_dictionaries(
    {
        "task_id": st.text(min_size=1, max_size=12),
        "token": text,
        "attempt": st.integers(1, 1_000_000),
        "worker": text,
        "run": text,
        "first": st.booleans(),
        "status": st.sampled_from(TaskStatus),
        "at": st.integers(0, 253_402_300_799_999_999).map(to_iso),
    },
    optional={
        "progress": st.none() | st.floats(0, 1),
        "error": st.none() | text,
        "result": some | st.lists(some, max_size=3),
    },
)
times = st.sampled_from(["2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000000+03:00", "2026-13-01", 5, "5"])
strange = st.one_of(
    st.tuples(st.sampled_from([*FIELDS, "progress", "error", "more"]), some),
    st.tuples(st.just("at"), times),
)


def by_the_model(body: bytes) -> list[Fact] | None:
    """What StatusUpdate makes of the batch; None where anything is wrong with it."""
    try:
        return [fact_of(StatusUpdate.model_validate(item)) for item in json.loads(body)["updates"]]
    except ValidationError:
        return None


def filled(fact: Fact) -> dict[str, Any]:
    return {"progress": None, "error": None, "result": None, **fact}


@given(st.lists(written, min_size=1, max_size=2), st.none() | strange)
def test_what_is_read_is_what_the_model_says(
    items: list[dict[str, Any]], other: tuple[str, Any] | None
) -> None:
    body = json.dumps({"updates": [*items[1:], items[0] | dict([other] if other else [])]}).encode()
    facts = read(body, MOST)
    event("read" if facts else "left")
    if facts is not None:
        expected = by_the_model(body)
        assert expected is not None
        assert [filled(fact) for fact in facts] == [filled(fact) for fact in expected]


@pytest.mark.parametrize("status", TaskStatus)
def test_what_workers_write_is_read(status: TaskStatus) -> None:
    lines = Lines(Job(task_id="x", num=1, token="t" * 64), "celery@ü", 2, redelivered=True)
    reported = [
        lines.line(status),
        lines.line(status, progress=0.5, result={"a": ["ж"]}),
        lines.line(status, error='"no"\n'),
    ]
    body = b'{"updates":[%b]}' % b",".join(line.json for line in reported)
    facts = read(body, MOST)
    assert facts is not None
    assert [filled(fact) for fact in facts] == [filled(fact) for fact in by_the_model(body) or []]


@pytest.mark.parametrize(
    "other",
    [
        {"worker": "a\0b"},
        {"error": "a\0b"},
        {"attempt": 0},
        {"attempt": "1"},
        {"at": 1_700_000_000},
        {"at": "2026-02-30T12:00:00.000000Z"},
        {"at": "2026-01-31T12:00:00Z"},
        {"status": "BEGUN"},
        {"progress": float("nan")},
        {"result": [float("nan")]},
        {"result": float("inf")},
        {"more": float("nan")},
        {"worker": None},
    ],
)
def test_anything_else_is_left_to_the_model(other: dict[str, Any]) -> None:
    assert read(json.dumps({"updates": [FIELDS]}).encode(), MOST) is not None
    assert read(json.dumps({"updates": [{**FIELDS, **other}]}).encode(), MOST) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b'{"updates":[]}',
        b'{"updates":5}',
        json.dumps(FIELDS).encode(),
        json.dumps({"updates": [FIELDS] * (MOST + 1)}).encode(),
        json.dumps({"updates": [FIELDS], "more": float("nan")}).encode(),
    ],
)
def test_what_is_no_batch_is_left_alone(body: bytes) -> None:
    assert read(body, MOST) is None
