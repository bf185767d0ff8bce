"""Whether the broker stayed there while an experiment ran."""

import time
from typing import Final

import pika

from api.background import BackgroundThread
from lab.broker import amqp

AGAIN_SECONDS: Final = 0.5
BACK_SECONDS: Final = 5.0


class BrokerWatch(BackgroundThread):
    """Holds a connection to the broker at `url` that carries nothing but heartbeats, and counts its losses.

    Workers and relay come back by themselves, and what they were kept waiting looks like latency: somebody has to
    say where it came from.

    Attributes:
        losses: how often it was lost.
        away: whether the broker is away, or was so shortly that not everybody may have come back.
    """

    def __init__(self, url: str) -> None:
        super().__init__("broker watch")
        self._url = url
        self.away = False
        self.losses = 0

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                connection = pika.BlockingConnection(amqp.parameters(self._url, "transport-lab experiment"))
                since = time.monotonic()
                while not self._ending.is_set():
                    connection.process_data_events(time_limit=AGAIN_SECONDS)
                    self.away = self.away and time.monotonic() < since + BACK_SECONDS
                connection.close()
            except amqp.ERRORS:
                if not self.away:
                    self.losses += 1
                    self.away = True
                self._ending.wait(AGAIN_SECONDS)
