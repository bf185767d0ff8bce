"""What a process of the pool hands back of a job that its worker has begun."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

import celery_reporting
from celery_reporting import report_of, run
from lab.job import Assignment
from lab.lines import Line
from lab.status import TaskStatus, Verdict

JOB = Assignment("x", 1, "add", {}, "t")


class Desk:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Line] = []

    def settle(self, lines: Sequence[Line]) -> list[Verdict]:
        self.told += lines
        return [Verdict(task_id=line.task_id) for line in lines]


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    made = Desk()
    monkeypatch.setattr(celery_reporting, "reporter", lambda _: made)
    return made


def request(**fields: Any) -> Any:
    return SimpleNamespace(
        **{"hostname": "w", "ignore_result": True, "callbacks": None, "chain": None, "chord": None, **fields}
    )


def trace(failed: int = 0, error: BaseException | None = None, **fields: Any) -> Any:
    """Celery's own function: its task says DONE, and then comes to what is asked for."""

    def traced(*_: Any) -> tuple[int, Any, float]:
        report_of(JOB, request(**fields), 1, redelivered=False)(TaskStatus.DONE)
        if error is not None:
            raise error
        return failed, "text", 0.1

    return traced


def test_a_done_that_nothing_follows_is_handed_back(desk: Desk) -> None:
    failed, (text, left), runtime = run("run-1", b"", trace(), ())
    assert (failed, text, runtime, desk.told) == (0, "text", 0.1, [])
    assert left.startswith(b',"status":"DONE"')


@pytest.mark.parametrize(
    "fields", [{"ignore_result": False}, {"callbacks": [1]}, {"chain": [1]}, {"chord": {"task": "x"}}]
)
def test_a_done_that_something_follows_is_told_before_it(desk: Desk, fields: dict[str, Any]) -> None:
    assert run("run-1", b"", trace(**fields), ()) == (0, "text", 0.1)
    assert [b'"run":"run-1"' in line.json for line in desk.told] == [True]


def test_a_done_that_celery_takes_for_a_failure_is_told_all_the_same(desk: Desk) -> None:
    assert run("run-1", b"", trace(failed=1), ()) == (1, "text", 0.1)
    assert len(desk.told) == 1
    with pytest.raises(SystemExit):
        run("run-2", b"", trace(error=SystemExit()), ())
    assert [b'"run":"run-2"' in line.json for line in desk.told] == [False, True]


def test_a_task_that_reports_nothing_returns_as_it_did() -> None:
    assert run("run-1", b"", lambda: (0, None, 0.0), ()) == (0, None, 0.0)
