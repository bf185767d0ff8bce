"""The process that reports for all processes of a worker, really started."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lab import remote_reporter
from lab.job import Job
from lab.remote_reporter import RemoteReporter, start_forwarder
from lab.reporter import ReportFailed
from lab.settings import Settings
from lab.status import TaskStatus


def job(name: str = "x") -> Job:
    return Job(task_id=name, num=1, params={"timeout": 1.0}, token="t")


class Api:
    """Takes statuses, slowly where it is told so."""

    def __init__(self) -> None:
        self.updates: list[dict[str, Any]] = []
        self.posts = 0
        self.slow = 0.0
        self.status: str | None = None
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                api.posts += 1
                time.sleep(api.slow)
                api.updates += body["updates"]
                results = [
                    {"task_id": u["task_id"], "applied": True, "status": api.status or u["status"]}
                    for u in body["updates"]
                ]
                data = json.dumps({"results": results}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/update_task_status_api/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def api() -> Iterator[Api]:
    made = Api()
    yield made
    made.close()


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[str], RemoteReporter]]:
    begun = len(remote_reporter._started)
    reporters = []

    def started(url: str) -> RemoteReporter:
        monkeypatch.setenv("API_URL", url)
        monkeypatch.setenv("LAB_VAR", str(tmp_path))
        reporters.append(RemoteReporter(start_forwarder(), Settings.from_env()))
        return reporters[-1]

    yield started
    for reporter in reporters:
        reporter.leave()
    for process in remote_reporter._started[begun:]:
        process.kill()
        process.communicate()
    del remote_reporter._started[begun:]


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
