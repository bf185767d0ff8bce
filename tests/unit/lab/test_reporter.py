import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from lab.job import Job
from lab.reporter import Reporter, ReportFailed
from lab.status import TaskStatus

JOB = Job(task_id="x", num=1, params={"timeout": 1.0}, token="t")


class Api:
    """A real HTTP server that answers as it is told and remembers what it got."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.status: str | None = None
        self.updates: list[dict[str, Any]] = []
        self.connections: set[tuple[str, int]] = set()
        self.got_progress = threading.Event()
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                api.connections.add(self.client_address)
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                code = api.answers.pop(0) if api.answers else 200
                results = []
                if code == 200:
                    api.updates += body["updates"]
                    results = [
                        {
                            "task_id": update["task_id"],
                            "applied": True,
                            "status": api.status or update["status"],
                        }
                        for update in body["updates"]
                    ]
                    if any(0 < (update.get("progress") or 0) < 1 for update in body["updates"]):
                        api.got_progress.set()
                data = json.dumps({"results": results}).encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/update_task_status_api/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def api() -> Iterator[Api]:
    made = Api()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_updates_carry_the_token_over_one_kept_connection(api: Api) -> None:
    report = Reporter(api.url).for_job(JOB, "worker@host", 2)
    report(TaskStatus.IN_PROGRESS, progress=0.0)
    report(TaskStatus.DONE, result={"a": 1})
    assert [(u["status"], u["token"], u["worker"], u["attempt"]) for u in api.updates] == [
        ("IN_PROGRESS", "t", "worker@host", 2),
        ("DONE", "t", "worker@host", 2),
    ]
    assert api.updates[1]["result"] == {"a": 1}
    assert len(api.connections) == 1


def test_the_answer_tells_whether_to_run(api: Api) -> None:
    api.status = "CANCELLED"
    assert not Reporter(api.url).for_job(JOB, "w", 1)(TaskStatus.IN_PROGRESS, progress=0.0).run


def test_an_api_that_stumbles_is_asked_again(api: Api) -> None:
    api.answers = [503, 500]
    Reporter(api.url, sleep=lambda seconds: None).for_job(JOB, "w", 1)(TaskStatus.DONE)
    assert [u["status"] for u in api.updates] == ["DONE"]


def test_progress_goes_in_the_background(api: Api) -> None:
    Reporter(api.url).for_job(JOB, "w", 1)(TaskStatus.IN_PROGRESS, progress=0.5)
    assert api.got_progress.wait(5)


def test_a_job_runs_unasked_when_the_api_is_away() -> None:
    reporter = Reporter("http://127.0.0.1:1/", ask_seconds=0.3)
    assert reporter.for_job(JOB, "w", 1)(TaskStatus.IN_PROGRESS, progress=0.0).run


def test_a_final_status_that_nobody_takes_raises() -> None:
    reporter = Reporter("http://127.0.0.1:1/", final_seconds=0.3)
    with pytest.raises(ReportFailed, match="does not accept"):
        reporter.for_job(JOB, "w", 1)(TaskStatus.DONE)
