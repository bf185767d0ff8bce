"""The report function of a run that another process has begun."""

import json
from collections.abc import Sequence

import pytest

from lab.job import Assignment
from lab.job_report import Continued
from lab.lines import Line
from lab.status import TaskStatus, Verdict

JOB = Assignment("x", 1, "add", {}, "t")


class Desk:
    """Takes every report and keeps it."""

    def __init__(self) -> None:
        self.taken: list[dict[str, object]] = []

    def _take(self, lines: Sequence[Line]) -> list[Verdict]:
        self.taken += [json.loads(line.json) for line in lines]
        return [Verdict(task_id=line.task_id, applied=True) for line in lines]

    def ask(self, lines: Sequence[Line], *, must: bool = False) -> list[Verdict]:
        assert not must
        return self._take(lines)

    def settle(self, lines: Sequence[Line]) -> list[Verdict]:
        return self._take(lines)

    def note_progress(self, line: Line) -> Verdict:
        return self._take([line])[0]


def report(desk: Desk, answer: bytes | None = b"", *, hands_over: bool = True) -> Continued:
    return Continued(desk, JOB, "worker@host", 2, "run-1", answer, hands_over=hands_over)


def test_its_beginning_is_not_told_again() -> None:
    desk = Desk()
    assert report(desk)(TaskStatus.IN_PROGRESS, progress=0.0).run
    assert not report(desk, b'{"task_id":"x","status":"DONE"}')(TaskStatus.IN_PROGRESS, progress=0.0).run
    assert desk.taken == []


def test_where_no_answer_came_it_asks_for_the_same_run() -> None:
    desk = Desk()
    assert report(desk, None)(TaskStatus.IN_PROGRESS, progress=0.0).applied
    assert [(told["run"], told["attempt"]) for told in desk.taken] == [("run-1", 2)]


def test_its_done_is_left_and_becomes_the_whole_update_elsewhere() -> None:
    desk = Desk()
    one = report(desk)
    one(TaskStatus.DONE, progress=1.0, result=[1])
    assert desk.taken == []
    whole = json.loads(report(desk).whole(one.left).json)
    assert (whole["task_id"], whole["run"], whole["status"], whole["result"]) == ("x", "run-1", "DONE", [1])


@pytest.mark.parametrize("status", [TaskStatus.FAILED, TaskStatus.RETRYING, TaskStatus.CANCELLED])
def test_what_else_it_comes_to_is_told_at_once(status: TaskStatus) -> None:
    desk = Desk()
    one = report(desk)
    one(status, error="no")
    assert [told["status"] for told in desk.taken] == [status]
    assert not one.left


def test_a_failure_after_its_done_takes_that_back() -> None:
    desk = Desk()
    one = report(desk)
    one(TaskStatus.DONE)
    one(TaskStatus.FAILED, error="time is over")
    assert not one.left


def test_done_is_told_at_once_where_something_follows_and_progress_always() -> None:
    desk = Desk()
    one = report(desk, hands_over=False)
    one(TaskStatus.IN_PROGRESS, progress=0.5)
    one(TaskStatus.DONE)
    assert [told["status"] for told in desk.taken] == ["IN_PROGRESS", "DONE"]
    assert not one.left
