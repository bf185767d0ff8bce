"""Reports beside the path: a run's begin and end, handed over together when the job has ended."""

import time
from datetime import datetime
from typing import Any

import pytest

from lab.clock import now_us
from lab.job import Job
from lab.reporting import job_report
from lab.reporting.job_report import Lines, Stamp, StampedReport
from lab.status import StatusUpdate, TaskStatus

JOB = Job(task_id="x", num=1, kind="add", token="t", beside=True)


class Desk:
    """Keeps the stamps; the task may be cancelled."""

    def __init__(self) -> None:
        self.stamps: list[Stamp] = []
        self.cancelled = False

    def stamp(self, stamp: Stamp) -> None:
        self.stamps.append(stamp)

    def is_cancelled(self, task_id: str) -> bool:
        assert task_id == "x"
        return self.cancelled


def test_a_run_is_handed_over_once_when_it_has_ended() -> None:
    desk = Desk()
    report = StampedReport(desk, JOB, "worker@host", 2)
    before = now_us()
    assert report(TaskStatus.IN_PROGRESS, progress=0.0).run
    report(TaskStatus.IN_PROGRESS, progress=0.5)
    time.sleep(0.05)
    assert desk.stamps == []
    report(TaskStatus.DONE, progress=1.0, result={"a": 1})
    (stamp,) = desk.stamps
    assert before <= stamp.began_us <= before + 1_000_000
    assert 50_000 <= stamp.ended_us - stamp.began_us < 5_000_000
    assert (stamp.status, stamp.progress, stamp.result, stamp.error) == (TaskStatus.DONE, 1.0, {"a": 1}, None)


def test_its_line_is_an_update_with_both_times() -> None:
    lines = Lines(JOB, "worker@host", 2, True)
    stamp = Stamp(lines, TaskStatus.FAILED, 1_700_000_000_000_001, 1_700_000_000_250_001, error="no")
    update = StatusUpdate.model_validate_json(stamp.line().json)
    assert (update.task_id, update.token, update.worker, update.attempt) == ("x", "t", "worker@host", 2)
    assert (update.status, update.error, update.first) == (TaskStatus.FAILED, "no", False)
    assert update.began_at == datetime.fromisoformat("2023-11-14T22:13:20.000001Z")
    assert update.at == datetime.fromisoformat("2023-11-14T22:13:20.250001Z")


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_set_during_the_run_changes_no_duration(
    monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    desk = Desk()
    report = StampedReport(desk, JOB, "w", 1)
    report(TaskStatus.IN_PROGRESS, progress=0.0)
    monkeypatch.setattr(job_report, "now_us", lambda: now_us() + hours * 3_600_000_000)
    report(TaskStatus.IN_PROGRESS, progress=0.5)
    report(TaskStatus.DONE)
    assert 0 <= desk.stamps[0].ended_us - desk.stamps[0].began_us < 5_000_000


def test_a_run_begins_when_it_says_so() -> None:
    desk = Desk()
    report = StampedReport(desk, JOB, "w", 1)
    time.sleep(0.05)
    begun = now_us()
    report(TaskStatus.IN_PROGRESS, progress=0.0)
    report(TaskStatus.DONE)
    assert desk.stamps[0].began_us >= begun


def test_a_cancelled_task_hears_of_it_with_each_report() -> None:
    desk = Desk()
    report = StampedReport(desk, JOB, "w", 1)
    assert not report(TaskStatus.IN_PROGRESS, progress=0.0).cancel
    desk.cancelled = True
    verdict = report(TaskStatus.IN_PROGRESS, progress=0.5)
    assert (verdict.cancel, verdict.run) == (True, False)
    report(TaskStatus.CANCELLED)
    assert [stamp.status for stamp in desk.stamps] == [TaskStatus.CANCELLED]


def test_each_run_has_a_name_of_its_own() -> None:
    desk = Desk()
    for _ in range(2):
        StampedReport(desk, JOB, "w", 1)(TaskStatus.DONE)
    runs: list[Any] = [StatusUpdate.model_validate_json(stamp.line().json).run for stamp in desk.stamps]
    assert len(set(runs)) == 2
