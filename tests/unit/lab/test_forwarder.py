"""The process that reports for all processes of a worker, really started."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab import remote_reporter
from lab.job import Job
from lab.remote_reporter import RemoteReporter
from lab.reporter import ReportFailed
from lab.status import TaskStatus
from tests.callback_api import Api


def job(name: str = "x") -> Job:
    return Job(task_id=name, num=1, params={"timeout": 1.0}, token="t")


Start = Callable[[str], RemoteReporter]


def test_a_status_goes_to_the_api_and_its_verdict_comes_back(start: Start, api: Api) -> None:
    report = start(api.url).for_job(job(), "worker@host", 2)
    assert report(TaskStatus.IN_PROGRESS, progress=0.0).run
    assert report(TaskStatus.DONE, progress=1.0, result={"a": 1}).task_id == "x"
    assert [(u["status"], u["attempt"], u["token"]) for u in api.updates] == [
        ("IN_PROGRESS", 2, "t"),
        ("DONE", 2, "t"),
    ]


def test_a_job_that_has_ended_is_not_run(start: Start, api: Api) -> None:
    api.status = "DONE"
    assert not start(api.url).for_job(job(), "w", 1)(TaskStatus.IN_PROGRESS, progress=0.0).run


def test_what_many_report_at_once_shares_posts(start: Start, api: Api) -> None:
    api.slow = 0.05
    reporter = start(api.url)
    with ThreadPoolExecutor(40) as pool:

        def done(n: int) -> None:
            reporter.for_job(job(str(n)), "w", 1)(TaskStatus.DONE)
            time.sleep(0.3)  # so that each has a thread, and thus a connection, of its own
            reporter.leave()

        list(pool.map(done, range(40)))
    assert len(api.updates) == 40
    assert api.posts < 15


def test_without_its_forwarder_a_process_reports_by_itself(start: Start, api: Api) -> None:
    reporter = start(api.url)
    report = reporter.for_job(job(), "w", 1)
    report(TaskStatus.IN_PROGRESS, progress=0.0)
    remote_reporter._started[-1].kill()
    remote_reporter._started[-1].wait()
    report(TaskStatus.DONE)
    assert [u["status"] for u in api.updates] == ["IN_PROGRESS", "DONE"]


def test_while_the_api_is_away_a_final_status_lies_in_the_spool(start: Start, tmp_path: Path) -> None:
    report = start("http://127.0.0.1:1/").for_job(job(), "w", 1)
    report(TaskStatus.DONE, result=7)
    (file,) = (tmp_path / "spool").iterdir()
    assert json.loads(file.read_text())["result"] == 7


def test_a_status_that_nobody_takes_raises(start: Start, tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file where the folder should be")
    with pytest.raises(ReportFailed):
        start("http://127.0.0.1:1/").for_job(job(), "w", 1)(TaskStatus.DONE)


def test_who_is_interrupted_while_it_waits_takes_no_answer_for_another_question(
    start: Start, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    class TimeIsOver(Exception):
        pass

    def interrupted(connection: object, count: int) -> bytes:
        raise TimeIsOver

    reporter = start(api.url)
    with monkeypatch.context() as patched:
        patched.setattr(remote_reporter, "_read", interrupted)
        with pytest.raises(TimeIsOver):
            reporter.for_job(job("one"), "w", 1)(TaskStatus.IN_PROGRESS, progress=0.0)
    for name in ("two", "three"):
        assert reporter.for_job(job(name), "w", 1)(TaskStatus.DONE).task_id == name


def test_it_ends_with_its_parent_and_the_last_that_uses_it(start: Start, api: Api) -> None:
    reporter = start(api.url)
    reporter.for_job(job(), "w", 1)(TaskStatus.IN_PROGRESS, progress=0.0)
    process = remote_reporter._started[-1]
    assert process.stdin is not None
    process.stdin.close()
    time.sleep(0.5)
    assert process.poll() is None
    reporter.leave()
    assert process.wait(5) == 0
