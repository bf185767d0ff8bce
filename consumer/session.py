"""One connection of the hand-written worker, and what came over it."""

from collections import deque
from dataclasses import dataclass, field

import pika
from pika.adapters.blocking_connection import BlockingChannel

from consumer.deliveries import Deliveries
from consumer.handler import Settlement
from consumer.unsettled import Unsettled


@dataclass
class Session:
    """One connection with its channels, the tag and the prefetch that it consumes with, its messages that are
    not settled yet, and how many were `fetched` from the priority queue and are not settled. These come by a
    channel of their own: on one that consumes, an answer to basic.get overtakes messages that came before."""

    connection: pika.BlockingConnection
    channel: BlockingChannel
    urgent: BlockingChannel
    retries: BlockingChannel
    unsettled: Unsettled = field(default_factory=Unsettled)
    settled: deque[tuple[int, bool, Settlement]] = field(default_factory=deque)
    woken: bool = False
    tag: str | None = None
    prefetch: int = 0
    fetched: int = 0
    look_at: float = 0.0
    deliveries: Deliveries = field(init=False)

    @property
    def open_messages(self) -> int:
        return len(self.unsettled) + self.fetched
