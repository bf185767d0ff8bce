"""Bare pika, doing what `ceiling.c` does, with the same arguments; and the shortest consumer that takes times.

pika_bare publish URL EXCHANGE KEY FILE WINDOW, pika_bare consume URL QUEUE COUNT PREFETCH,
pika_bare stamp URL QUEUE
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.spec import Basic, BasicProperties

from benchmarks.programs import message_file


class Publisher:
    """Publishes `messages`, mandatory and with confirms, at most `window` of them unconfirmed."""

    def __init__(
        self, url: str, exchange: str, key: str, messages: list[tuple[BasicProperties, bytes]], window: int
    ) -> None:
        self._exchange, self._key, self._messages, self._window = exchange, key, messages, window
        self._sent = self._confirmed = self._low = 0
        self._single: set[int] = set()
        self.begin = 0.0
        self._connection = pika.SelectConnection(
            pika.URLParameters(url), on_open_callback=lambda c: c.channel(on_open_callback=self._open)
        )

    def run(self) -> None:
        """Returns when all are confirmed."""
        self._connection.ioloop.start()

    def _open(self, channel: Any) -> None:
        self._channel = channel
        channel.add_on_return_callback(lambda *_: sys.exit("pika_bare: a message was not taken"))
        channel.confirm_delivery(self._on_confirm, callback=lambda _: self._begin())

    def _begin(self) -> None:
        self.begin = time.monotonic()
        self._publish()

    def _publish(self) -> None:
        while self._sent < len(self._messages) and self._sent - self._confirmed < self._window:
            properties, body = self._messages[self._sent]
            self._channel.basic_publish(self._exchange, self._key, body, properties, mandatory=True)
            self._sent += 1

    def _on_confirm(self, frame: Any) -> None:
        ack = frame.method
        if not isinstance(ack, Basic.Ack):
            sys.exit("pika_bare: a message was not taken")
        if ack.multiple:
            self._low = ack.delivery_tag
            self._single = {tag for tag in self._single if tag > self._low}
        else:
            self._single.add(ack.delivery_tag)
        self._confirmed = self._low + len(self._single)
        if self._confirmed == len(self._messages):
            self._connection.ioloop.stop()
        elif self._sent - self._confirmed <= self._window // 2:
            self._publish()


def publish(url: str, exchange: str, key: str, path: str, window: str) -> None:
    messages = []
    for encoded, body in message_file.read(Path(path)):
        properties = BasicProperties()
        properties.decode(encoded)
        messages.append((properties, body))
    publisher = Publisher(url, exchange, key, messages, int(window))
    publisher.run()
    print(publisher.begin, time.monotonic())


def consume(url: str, queue: str, count: str, prefetch: str) -> None:
    from benchmarks.programs.work import tick

    left, begin = int(count), 0.0

    def on_message(channel: BlockingChannel, method: Basic.Deliver, _: BasicProperties, _body: bytes) -> None:
        nonlocal left, begin
        begin = begin or time.monotonic()
        tick()
        channel.basic_ack(method.delivery_tag)
        left -= 1
        if not left:
            channel.stop_consuming()

    channel = pika.BlockingConnection(pika.URLParameters(url)).channel()
    channel.basic_qos(prefetch_count=int(prefetch))
    channel.basic_consume(queue, on_message)
    channel.start_consuming()
    print(begin, time.monotonic())


def stamp(url: str, queue: str) -> None:
    from benchmarks.programs import work

    def on_message(channel: BlockingChannel, method: Basic.Deliver, _: BasicProperties, body: bytes) -> None:
        work.stamp(json.loads(body)["params"]["sent_ns"])
        channel.basic_ack(method.delivery_tag)

    channel = pika.BlockingConnection(pika.URLParameters(url)).channel()
    channel.basic_qos(prefetch_count=1)
    channel.basic_consume(queue, on_message)
    channel.start_consuming()


if __name__ == "__main__":
    actions: dict[str, Callable[..., None]] = {"publish": publish, "consume": consume, "stamp": stamp}
    actions[sys.argv[1]](*sys.argv[2:])
