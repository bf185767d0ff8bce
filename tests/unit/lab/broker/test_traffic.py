"""Counting on real sockets and a real broker."""

import os
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pika
import pytest

from lab.broker import amqp
from lab.broker.traffic import _OFFSET, Traffic, with_broker

HEADER = Path("/usr/include/linux/tcp.h")
SIZES = {"__u8": 1, "__u32": 4, "__u64": 8}


def until(holds: Callable[[], bool]) -> None:
    """Bytes count as sent when the other side has acknowledged them, a moment later."""
    deadline = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.skipif(not HEADER.exists(), reason="the kernel's headers are not installed")
def test_the_offset_is_that_of_the_kernels_header() -> None:
    text = re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.DOTALL)
    body = text.partition("struct tcp_info {")[2].partition("};")[0]
    offset, bits = 0, 0
    for kind, names in re.findall(r"(__u\d+)\s+([^;]+);", body):
        for name in names.split(","):
            if ":" in name:
                bits += int(name.partition(":")[2])
                continue
            offset, bits = offset + (bits + 7) // 8, 0
            offset += -offset % SIZES[kind]
            if name.strip() == "tcpi_bytes_acked":
                assert offset == _OFFSET
                return
            offset += SIZES[kind]
    pytest.fail("the header has no tcpi_bytes_acked")


def address(server: socket.socket, scheme: str = "amqp") -> str:
    return f"{scheme}://user:secret@127.0.0.1:{server.getsockname()[1]}/"


def test_a_connections_bytes_are_counted_both_ways() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = address(server)
        assert with_broker(url) == Traffic(0, 0)
        client = socket.create_connection(server.getsockname())
        other, _ = server.accept()
        with client, other:
            client.sendall(b"x" * 100_000)
            left = 100_000
            while left:
                left -= len(other.recv(65536))
            other.sendall(b"y" * 777)
            client.recv(1000)
            until(lambda: (with_broker(url).bytes_out or 0) >= 100_000)
            found = with_broker(url)
            assert found.bytes_out in (100_000, 100_001)  # the kernel counts the SYN
            assert found.bytes_in == 777
        assert with_broker(url) == Traffic(0, 0)


def test_all_connections_to_the_broker_are_added_up_and_no_others() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_server(("127.0.0.1", 0)) as stranger,
        socket.create_connection(server.getsockname()) as one,
        socket.create_connection(server.getsockname()) as two,
        socket.create_connection(stranger.getsockname()) as other,
        socket.socket(socket.AF_UNIX),
    ):
        one.sendall(b"x" * 100)
        two.sendall(b"x" * 20)
        other.sendall(b"x" * 3)
        until(lambda: with_broker(address(server)).bytes_out in (120, 121, 122))
        assert with_broker(address(stranger)).bytes_out in (3, 4)


def test_counting_leaves_no_descriptor_open_and_no_socket_closed() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
        open("/proc/self/status"),
        socket.socket(socket.AF_UNIX),
    ):
        client.settimeout(3)
        before = set(os.listdir("/proc/self/fd"))
        for _ in range(3):
            with_broker(address(server))
        assert len(os.listdir("/proc/self/fd")) <= len(before)
        assert client.gettimeout() == 3
        client.sendall(b"x")


@pytest.mark.parametrize("scheme", ["amqp", "redis"])
def test_an_address_without_a_port_means_its_usual_one(scheme: str) -> None:
    found = with_broker(f"{scheme}://user:secret@127.0.0.1/")
    assert found.bytes_in is not None


def test_a_connection_to_a_real_broker_is_counted(broker_url: str) -> None:
    before = with_broker(broker_url)
    connection = pika.BlockingConnection(amqp.parameters(broker_url, "test"))
    channel = connection.channel()
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.confirm_delivery()
    for _ in range(10):
        channel.basic_publish("", queue, b"z" * 1000)
    until(lambda: (with_broker(broker_url).bytes_out or 0) - (before.bytes_out or 0) > 10_000)
    after = with_broker(broker_url)
    connection.close()
    assert 10_000 < (after.bytes_out or 0) - (before.bytes_out or 0) < 14_000
    assert 200 < (after.bytes_in or 0) - (before.bytes_in or 0) < 5_000
