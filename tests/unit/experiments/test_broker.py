"""What the management API tells, from a server of the test's own."""

import http.server
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from experiments.broker import Broker, broker_of, timeout_of
from lab.settings import Settings


@pytest.fixture
def management() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    nodes: list[dict[str, Any]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(nodes).encode())

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", nodes
    server.shutdown()
    thread.join()
    server.server_close()


def settings(url: str) -> Settings:
    return Settings.from_env({"LAB_MANAGEMENT_URL": url, "RMQ_URL": "amqp://guest:guest@127.0.0.1/"})


def test_the_version_is_told_by_the_nodes(management: tuple[str, list[dict[str, Any]]]) -> None:
    url, nodes = management
    nodes.append(
        {"applications": [{"name": "rabbit", "version": "3.10.8"}, {"name": "ranch", "version": "2"}]}
    )
    assert broker_of(settings(url)) == Broker("3.10.8", None)


def test_nothing_is_known_of_a_broker_that_does_not_answer() -> None:
    assert broker_of(settings("http://127.0.0.1:9/")) == Broker()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("consumer_timeout = 7200000\n", 7_200),
        ("[{rabbit, [{consumer_timeout, 60000}]}].\n", 60),
        ("# consumer_timeout = 1000\nlisteners.tcp.1 = 1\n", 1_800),
    ],
)
def test_the_timeout_is_read_from_the_files_of_the_nodes(tmp_path: Path, text: str, seconds: int) -> None:
    file = tmp_path / "rabbitmq.conf"
    file.write_text(text)
    nodes = [{"config_files": [str(file), "/nowhere/advanced.config (not found)"]}]
    assert timeout_of(nodes, [os.getpid()]) == seconds


def test_a_file_that_cannot_be_read_leaves_the_timeout_unknown() -> None:
    assert timeout_of([{"config_files": ["/nowhere/rabbitmq.conf"]}], [os.getpid()]) is None
