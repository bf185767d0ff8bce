"""The process that reports for all processes of a worker, really started."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from celery_worker import remote_reporter
from celery_worker.remote_reporter import RemoteReporter, clock_offset
from lab.job import Job
from lab.reporting.reporter import ReportFailed
from lab.status import TaskStatus
from tests.callback_api import Api


def job(name: str = "x", beside: bool = False) -> Job:
    return Job(task_id=name, num=1, params={"timeout": 1.0}, token="t", beside=beside)


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


def test_a_forwarder_that_was_killed_is_started_again_and_reported_by(start: Start, api: Api) -> None:
    reporter = start(api.url)
    reporter.for_job(job(), "w", 1)(TaskStatus.IN_PROGRESS, progress=0.0)
    killed = remote_reporter._started[-1]
    killed.kill()
    killed.wait()
    told = 1
    deadline = time.monotonic() + 30
    while getattr(reporter._own, "connection", None) is None or remote_reporter._started[-1] is killed:
        assert time.monotonic() < deadline
        reporter.for_job(job(), "w", 1)(TaskStatus.DONE)
        told += 1
    reporter.for_job(job(), "w", 1)(TaskStatus.DONE)
    assert len(api.updates) == told + 1


def test_its_socket_is_in_a_folder_that_only_its_owner_enters(
    forward: Callable[[str], str], api: Api
) -> None:
    path = Path(forward(api.url))
    assert path.is_socket()
    assert path.parent.stat().st_mode & 0o777 == 0o700


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


def test_stamps_are_written_to_it_and_reach_the_api_together(start: Start, api: Api) -> None:
    reporter = start(api.url)
    for n in range(1, 51):
        report = reporter.for_job(job(beside=True), "w", n)
        report(TaskStatus.IN_PROGRESS, progress=0.0)
        assert not report(TaskStatus.DONE, progress=1.0).cancel
    deadline = time.monotonic() + 20
    while len(api.updates) < 50:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert [update["attempt"] for update in api.updates] == list(range(1, 51))
    assert api.posts <= 3


def test_what_is_asked_after_a_stamp_gets_its_own_answer(start: Start, api: Api) -> None:
    reporter = start(api.url)
    for n in range(3):
        reporter.for_job(job(f"stamped-{n}", beside=True), "w", 1)(TaskStatus.DONE)
        assert reporter.for_job(job(f"asked-{n}"), "w", 1)(TaskStatus.DONE).task_id == f"asked-{n}"


def test_it_sends_the_stamps_that_it_has_before_it_ends(start: Start, api: Api) -> None:
    reporter = start(api.url)
    reporter.for_job(job(beside=True), "w", 1)(TaskStatus.DONE)
    process = remote_reporter._started[-1]
    assert process.stdin is not None
    process.stdin.close()
    reporter.leave()
    assert process.wait(10) == 0
    assert [update["status"] for update in api.updates] == ["DONE"]


def test_without_its_forwarder_a_process_stamps_by_itself(start: Start, api: Api) -> None:
    reporter = start(api.url)
    remote_reporter._started[-1].kill()
    remote_reporter._started[-1].wait()
    reporter.for_job(job(beside=True), "w", 1)(TaskStatus.DONE)
    deadline = time.monotonic() + 10
    while not api.updates:
        assert time.monotonic() < deadline
        time.sleep(0.05)


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


def test_a_forwarder_tells_the_offset_and_none_where_it_is_gone(
    api: Api, forward: Callable[[str], str], tmp_path: Path
) -> None:
    api.behind = 3600.0
    address = forward(api.url)
    deadline = time.monotonic() + 30
    while (offset := clock_offset(address)) is None and time.monotonic() < deadline:
        time.sleep(0.1)
    assert offset == pytest.approx(3600, abs=1)
    assert clock_offset(str(tmp_path / "gone")) is None
