"""Watching the broker: what the page's header and /readyz say about it."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ChannelClosedByBroker
from sqlalchemy.exc import SQLAlchemyError

from api.background import BackgroundThread
from api.control.queues import read_alarms
from lab.broker import amqp
from lab.clock import now_us, to_iso
from lab.delivery import Delivery
from lab.settings import Settings
from store.letters import DeadLetters
from store.outbox import Outbox
from store.tasks import Store
from transports.methods import QUEUES

_ALL_QUEUES: Final = [delivery.queue(queue) for delivery in Delivery for queue in QUEUES.values()]
ALARM_SECONDS: Final = 5.0
REFUSED_SECONDS: Final = 300.0
_Queues = dict[str, tuple[int, int]]

logger = logging.getLogger(__name__)


class Watch(BackgroundThread):
    """Asks store and broker once a second, in one thread for all viewers, and keeps the last picture. The
    thread closes the connection when it ends. `control` gives the latest picture of the control page."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        outbox: Outbox,
        control: Callable[[], dict[str, Any] | None] = lambda: None,
    ) -> None:
        super().__init__("watch")
        self._control = control
        self._asking: str | None = None
        self._alarms: list[str] = []
        self._alarms_asked = 0.0
        self._settings = settings
        self._store = store
        self._outbox = outbox
        self._letters = DeadLetters(store)
        self._lock = threading.Lock()
        self._connection: pika.BlockingConnection | None = None
        self._channel: BlockingChannel | None = None
        self._since = to_iso(now_us())
        self._checked = 0.0
        self._counting = threading.Lock()
        self._refused_here = self._refused_kept = 0
        self._refused: deque[tuple[float, int]] = deque()
        self._picture = self._shown(None, None, {}, 0, 0)

    def snapshot(self) -> dict[str, Any]:
        """The last picture, at once: `up` is None where nothing is known yet; a worker count or a
        queue's `ready` is None while the broker is away; `since` is when the broker came or went; `alarms`
        are the broker's that are on; `nowhere` and `undecided` are how many tasks the books found, and how many of
        them wait for a decision."""
        seen = self._control() or {}
        books = seen.get("books") or {}
        told = {"nowhere": books.get("nowhere", 0), "undecided": len(books.get("open", ()))}
        return {**self._picture, "alarms": self._alarms, **told}

    def refresh(self, older_than: float = 0.0) -> dict[str, Any]:
        """A picture at most `older_than` seconds old; asks store and broker if there is none."""
        with self._lock:
            if not self._checked or time.monotonic() - self._checked > older_than:
                self._picture = self._look()
                self._checked = time.monotonic()
        return self.snapshot()

    def within(self, seconds: float, older_than: float) -> dict[str, Any]:
        """As `refresh`, in `seconds` at most where the thread runs: what hangs longer is shown as not `up`."""
        if self._thread is None:
            return self.refresh(older_than)
        end = time.monotonic() + seconds
        while (late := time.monotonic() - self._checked > older_than) and time.monotonic() < end:
            time.sleep(0.05)
        picture, asking = self.snapshot(), self._asking
        return {**picture, asking: {**picture[asking], "up": False}} if late and asking else picture

    def count_refused(self, new: int) -> None:
        """Counts `new` more reports as refused for their token. The next look has the store keep them, so that
        reports, which need no login, make this process write once a second at most."""
        with self._counting:
            self._refused_here += new

    def step(self) -> None:
        """Renews the picture."""
        self.refresh()

    def _give_back(self) -> None:
        with self._lock:
            self._drop()

    def _look(self) -> dict[str, Any]:
        store_up, waiting, letters = True, 0, 0
        self._asking = "store"
        try:
            self._store.ping()
            waiting = self._outbox.waiting()
            letters = self._letters.count()
            self._keep_refused()
        except SQLAlchemyError as error:
            logger.warning("the store does not answer: %s", error)
            store_up = False
        self._asking = "broker"
        queues = self._ask_broker()
        self._asking = None
        if queues is not None and time.monotonic() - self._alarms_asked > ALARM_SECONDS:
            self._alarms_asked, self._alarms = time.monotonic(), read_alarms(self._settings)
        if self._picture["broker"]["up"] is not (queues is not None):
            self._since = to_iso(now_us())
        return self._shown(store_up, queues is not None, queues or {}, waiting, letters)

    def _keep_refused(self) -> None:
        here, now = self._refused_here, time.monotonic()
        total = self._store.count_refused(here - self._refused_kept)
        if not self._refused:  # what came before the first look is of its own five minutes as well
            self._refused.append((now, total - here))
        self._refused_kept = here
        while self._refused[0][0] < now - REFUSED_SECONDS and len(self._refused) > 1:
            self._refused.popleft()
        self._refused.append((now, total))

    def _shown(
        self, store_up: bool | None, broker_up: bool | None, queues: _Queues, waiting: int, letters: int
    ) -> dict[str, Any]:
        def figure(place: int, queue: str, delivery: Delivery = Delivery.SAFE) -> int | None:
            found = queues.get(delivery.queue(queue))
            return found[place] if found else None

        return {
            "store": {"up": store_up},
            "broker": {"up": broker_up, "since": None if broker_up is None else self._since},
            "workers": {method: figure(1, queue) for method, queue in QUEUES.items()},
            "queues": [{"name": queue, "ready": figure(0, queue)} for queue in QUEUES.values()],
            "naive_workers": {method: figure(1, queue, Delivery.NAIVE) for method, queue in QUEUES.items()},
            "waiting": waiting,
            "dead_letters": letters,
            "refused": self._refused[-1][1] - self._refused[0][1] if self._refused else 0,
            "refused_total": self._refused[-1][1] if self._refused else 0,
            "management_url": self._settings.management_url,
        }

    def _ask_broker(self) -> _Queues | None:
        """Ready messages and consumers of each queue, or None when the broker does not answer.

        A worker process of either kind holds one consumer, so that consumers are workers.
        """
        try:
            channel = self._open_channel()
            answers = [channel.queue_declare(queue=queue, passive=True).method for queue in _ALL_QUEUES]
        except ChannelClosedByBroker as error:
            logger.warning("a queue is missing, and will be declared again: %s", error)
            return {}
        except amqp.ERRORS as error:
            logger.debug("the broker does not answer: %s", error)
            self._drop()
            return None
        return {answer.queue: (answer.message_count, answer.consumer_count) for answer in answers}

    def _open_channel(self) -> BlockingChannel:
        if self._channel is None or not self._channel.is_open:
            self._drop()
            self._connection = amqp.connected(self._settings.rmq_url, "transport-lab watch")
            self._channel = self._connection.channel()
            amqp.declare_topology(self._channel, QUEUES.values())
        return self._channel

    def _drop(self) -> None:
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None and connection.is_open:
            try:
                connection.close()
            except amqp.ERRORS as error:
                logger.debug("closing: %s", error)
