"""What the contenders as they come report with: one POST each, and a failure is logged and forgotten."""

import logging

import pytest

from lab.job import Job
from lab.reporting.job_report import Stamp
from lab.reporting.plain_reports import PlainReports
from lab.status import TaskStatus
from tests.callback_api import Api

JOB = Job(task_id="x", num=1, kind="add", token="t")


class Desk:
    """Keeps the stamps."""

    def __init__(self) -> None:
        self.stamps: list[Stamp] = []

    def stamp(self, stamp: Stamp) -> None:
        self.stamps.append(stamp)

    def is_cancelled(self, task_id: str) -> bool:
        return False


def test_each_status_is_a_post_of_its_own_over_one_connection(api: Api) -> None:
    report = PlainReports(api.url, Desk()).for_job(JOB, "worker@host", 2)
    report(TaskStatus.IN_PROGRESS, progress=0.0)
    report(TaskStatus.IN_PROGRESS, progress=0.5)
    report(TaskStatus.DONE, progress=1.0, result=3)
    assert api.posts == 3
    assert len(api.connections) == 1
    assert [
        (told["status"], told.get("progress"), told["attempt"], told["token"]) for told in api.updates
    ] == [
        ("IN_PROGRESS", 0.0, 2, "t"),
        ("IN_PROGRESS", 0.5, 2, "t"),
        ("DONE", 1.0, 2, "t"),
    ]


def test_what_was_cancelled_does_not_run_and_what_was_done_runs_again(api: Api) -> None:
    report = PlainReports(api.url, Desk()).for_job(JOB, "w", 1)
    api.status = "CANCELLED"
    assert not report(TaskStatus.IN_PROGRESS, progress=0.0).run
    api.status = "DONE"
    assert report(TaskStatus.IN_PROGRESS, progress=0.0).run


def test_what_is_not_taken_is_logged_and_forgotten(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    report = PlainReports(api.url, Desk()).for_job(JOB, "w", 1)
    api.answers = [503]
    assert report(TaskStatus.IN_PROGRESS, progress=0.0).run
    report(TaskStatus.DONE)
    assert api.posts == 2
    assert [told["status"] for told in api.updates] == ["DONE"]
    assert [(one.levelno, one.getMessage()) for one in caplog.records] == [
        (logging.WARNING, "a status of task x is lost: HTTP 503")
    ]


def test_a_job_runs_and_ends_while_the_api_is_away() -> None:
    report = PlainReports("http://127.0.0.1:1/", Desk()).for_job(JOB, "w", 1)
    assert report(TaskStatus.IN_PROGRESS, progress=0.0).run
    assert not report(TaskStatus.DONE).cancel


def test_stamps_go_to_the_desk(api: Api) -> None:
    desk = Desk()
    report = PlainReports(api.url, desk).for_job(
        JOB.model_copy(update={"beside": True}), "w", 3, redelivered=True
    )
    report(TaskStatus.IN_PROGRESS, progress=0.0)
    report(TaskStatus.DONE)
    assert api.posts == 0
    assert [stamp.status for stamp in desk.stamps] == [TaskStatus.DONE]
