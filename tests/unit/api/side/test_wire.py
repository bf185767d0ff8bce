"""What is published on a connection is noted as it goes over the wire."""

import socket
import threading

import pytest
from pika import BasicProperties, frame, spec

from api.side.wire import Message, Reader, Wire


def frames(channel: int, body: bytes, **properties: object) -> list[bytes]:
    """The frames of a message, its body in two parts."""
    method = spec.Basic.Publish(exchange="celery", routing_key="key", mandatory=True)
    parts = [
        frame.Method(channel, method),
        frame.Header(channel, len(body), BasicProperties(**properties)),
        frame.Body(channel, body[:3]),
        frame.Body(channel, body[3:]),
    ]
    return [part.marshal() for part in parts]


def published(channel: int, body: bytes, **properties: object) -> bytes:
    return b"".join(frames(channel, body, **properties))


def acknowledged(channel: int, tag: int, *, multiple: bool = False) -> bytes:
    return frame.Method(channel, spec.Basic.Ack(tag, multiple)).marshal()


CONFIRMS = frame.Method(1, spec.Confirm.Select()).marshal()


@pytest.fixture
def noted() -> list[Message]:
    return []


@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_a_message_is_read_however_it_comes_in_pieces(noted: list[Message], step: int) -> None:
    reader = Reader(noted.append)
    data = b"AMQP\x00\x00\x09\x01" + published(1, b"a body", message_id="7", headers={"task": "add"})
    for start in range(0, len(data), step):
        reader.read(data[start : start + step], sent=True)
    (message,) = noted
    assert (message.exchange, message.routing_key, message.mandatory) == ("celery", "key", True)
    assert message.properties == {"message_id": "7", "headers": {"task": "add"}}
    assert message.body == b"a body"
    assert message.size == len(data) - 8
    assert message.confirmed is None


def test_channels_are_told_apart(noted: list[Message]) -> None:
    reader = Reader(noted.append)
    for first, second in zip(frames(1, b"first one"), frames(2, b"second one"), strict=True):
        reader.read(first + second, sent=True)
    assert [message.body for message in noted] == [b"first one", b"second one"]


def test_an_empty_body_has_no_frames(noted: list[Message]) -> None:
    method = frame.Method(1, spec.Basic.Publish(exchange="", routing_key="tasks"))
    Reader(noted.append).read(method.marshal() + frame.Header(1, 0, BasicProperties()).marshal(), sent=True)
    assert noted[0].body == b""


def test_the_brokers_confirm_is_noted_with_its_message(noted: list[Message]) -> None:
    reader = Reader(noted.append)
    reader.read(CONFIRMS + b"".join(published(1, b"body") for _ in range(3)), sent=True)
    assert [message.confirmed for message in noted] == [False, False, False]
    reader.read(acknowledged(1, 2), sent=False)
    assert [message.confirmed for message in noted] == [False, True, False]
    reader.read(acknowledged(1, 3, multiple=True), sent=False)
    assert [message.confirmed for message in noted] == [True, True, True]


def test_what_goes_through_the_wire_arrives_as_it_is_and_is_noted() -> None:
    broker = socket.create_server(("127.0.0.1", 0))
    got: list[bytes] = []

    def serve() -> None:
        client, _ = broker.accept()
        with client:
            got.append(client.recv(65_536))
            client.sendall(b"answer")

    thread = threading.Thread(target=serve)
    thread.start()
    sent = published(1, b"a body")
    with Wire(f"amqp://student:qwerty@127.0.0.1:{broker.getsockname()[1]}/lab?heartbeat=3") as wire:
        assert wire.url.startswith("amqp://student:qwerty@127.0.0.1:")
        assert wire.url.endswith("/lab?heartbeat=3")
        port = int(wire.url.rpartition(":")[2].partition("/")[0])
        with socket.create_connection(("127.0.0.1", port), 5) as client:
            client.sendall(sent)
            assert client.recv(100) == b"answer"
    thread.join(5)
    broker.close()
    assert got == [sent]
    assert wire.messages[0].body == b"a body"


def test_a_broker_that_is_away_ends_the_connection() -> None:
    with Wire("amqp://student:qwerty@127.0.0.1:1/") as wire:
        port = int(wire.url.rpartition(":")[2].partition("/")[0])
        with socket.create_connection(("127.0.0.1", port), 5) as client:
            assert client.recv(1) == b""
