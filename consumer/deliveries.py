"""What the broker sends to the hand-written worker, read in as few steps as that can be.

pika makes three frames of each message, with objects for the method and the properties, which costs more than all
else that the worker does with a short job. Of like messages nothing differs but the delivery tag, the properties'
values and the body: where those stand is learnt from the first, which pika reads, as it reads whatever is not alike.
https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf, 2.3.5
"""

import struct
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

import pika
from pika import frame, spec
from pika.adapters.blocking_connection import BlockingChannel

_FRAME: Final = struct.Struct(">BHL")  # type, channel, size
_HEADER: Final = struct.Struct(">BHLHHQH")  # the same; class, weight, size of the body, the properties' flags
_FLAGS_AT: Final = _HEADER.size - 2
_OTHERS: Final = spec.BasicProperties.FLAG_HEADERS | 1  # properties that are not `Plain`, or more flags
_TAG_BYTES: Final = 8
_RECEIVE_BYTES: Final = 64 * 1024


class Properties(Protocol):
    """What the worker asks of a message's properties; `pika.BasicProperties` are some."""

    @property
    def headers(self) -> dict[str, Any] | None: ...
    @property
    def message_id(self) -> str | None: ...


class Plain:
    """Properties without headers, decoded when somebody asks."""

    __slots__ = ("_encoded",)
    headers: None = None

    def __init__(self, encoded: bytes) -> None:
        self._encoded = encoded

    @property
    def message_id(self) -> str | None:
        found: str | None = pika.BasicProperties().decode(self._encoded).message_id
        return found


OnMessage = Callable[[int, bool, Properties, bytes], object]
"""Takes a message: its delivery tag, whether it was delivered before, its properties and its body."""


class Deliveries:
    """The messages that come over `channel`, of one consumer at a time. Each is given to `on_message` from
    `connection.process_data_events`, in the order in which they came, whichever way they were read.

    Belongs to the thread of the connection, which nothing else may read from.
    """

    def __init__(
        self, connection: pika.BlockingConnection, channel: BlockingChannel, on_message: OnMessage
    ) -> None:
        self._channel = channel
        self._on_message = on_message
        self._ready = connection._ready_events
        self._inner = connection._impl
        self._pika_reads = self._inner._on_data_available
        self._inner._on_data_available = self._read
        self._inner._transport._MAX_RECV_BYTES = _RECEIVE_BYTES
        self._came: deque[tuple[int, bool, Properties, bytes]] = deque()
        self._kept = b""
        self._forget()

    def consume(self, queue: str, *, auto_ack: bool) -> str:
        """Begins to consume `queue`; returns the consumer's tag."""
        tag: str = self._channel._basic_consume_impl(
            queue, auto_ack, exclusive=False, consumer_tag=None, alternate_event_sink=self._take
        )
        return tag

    def cancel(self, tag: str) -> None:
        """Ends the consumer. What came before is still given out."""
        self._forget()  # what comes from now on pika rejects
        self._channel.basic_cancel(tag)

    def dispatch(self) -> None:
        """Gives out what has come; pika calls it, as one of its events."""
        while self._came:
            self._on_message(*self._came.popleft())

    def _add(self, tag: int, redelivered: bool, properties: Properties, body: bytes) -> None:
        if not self._came:
            self._ready.append(self)
        self._came.append((tag, redelivered, properties, body))

    def _take(self, event: Any) -> None:
        """Takes what pika has read."""
        method = getattr(event, "method", None)
        if isinstance(method, spec.Basic.Deliver):  # else the broker has ended the consumer
            self._learn(method)
            self._add(method.delivery_tag, method.redelivered, event.properties, event.body)

    def _forget(self) -> None:
        self._like: tuple[str, str, str] | None = None
        self._start = self._rest = b""

    def _learn(self, method: spec.Basic.Deliver) -> None:
        like = (method.consumer_tag, method.exchange, method.routing_key)
        if like == self._like:
            return
        self._like = like
        whole: bytes = frame.Method(self._channel.channel_number, method).marshal()
        rest = 1 + len(method.exchange.encode()) + 1 + len(method.routing_key.encode()) + 1
        self._rest = whole[-rest:]
        self._start = whole[: -rest - 1 - _TAG_BYTES]

    def _read(self, data: bytes) -> None:
        """Called by pika with what came from the socket."""
        data = self._kept + data if self._kept else data
        at = 0
        while at < len(data):
            end = self._message(data, at) if self._start and data.startswith(self._start, at) else 0
            if not end:
                end = self._frame(data, at)
            if not end:
                break
            at = end
        self._kept = data[at:]

    def _frame(self, data: bytes, at: int) -> int:
        """Has pika read the frame that begins `at`; where it ends, 0 where that has not come yet."""
        if len(data) - at < _FRAME.size:
            return 0
        end: int = at + _FRAME.size + _FRAME.unpack_from(data, at)[2] + 1
        if end > len(data):
            return 0
        self._pika_reads(data[at:end])
        return end

    def _message(self, data: bytes, at: int) -> int:
        """Takes the message whose frames begin `at`; where they end, 0 where pika is to read them, frame by
        frame: they are not alike, or not all of them have come."""
        tag_at = at + len(self._start)
        rest_at = tag_at + _TAG_BYTES + 1
        header_at = rest_at + len(self._rest)
        if len(data) < header_at + _HEADER.size or not data.startswith(self._rest, rest_at):
            return 0
        kind, channel, size, _class, _weight, body_size, flags = _HEADER.unpack_from(data, header_at)
        body_at = header_at + _FRAME.size + size + 1
        end: int = body_at + _FRAME.size + body_size + 1
        if kind != spec.FRAME_HEADER or flags & _OTHERS or end > len(data):
            return 0
        if _FRAME.unpack_from(data, body_at) != (spec.FRAME_BODY, channel, body_size):
            return 0  # it has no body, or one in several frames
        if data[body_at - 1] != spec.FRAME_END or data[end - 1] != spec.FRAME_END:
            return 0
        properties = Plain(data[header_at + _FLAGS_AT : body_at - 1])
        tag = int.from_bytes(data[tag_at : tag_at + _TAG_BYTES], "big")
        self._add(tag, data[rest_at - 1] & 1 == 1, properties, data[body_at + _FRAME.size : end - 1])
        self._inner.frames_received += 3
        self._inner.bytes_received += end - at
        return end
