"""What goes over an AMQP connection: a listener between client and broker that notes each message published.

Both methods are looked at in the same way, and as the broker is spoken to, not as a library says it speaks.
https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf, 2.3.5
"""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from pika import frame, spec
from pika.exceptions import AMQPError

AMQP_PORT = 5672
CHUNK_BYTES = 65_536
CONNECT_SECONDS = 5.0


@dataclass
class Message:
    """A message as it was published; `confirmed` once the broker has said that it has it, None on a channel
    that does not ask. `size` is bytes on the wire: all frames of the message, the method's too."""

    exchange: str
    routing_key: str
    mandatory: bool
    properties: dict[str, Any] = field(default_factory=dict)
    body: bytes = b""
    confirmed: bool | None = None
    size: int = 0


@dataclass
class _Channel:
    confirms: bool = False
    awaited: int = 0
    published: list[Message] = field(default_factory=list)


class Reader:
    """Reads both directions of one connection; hands each complete message to `note`."""

    def __init__(self, note: Callable[[Message], None]) -> None:
        self._note = note
        self._channels: dict[int, _Channel] = {}
        self._rest = {True: b"", False: b""}

    def read(self, data: bytes, *, sent: bool) -> None:
        """Takes what went over the wire: `sent` by the client, or by the broker."""
        rest = self._rest[sent] + data
        while True:
            used, found = frame.decode_frame(rest)
            if not used:
                break
            rest = rest[used:]
            if isinstance(found, frame.Frame):
                channel = self._channels.setdefault(found.channel_number, _Channel())
                if sent:
                    self._sent(channel, found, used)
                else:
                    self._told(channel, found)
        self._rest[sent] = rest

    def _sent(self, channel: _Channel, found: frame.Frame, size: int) -> None:
        if isinstance(found, frame.Method):
            if isinstance(found.method, spec.Confirm.Select):
                channel.confirms = True
            elif isinstance(found.method, spec.Basic.Publish):
                method = found.method
                message = Message(method.exchange, method.routing_key, bool(method.mandatory))
                message.confirmed, message.size = False if channel.confirms else None, size
                channel.published.append(message)
        elif isinstance(found, frame.Header) and channel.published:
            known = vars(found.properties).items()
            channel.published[-1].properties = {name: value for name, value in known if value is not None}
            channel.awaited = found.body_size
            channel.published[-1].size += size
            self._end(channel)
        elif isinstance(found, frame.Body) and channel.published:
            channel.published[-1].body += found.fragment
            channel.published[-1].size += size
            self._end(channel)

    def _end(self, channel: _Channel) -> None:
        if len(channel.published[-1].body) == channel.awaited:
            self._note(channel.published[-1])

    @staticmethod
    def _told(channel: _Channel, found: frame.Frame) -> None:
        if isinstance(found, frame.Method) and isinstance(found.method, spec.Basic.Ack) and channel.confirms:
            tag = found.method.delivery_tag
            for message in channel.published[0 if found.method.multiple else tag - 1 : tag]:
                message.confirmed = True


class Wire:
    """A way to the broker at `url` (amqp://) that notes what is published on it. A context manager: `url` of
    the entered one is where to connect instead."""

    def __init__(self, url: str) -> None:
        self._broker = urlsplit(url)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self.messages: list[Message] = []

    @property
    def url(self) -> str:
        """The broker's URL, with the listener's address in its place."""
        login, at, _ = self._broker.netloc.rpartition("@")
        netloc = f"{login}{at}127.0.0.1:{self._listener.getsockname()[1]}"
        return self._broker._replace(netloc=netloc).geturl()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, name="wire", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one in (self._listener, *self._sockets):
            _close(one)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(client)
            try:
                address = (self._broker.hostname or "localhost", self._broker.port or AMQP_PORT)
                broker = socket.create_connection(address, CONNECT_SECONDS)
            except OSError:
                client.close()
                continue
            broker.settimeout(None)
            self._sockets.append(broker)
            reader = Reader(self.messages.append)
            for source, target, sent in ((client, broker, True), (broker, client, False)):
                threading.Thread(
                    target=_pump, args=(source, target, reader, sent), name="wire", daemon=True
                ).start()


def _pump(source: socket.socket, target: socket.socket, reader: Reader, sent: bool) -> None:
    """Passes on what comes, read first: anyone who waits for an answer finds what it answers noted."""
    try:
        while data := source.recv(CHUNK_BYTES):
            reader.read(data, sent=sent)
            target.sendall(data)
    except (OSError, AMQPError):
        return
    finally:
        _close(source)
        _close(target)


def _close(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)  # wakes the threads that wait on it; closing does not
    one.close()
