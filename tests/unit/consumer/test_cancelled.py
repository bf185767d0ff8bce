"""The hand-written worker whose consumer the broker cancels."""

from collections.abc import Callable
from typing import Any
from unittest.mock import MagicMock

import pika
import pytest
from pika.spec import Basic

from consumer.worker import Worker
from tests.unit.consumer.stage import Stage


class Broker:
    """Cancels the first connection's consumer, and has the worker stop at the second one."""

    def __init__(self, stop: Callable[[], None]) -> None:
        self.connections: list[MagicMock] = []
        self._stop = stop

    def connect(self, *_: Any) -> MagicMock:
        connection = MagicMock()
        connection.__enter__.return_value = connection
        channel = connection.channel.return_value
        channel.is_open = True
        channel.close.side_effect = lambda: setattr(channel, "is_open", False)
        cancel = pika.frame.Method(1, Basic.Cancel("tag"))
        first = not self.connections
        connection.process_data_events.side_effect = lambda **_: (
            channel.add_on_cancel_callback.call_args[0][0](cancel) if first else self._stop()
        )
        self.connections.append(connection)
        return connection


@pytest.mark.timeout(20)
def test_a_worker_whose_consumer_was_cancelled_consumes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker("amqp://localhost", Stage().jobs, lambda _: None, 5.0)
    broker = Broker(worker.stop)
    monkeypatch.setattr(pika, "BlockingConnection", broker.connect)
    worker.run()
    first, second = broker.connections
    assert first.__exit__.called, "what it held goes back"
    assert second.channel.return_value.basic_consume.call_count == 2
