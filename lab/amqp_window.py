"""Publishing ahead of the broker's confirms, so that no message waits for the round trip of another.

pika's blocking channel waits for the confirm of each message. Here up to a thousand are under way, and what the
broker says of them is taken as it comes. The frames of like messages are marshalled once, and many messages go
out with one write. https://www.rabbitmq.com/docs/confirms,
https://www.rabbitmq.com/tutorials/tutorial-seven-java
"""

import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import pika
from pika import frame, spec
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError

from lab.clock import now_us

WINDOW: Final = 1_000
CHUNK_MESSAGES: Final = 64
CHUNK_BYTES: Final = 64 * 1024
CONFIRM_SECONDS: Final = 10.0

REFUSED: Final = "the broker has refused it"

_SIZE: Final = slice(11, 19)  # of the body, in a header frame


class NotConfirmed(AMQPError):  # type: ignore[misc]
    """The broker has not said in time whether it has a message."""


@dataclass
class Batch:
    """Messages that are published together, by their ids.

    Attributes:
        confirmed: those that the broker has, each with when it was written: microseconds since the epoch, the
            same for messages that went out with one write.
        refused: those that it did not take, and why.
        under_way: of how many it has not said anything yet.
    """

    confirmed: dict[str, int] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    under_way: int = 0

    @property
    def trouble(self) -> str | None:
        """What is wrong with those that were refused; None where there are none."""
        if not self.refused:
            return None
        message_id, reason = next(iter(self.refused.items()))
        return f"{len(self.refused)} messages were not taken; {message_id}: {reason}"


class Confirms:
    """Which messages of one channel in confirm mode the broker has said nothing of yet. `add` is called for each
    message in the order of publishing, as the broker counts them."""

    def __init__(self) -> None:
        self._awaited: dict[int, tuple[Batch, str, int]] = {}
        self._first = self._next = 1
        self._returned: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._awaited)

    @property
    def added(self) -> int:
        """How many messages there were, up to now."""
        return self._next - 1

    def add(self, batch: Batch, message_id: str, written_us: int) -> None:
        """A message of `batch` was, or is about to be, written."""
        self._awaited[self._next] = (batch, message_id, written_us)
        self._next += 1
        batch.under_way += 1

    def returned(self, message_id: str, reason: str) -> None:
        """The broker gave the message back, which comes before its confirm."""
        self._returned[message_id] = reason

    def settle(self, tag: int, multiple: bool, reason: str | None) -> None:
        """The broker has confirmed the message `tag`, or all up to it; or refused them, for a `reason`."""
        start = self._first if multiple else tag
        if start <= self._first:
            self._first = tag + 1
        for one in range(start, tag + 1):
            found = self._awaited.pop(one, None)
            if found is None:
                continue
            batch, message_id, written_us = found
            batch.under_way -= 1
            why = self._returned.pop(message_id, reason) if self._returned else reason
            if why is None:
                batch.confirmed[message_id] = written_us
            else:
                batch.refused[message_id] = why

    def settle_all(self) -> None:
        """Takes all that was written as confirmed."""
        self.settle(self._next - 1, True, None)


class Envelope:
    """What goes around the bodies of like messages: all that differs is the message id, which is always of
    `id_bytes` bytes. `properties` have no message id.

    pika marshals it once; https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf, 2.3.5.
    """

    def __init__(
        self,
        channel: BlockingChannel,
        routing_key: str,
        properties: pika.BasicProperties,
        id_bytes: int,
        *,
        mandatory: bool,
    ) -> None:
        number = channel.channel_number
        method = spec.Basic.Publish(exchange="", routing_key=routing_key, mandatory=mandatory)
        one, other = (self._header(number, properties, filler * id_bytes) for filler in ("a", "b"))
        self._start: bytes = frame.Method(number, method).marshal() + one[: _SIZE.start]
        id_at = next(at for at, (a, b) in enumerate(zip(one, other, strict=True)) if a != b)
        self._before_id = one[_SIZE.stop : id_at]
        self._after_id = one[id_at + id_bytes :]
        self._body_start = struct.pack(">BH", spec.FRAME_BODY, number)
        self._longest = (
            channel._impl.connection.params.frame_max - spec.FRAME_HEADER_SIZE - spec.FRAME_END_SIZE
        )

    @staticmethod
    def _header(channel: int, properties: pika.BasicProperties, message_id: str) -> bytes:
        marshalled: bytes = frame.Header(
            channel, 0, pika.BasicProperties(**{**vars(properties), "message_id": message_id})
        ).marshal()
        return marshalled

    def around(self, message_id: bytes, body: bytes) -> bytes:
        """The frames of one message."""
        size = len(body)
        head = b"%b%b%b%b%b" % (
            self._start,
            size.to_bytes(8, "big"),
            self._before_id,
            message_id,
            self._after_id,
        )
        if size <= self._longest:
            return b"%b%b%b%b\xce" % (head, self._body_start, size.to_bytes(4, "big"), body)
        parts = (body[at : at + self._longest] for at in range(0, size, self._longest))
        return head + b"".join(
            b"%b%b%b\xce" % (self._body_start, len(part).to_bytes(4, "big"), part) for part in parts
        )


class Window:
    """Publishes to `channel`, on which nobody else does, with at most `size` messages unconfirmed. Without
    `confirms` a message counts as confirmed once it was written.

    What is under way when a channel or connection ends stays unconfirmed; whoever publishes or waits then
    gets pika's errors.
    """

    def __init__(self, channel: BlockingChannel, *, confirms: bool = True, size: int = WINDOW) -> None:
        self.channel = channel
        self.envelopes: dict[object, Envelope] = {}
        self._inner = channel._impl  # waits for no confirm, and can write what is marshalled
        self._confirms = confirms
        self._size = size
        self._awaited = Confirms()
        self._chunk: list[bytes] = []
        self._chunk_bytes = self._chunk_us = 0
        if confirms:
            self._inner.add_on_return_callback(self._on_return)
            answers: list[object] = []
            self._inner.confirm_delivery(self._on_confirm, answers.append)
            self._until(lambda: bool(answers))

    def publish(self, batch: Batch, message_id: str, body: bytes, envelope: Envelope) -> None:
        """Publishes one message of `batch`. It may wait here for others, up to the next `flush`."""
        if len(self._awaited) >= self._size:
            self.flush()
            self._until(lambda: len(self._awaited) <= self._size - CHUNK_MESSAGES)
        data = envelope.around(message_id.encode(), body)
        if not self._chunk:
            self._chunk_us = now_us()
        self._awaited.add(batch, message_id, self._chunk_us)
        self._chunk.append(data)
        self._chunk_bytes += len(data)
        if len(self._chunk) >= CHUNK_MESSAGES or self._chunk_bytes >= CHUNK_BYTES:
            self.flush()

    def flush(self) -> None:
        """Writes what waits to be written, and takes what the broker has said meanwhile."""
        if self._chunk:
            chunk, self._chunk, self._chunk_bytes = self._chunk, [], 0
            connection = self._inner.connection
            connection._output_marshaled_frames([b"".join(chunk)])
            # pika took it for one frame: it is a method, a header and a body in its parts for each message.
            connection.frames_sent += (
                sum([2 + -(-len(data) // connection.params.frame_max) for data in chunk]) - 1
            )
        self.channel._flush_output()
        if not self._confirms:
            self._awaited.settle_all()

    def wait(self, batch: Batch) -> None:
        """Returns when the broker has said something of each message of `batch`.

        Raises:
            NotConfirmed: that took too long.
        """
        if batch.under_way:
            self.flush()
            self._until(lambda: not batch.under_way)

    def _until(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + CONFIRM_SECONDS
        self.channel._flush_output(lambda: done() or time.monotonic() > deadline)
        if not done():
            raise NotConfirmed(f"the broker has confirmed nothing for {CONFIRM_SECONDS:g} seconds")

    def _on_confirm(self, answer: Any) -> None:
        method = answer.method
        reason = None if isinstance(method, spec.Basic.Ack) else REFUSED
        self._awaited.settle(method.delivery_tag, method.multiple, reason)

    def _on_return(self, _channel: object, method: Any, properties: Any, _body: bytes) -> None:
        self._awaited.returned(properties.message_id, f"no queue takes it: {method.reply_text}")
