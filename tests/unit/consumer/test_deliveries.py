"""Reading what the broker sends: in whatever pieces it comes, and by whichever way it is read."""

from collections import deque
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pika
import pytest
from pika import frame, spec
from pika.channel import ContentFrameAssembler

from consumer.deliveries import Deliveries, Plain, Properties

Message = tuple[int, bool, Properties, bytes]


class Wire:
    """Stands in for pika's connection and channel: takes frames to pieces as pika does, and counts them."""

    def __init__(self) -> None:
        self.channel_number = 3
        self.read_by_pika = 0
        self._assembler = ContentFrameAssembler()
        self._ready_events: deque[Any] = deque()
        self._impl = SimpleNamespace(
            _on_data_available=self._on_frame,
            _transport=SimpleNamespace(),
            frames_received=0,
            bytes_received=0,
        )
        self._sink: Callable[[Any], None] = lambda _: None

    def _on_frame(self, data: bytes) -> None:
        end, found = frame.decode_frame(data)
        assert end == len(data)
        self.read_by_pika += 1
        if isinstance(found, frame.Heartbeat):
            return
        if whole := self._assembler.process(found):
            method, header, body = whole
            event = SimpleNamespace(method=method.method, properties=header.properties, body=body)
            self._sink(event)

    def _basic_consume_impl(self, _queue: str, _auto_ack: bool, **more: Any) -> str:
        self._sink = more["alternate_event_sink"]
        return "tag"

    def basic_cancel(self, _tag: str) -> None:
        """Nothing comes from here on."""


class Reader:
    """Deliveries over a Wire, and what they gave out."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.got: list[Message] = []
        wire: Any = self.wire
        self.deliveries = Deliveries(wire, wire, lambda *message: self.got.append(message))
        self.deliveries.consume("tasks", auto_ack=False)

    def feed(self, data: bytes, step: int = 10_000_000) -> None:
        for at in range(0, len(data), step):
            self.wire._impl._on_data_available(data[at : at + step])
            while self.wire._ready_events:
                self.wire._ready_events.popleft().dispatch()

    @property
    def seen(self) -> list[tuple[int, bool, str | None, dict[str, Any] | None, bytes]]:
        return [(tag, again, p.message_id, p.headers, body) for tag, again, p, body in self.got]


def _message(
    tag: int,
    body: bytes,
    *,
    again: bool = False,
    headers: dict[str, Any] | None = None,
    key: str = "tasks",
    longest: int = 1 << 20,
) -> bytes:
    properties = pika.BasicProperties(
        content_type="application/json", delivery_mode=2, message_id=f"id-{tag}", headers=headers
    )
    method = spec.Basic.Deliver("tag", tag, again, "", key)
    parts = [frame.Method(3, method), frame.Header(3, len(body), properties)]
    parts += [frame.Body(3, body[at : at + longest]) for at in range(0, len(body), longest)]
    return b"".join(part.marshal() for part in parts)


HEARTBEAT = frame.Heartbeat().marshal()

MIXED = b"".join(
    [
        _message(1, b"first"),
        _message(2, b"second"),
        _message(3, b"again", again=True),
        HEARTBEAT,
        _message(4, b"counted", again=True, headers={"x-delivery-count": 2}),
        _message(5, b"\xce\x01\x00\x03" * 20),
        _message(6, b""),
        _message(7, b"in two frames", longest=8),
        _message(8, b"by another key", key="tasks.delayed"),
        _message(9, b"like that", key="tasks.delayed"),
        _message(10, b"last"),
    ]
)
EXPECTED = [
    (1, False, "id-1", None, b"first"),
    (2, False, "id-2", None, b"second"),
    (3, True, "id-3", None, b"again"),
    (4, True, "id-4", {"x-delivery-count": 2}, b"counted"),
    (5, False, "id-5", None, b"\xce\x01\x00\x03" * 20),
    (6, False, "id-6", None, b""),
    (7, False, "id-7", None, b"in two frames"),
    (8, False, "id-8", None, b"by another key"),
    (9, False, "id-9", None, b"like that"),
    (10, False, "id-10", None, b"last"),
]


@pytest.mark.parametrize("step", [1, 2, 3, 7, 8, 50, 97, 131, 200, 1_000, 1 << 20])
def test_messages_come_whole_and_in_their_order_in_whatever_pieces_they_are_received(step: int) -> None:
    reader = Reader()
    reader.feed(MIXED, step)
    assert reader.seen == EXPECTED


def test_only_the_first_of_like_messages_is_left_to_pika() -> None:
    reader = Reader()
    reader.feed(b"".join(_message(tag, b"%d" % tag) for tag in range(1, 101)))
    assert [tag for tag, *_ in reader.got] == list(range(1, 101))
    assert reader.wire.read_by_pika == 3
    assert all(isinstance(properties, Plain) for _, _, properties, _ in reader.got[1:])


def test_frames_and_bytes_that_pika_did_not_read_are_counted() -> None:
    reader, data = Reader(), [_message(tag, b"x") for tag in (1, 2, 3)]
    reader.feed(b"".join(data))
    assert reader.wire._impl.frames_received == 6
    assert reader.wire._impl.bytes_received == len(data[1]) + len(data[2])


def test_a_frame_without_its_end_is_left_to_pika_to_complain_of() -> None:
    reader = Reader()
    reader.feed(_message(1, b"good"))
    with pytest.raises(pika.exceptions.AMQPError):
        reader.feed(_message(2, b"bad")[:-1] + b"\x00")
    assert [tag for tag, *_ in reader.got] == [1]


def test_after_the_consumer_is_cancelled_pika_reads_everything() -> None:
    reader = Reader()
    reader.feed(_message(1, b"before"))
    reader.deliveries.cancel("tag")
    before = reader.wire.read_by_pika
    reader.wire._sink = lambda _: None
    reader.feed(_message(2, b"after"))
    assert reader.wire.read_by_pika == before + 3
    assert [tag for tag, *_ in reader.got] == [1]


@pytest.fixture
def connection(broker_url: str) -> Iterator[pika.BlockingConnection]:
    opened = pika.BlockingConnection(pika.URLParameters(broker_url))
    yield opened
    opened.close()


def test_over_a_real_broker_nothing_is_lost_doubled_or_out_of_order(
    connection: pika.BlockingConnection,
) -> None:
    channel = connection.channel()
    queue = channel.queue_declare("", exclusive=True).method.queue
    bodies = [
        b"x" * 300_000 if num % 97 == 5 else b"" if num % 97 == 6 else b"%d" % num for num in range(1_000)
    ]
    for num, body in enumerate(bodies):
        headers = {"n": num} if num % 10 == 0 else None
        channel.basic_publish("", queue, body, pika.BasicProperties(message_id=str(num), headers=headers))
    got: list[Message] = []
    deliveries = Deliveries(connection, channel, lambda *message: got.append(message))
    tag = deliveries.consume(queue, auto_ack=False)
    while len(got) < len(bodies):
        connection.process_data_events(time_limit=5)
    assert [body for *_, body in got] == bodies
    assert [delivery_tag for delivery_tag, *_ in got] == list(range(1, 1_001))
    assert [properties.message_id for _, _, properties, _ in got] == [str(num) for num in range(1_000)]
    assert [p.headers for _, _, p, _ in got[:2]] == [{"n": 0}, None]
    channel.basic_ack(1_000, multiple=True)
    deliveries.cancel(tag)
    assert channel.queue_declare(queue, passive=True).method.message_count == 0
