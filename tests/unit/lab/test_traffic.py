"""Counting on real sockets and a real broker."""

import re
import socket
import time
from collections.abc import Callable
from pathlib import Path

import kombu
import pika
import pytest

from lab import amqp
from lab.traffic import _OFFSET, Traffic, of_kombu, of_pika, of_socket, total

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


def test_a_sockets_bytes_are_counted_both_ways() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        other, _ = server.accept()
        with client, other:
            client.sendall(b"x" * 100_000)
            left = 100_000
            while left:
                left -= len(other.recv(65536))
            other.sendall(b"y" * 777)
            client.recv(1000)
            until(lambda: (of_socket(client).bytes_out or 0) >= 100_000)
            found = of_socket(client)
            assert found.bytes_out in (100_000, 100_001)  # the kernel counts the SYN
            assert found.bytes_in == 777


def test_what_is_no_tcp_socket_tells_nothing() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert of_socket(one) == Traffic()
    assert of_socket(one) == Traffic()
    assert of_socket(None) == Traffic()


def test_a_pika_connection_tells_bytes_and_frames(broker_url: str) -> None:
    connection = pika.BlockingConnection(amqp.parameters(broker_url, "test"))
    channel = connection.channel()
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.confirm_delivery()
    before = of_pika(connection)
    for _ in range(10):
        channel.basic_publish("", queue, b"z" * 1000)
    until(lambda: (of_pika(connection).bytes_out or 0) - (before.bytes_out or 0) > 10_000)
    after = of_pika(connection)
    connection.close()
    assert (after.frames_out or 0) - (before.frames_out or 0) == 30  # method, header and body of each
    assert (after.frames_in or 0) - (before.frames_in or 0) == 10
    assert 10_000 < (after.bytes_out or 0) - (before.bytes_out or 0) < 12_000


def test_a_kombu_connection_tells_the_same(broker_url: str) -> None:
    with kombu.Connection(broker_url, transport_options={"confirm_publish": True}) as connection:
        assert of_kombu(connection) == Traffic(0, 0, 0, 0)
        producer = connection.Producer()
        queue = producer.channel.queue_declare("", exclusive=True).queue
        producer.publish(b"z", routing_key=queue, content_type="application/data")  # asks for confirms, once
        before = of_kombu(connection)
        for _ in range(10):
            producer.publish(b"z" * 1000, routing_key=queue, content_type="application/data")
        until(lambda: (of_kombu(connection).bytes_out or 0) - (before.bytes_out or 0) > 10_000)
        after = of_kombu(connection, published=10)
        assert (after.frames_out or 0) - (before.frames_out or 0) == 30
        assert (after.frames_in or 0) - (before.frames_in or 0) == 10


def test_a_connection_that_is_not_there_has_carried_nothing() -> None:
    assert of_kombu(None) == Traffic(0, 0, 0, 0)


def test_a_sum_knows_what_all_of_its_parts_know() -> None:
    assert total([Traffic(1, 2, 3, 4), Traffic(1, 2, 3, None)]) == Traffic(2, 4, 6, None)
    assert total([]) is None
