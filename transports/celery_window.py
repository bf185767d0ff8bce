"""Celery's messages, published ahead of the broker's confirms.

Celery waits for the confirm of each message, or asks for none. The channel here asks for all of them and lets
them come while more is published; what is published on it is Celery's own.
"""

from typing import Any

from amqp import spec
from amqp.method_framing import frame_writer
from amqp.serialization import dumps
from celery import Celery
from kombu.exceptions import OperationalError

from lab.amqp import BLOCKED_SECONDS
from lab.amqp_window import CHUNK_BYTES, REFUSED, WINDOW, Batch, Confirms
from lab.clock import now_us
from lab.traffic import Traffic, of_kombu
from transports.celery_samples import Published, Samples


class CeleryWindow:
    """A connection of `app` with one channel, on which at most a thousand messages are unconfirmed.

    Connects when it is made. A broker that owes confirms and says nothing for five seconds has gone. Whatever
    publishes or waits raises what kombu and py-amqp raise; what is under way then stays unconfirmed.

    Attributes:
        producer: for `send_task` and `apply_async`; what it publishes belongs to `batch`.
        app: as given.
        batch: messages by their correlation ids, which are the ids of their tasks.
        last: what was published last.
        samples: messages that others are made like.
    """

    def __init__(self, app: Celery) -> None:
        self.app = app
        self.batch = Batch()
        self.last: Published | None = None
        self.samples = Samples(app)
        self._awaited = Confirms()
        self._client = app.connection_for_write()
        self._client.ensure_connection(max_retries=1, interval_start=0.1)
        self._connection = self._client.connection
        self._channel = self._client.channel()
        self._channel.confirm_select()
        self._channel.events["basic_ack"].add(self._on_ack)
        self._channel.events["basic_nack"].add(self._on_nack)
        self._channel.events["basic_return"].add(self._on_return)
        self._channel.basic_publish = self._publish  # instead of the one that waits
        self._chunk = bytearray()
        self._chunk_us = 0
        self._marshal = frame_writer(self._connection, self)
        self.producer = app.amqp.Producer(self._channel, auto_declare=False)

    @property
    def is_open(self) -> bool:
        """Whether it can be used, as far as is known here."""
        return bool(self._connection.connected and self._channel.is_open)

    def publish(self, published: Published) -> None:
        """Publishes one message of `batch`. It may wait here for others, up to the next `flush`."""
        while len(self._awaited) >= WINDOW:
            self.flush()
            self._drain()
        self.last, message = published, published.message
        if not self._chunk:
            self._chunk_us = now_us()
        self._awaited.add(self.batch, message.properties["correlation_id"], self._chunk_us)
        arguments = (0, published.exchange, published.routing_key, published.mandatory, False)
        self._marshal(1, self._channel.channel_id, spec.Basic.Publish, dumps("Bssbb", arguments), message)
        if len(self._chunk) >= CHUNK_BYTES:
            self.flush()

    def write(self, frames: bytes | memoryview) -> None:
        """Takes what py-amqp has marshalled, in place of the socket."""
        self._chunk += frames

    def flush(self) -> None:
        """Writes what waits to be written."""
        if self._chunk:
            chunk, self._chunk = self._chunk, bytearray()
            if not self.is_open:
                raise OperationalError("the connection has ended")
            self._connection.transport.write(chunk)

    def wait(self, batch: Batch) -> None:
        """Returns when the broker has said something of each message of `batch`."""
        self.flush()
        while batch.under_way:
            self._drain()

    def traffic(self) -> Traffic:
        """What its connection has carried."""
        return of_kombu(self._client, self._awaited.added)

    def close(self) -> None:
        """Ends the connection; without a word where the broker still owes some."""
        if self._awaited:
            self._client.collect()
        else:
            self._client.release()

    def _drain(self) -> None:
        if not self.is_open:
            raise OperationalError("the connection has ended before the broker's confirms")
        self._connection.drain_events(timeout=BLOCKED_SECONDS)

    def _publish(
        self, message: Any, exchange: str, routing_key: str, mandatory: bool = False, **_: object
    ) -> None:
        self.publish(Published(message, exchange, routing_key, mandatory))

    def _on_ack(self, tag: int, multiple: bool) -> None:
        self._awaited.settle(tag, multiple, None)

    def _on_nack(self, tag: int, multiple: bool) -> None:
        self._awaited.settle(tag, multiple, REFUSED)

    def _on_return(self, error: Exception, _exchange: str, _routing_key: str, message: Any) -> None:
        self._awaited.returned(message.properties["correlation_id"], f"no queue takes it: {error}")
