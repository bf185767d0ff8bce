"""The report function of one run of a job, in and beside its path."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from lab.job import Job
from lab.reporting.job_report import JobReport, Line, Stamp, StampedReport, report_of
from lab.status import TaskStatus, UpdateAnswer

JOB = Job(task_id="x", num=1, kind="add", token="t")


class Desk:
    """Takes every report and keeps it, with how it came."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, dict[str, Any]]] = []

    def _take(self, how: str, lines: Sequence[Line]) -> list[UpdateAnswer]:
        self.taken += [(how, json.loads(line.json)) for line in lines]
        return [UpdateAnswer(task_id=line.task_id, applied=True) for line in lines]

    def ask(self, lines: Sequence[Line], *, must: bool = False) -> list[UpdateAnswer]:
        return self._take("must ask" if must else "ask", lines)

    def settle(self, lines: Sequence[Line]) -> list[UpdateAnswer]:
        return self._take("settle", lines)

    def note_progress(self, line: Line) -> UpdateAnswer:
        return self._take("progress", [line])[0]

    def stamp(self, stamp: Stamp) -> None:
        self._take("stamp", [stamp.line()])

    def is_cancelled(self, task_id: str) -> bool:
        return False


def test_a_jobs_begin_is_asked_its_progress_noted_and_its_end_settled() -> None:
    desk = Desk()
    report = report_of(desk, JOB, "worker@host", 2)
    assert isinstance(report, JobReport)
    assert report(TaskStatus.IN_PROGRESS, progress=0.0).applied
    report(TaskStatus.IN_PROGRESS, progress=0.5)
    report(TaskStatus.DONE, progress=1.0, result=[1])
    assert [how for how, _ in desk.taken] == ["ask", "progress", "settle"]
    for _, told in desk.taken:
        assert (told["task_id"], told["attempt"], told["worker"]) == ("x", 2, "worker@host")
        assert told["first"]
    assert len({told["run"] for _, told in desk.taken}) == 1
    assert desk.taken[-1][1]["result"] == [1]


@pytest.mark.parametrize("status", [TaskStatus.FAILED, TaskStatus.RETRYING, TaskStatus.CANCELLED])
def test_whatever_a_job_comes_to_is_settled(status: TaskStatus) -> None:
    desk = Desk()
    report_of(desk, JOB, "w", 1)(status, error="no")
    assert [(how, told["status"], told["error"]) for how, told in desk.taken] == [("settle", status, "no")]


def test_a_redelivered_job_must_ask() -> None:
    desk = Desk()
    report_of(desk, JOB, "w", 2, redelivered=True)(TaskStatus.IN_PROGRESS, progress=0.0)
    ((how, told),) = desk.taken
    assert (how, told["first"]) == ("must ask", False)


def test_a_job_beside_its_path_asks_nobody_and_is_told_once() -> None:
    desk = Desk()
    report = report_of(desk, JOB.model_copy(update={"beside": True}), "w", 2, redelivered=True)
    assert isinstance(report, StampedReport)
    report(TaskStatus.IN_PROGRESS, progress=0.0)
    report(TaskStatus.IN_PROGRESS, progress=0.5)
    assert desk.taken == []
    report(TaskStatus.DONE, progress=1.0)
    ((how, told),) = desk.taken
    assert (how, told["status"], told["attempt"], told["first"]) == ("stamp", "DONE", 2, False)
