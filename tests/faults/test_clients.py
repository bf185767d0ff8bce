"""Clients that are slow, or greedy, and an API that answers the others meanwhile."""

import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from harness.lab import Lab
from harness.processes import until

pytestmark = pytest.mark.slow

Open = Callable[[bytes], socket.socket]
DESCRIPTORS = 1024
HALF = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """An API without a broker, each of whose processes may have 1,024 descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2500:
        pytest.skip(f"this process may have {hard} descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    lab = Lab(tmp_path_factory.mktemp("clients"), "amqp://student:qwerty@127.0.0.1:1/")
    try:
        lab.start_api()
        for process in processes(lab):
            process.rlimit(psutil.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
        yield lab
    finally:
        lab.api.terminate(timeout=20)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def connect(api: Lab) -> Iterator[Open]:
    """Opens a connection on which so many bytes are sent, and keeps it."""
    with ExitStack() as stack:

        def opened(data: bytes) -> socket.socket:
            made = stack.enter_context(socket.create_connection(("127.0.0.1", api.port), timeout=10))
            made.sendall(data)
            return made

        yield opened


def processes(lab: Lab) -> list[psutil.Process]:
    found: list[psutil.Process] = psutil.Process(lab.api.pid).children()
    return found


def assert_answers(lab: Lab, seconds: float, *, within: float = 1.0) -> None:
    """New clients are answered within so many seconds, for `seconds`, by the processes that were there."""
    before = processes(lab)
    assert len(before) == 2
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = requests.get(f"{lab.url}/healthz", timeout=within)
        assert answer.status_code == 200
        time.sleep(0.2)
    assert processes(lab) == before
    assert "Traceback" not in lab.api.log.read_text()


@pytest.mark.alone
def test_clients_that_do_not_close_what_is_answered(api: Lab, connect: Open) -> None:
    sockets = [connect(b"GET /healthz HTTP/1.0\r\n\r\n") for _ in range(80)]
    assert_answers(api, 5)
    for one in sockets:
        assert one.recv(12)[9:] == b"200"


@pytest.mark.alone
def test_heads_that_are_sent_by_half(api: Lab, connect: Open) -> None:
    sockets = [connect(HALF) for _ in range(450)]
    assert_answers(api, 5)
    sockets[-1].sendall(b"1\r\n\r\n")
    assert sockets[-1].recv(12)[9:] == b"200"
    assert_answers(api, 10)
    with pytest.raises(ConnectionResetError):
        sockets[0].recv(1)


def test_heads_that_come_byte_by_byte(api: Lab, connect: Open) -> None:
    one = connect(b"")
    for byte in HALF + b"1\r\n\r\n":
        one.sendall(bytes([byte]))
        time.sleep(0.005)
    assert one.recv(12)[9:] == b"200"


@pytest.mark.alone
def test_small_bodies_that_do_not_come(api: Lab, connect: Open) -> None:
    head = b"POST /api/tasks HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99\r\n\r\n{"
    for _ in range(450):
        connect(head)
    assert_answers(api, 5)


@pytest.mark.alone
def test_more_connections_than_descriptors(api: Lab, connect: Open) -> None:
    for _ in range(1900):
        connect(b"")
    assert_answers(api, 5)


@pytest.mark.alone
def test_more_streams_than_are_served(api: Lab, connect: Open) -> None:
    streams = [connect(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n") for _ in range(320)]
    # To begin 320 streams at once takes a third of a second, on a slow machine a whole one.
    assert_answers(api, 5, within=3)
    answers = [one.recv(12)[9:] for one in streams]
    assert set(answers) == {b"200", b"503"}


def test_two_requests_at_once_on_one_connection_are_both_answered(api: Lab, connect: Open) -> None:
    request = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    one = connect(request * 2)
    one.settimeout(5)
    seen = b""
    while seen.count(b"HTTP/1.1 200") < 2:
        data = one.recv(4096)
        assert data
        seen += data


def test_an_api_with_silent_clients_stops_in_time(tmp_path: Path) -> None:
    lab = Lab(tmp_path, "amqp://student:qwerty@127.0.0.1:1/")
    lab.start_api()
    with socket.create_connection(("127.0.0.1", lab.port)):
        begin = time.monotonic()
        lab.api.terminate(timeout=20)
    assert time.monotonic() - begin < 9


def test_what_a_killed_api_ran_in_a_request_is_interrupted(tmp_path: Path) -> None:
    lab = Lab(tmp_path, "amqp://student:qwerty@127.0.0.1:1/", env={"LAB_SYNC_MAX_SECONDS": "5"})
    lab.start_api()
    try:
        with socket.create_connection(("127.0.0.1", lab.port)) as client:
            body = b'{"method": "sync", "timeout": 5}'
            head = f"Host: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
            client.sendall(f"POST /api/tasks HTTP/1.1\r\n{head}\r\n\r\n".encode() + body)
            assert until(lambda: newest(lab).get("status") == "IN_PROGRESS", 20)
            lab.api.kill_group()
        lab.api.start()
        lab.wait_for_api()
        assert until(lambda: newest(lab)["status"] == "FAILED", 60)
        assert newest(lab)["error"].startswith("interrupted")
    finally:
        lab.api.terminate(timeout=20)


def newest(lab: Lab) -> dict[str, Any]:
    tasks: list[dict[str, Any]] = requests.get(f"{lab.url}/api/tasks", timeout=20).json()["tasks"]
    return tasks[0] if tasks else {}
