"""The connection of the hand-written worker: it alone speaks AMQP, from one thread.

pika's BlockingConnection belongs to the thread that runs it, so jobs run in threads of their own and
hand their settlements over. https://pika.readthedocs.io/en/stable/faq.html
"""

import json
import logging
import random
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.spec import Basic, BasicProperties

from consumer.deliveries import Deliveries, Properties
from consumer.handler import ACK, REJECT, Action, Handler, Run, Settlement
from consumer.runner import Runner
from consumer.session import Session
from consumer.work import Settle
from lab import amqp
from lab.amqp_job import publish
from lab.delivery import Delivery
from lab.traffic import Traffic, of_pika

FIRST_WAIT_SECONDS: Final = 0.2
LONGEST_WAIT_SECONDS: Final = 5.0

LOOK_SECONDS: Final = 0.25

Submit = Callable[[Run, Settle, Callable[[], bool]], None]

logger = logging.getLogger(__name__)


class Consumer:
    """Consumes the lab's queue with `concurrency` jobs at once, over any number of connections.

    Args:
        url: the broker's AMQP URL.
        delivery: safe acknowledges a message after its job; naive lets the broker forget it on arrival.
        handler: reads messages.
        runner: runs their jobs in threads.
        prefetch: how many messages it holds at most; as many as there are jobs at once where it is 0, so that
            none waits here for a thread.
        obey: called with the body of each message of the control exchange; what it returns is the answer.
        grace_seconds: how long `stop` waits for running jobs before it hands them back.
        alive: called about twice a second while the connection is served; for health checks.
    """

    def __init__(
        self,
        url: str,
        delivery: Delivery,
        handler: Handler,
        runner: Runner,
        obey: Callable[[bytes], dict[str, Any] | None],
        grace_seconds: float,
        alive: Callable[[], None] = lambda: None,
        prefetch: int = 0,
    ) -> None:
        self._url = url
        self._delivery = delivery
        self._queue = delivery.queue(amqp.RABBITMQ_QUEUE)
        self._handler = handler
        self._runner = runner
        self._obey = obey
        self._grace_seconds = grace_seconds
        self._alive = alive
        self._most = prefetch
        self._serves_priorities = delivery is Delivery.SAFE
        self._stopping = threading.Event()
        self._deadline = 0.0
        self._more = True  # whether there may be something in the priority queue
        self._session: Session | None = None

    @property
    def prefetch(self) -> int | None:
        """How many messages the broker sends ahead of their acknowledgement; 0 where it waits for none."""
        if self._delivery is Delivery.NAIVE:
            return 0
        return None if self._session is None else self._session.prefetch

    def traffic(self) -> Traffic:
        """What the present connection has carried."""
        return Traffic() if self._session is None else of_pika(self._session.connection)

    def look(self) -> None:
        """Says that something was put into the priority queue."""
        self._more = True

    def stop(self) -> None:
        """Takes no more messages and ends when the running jobs have, at the latest after the grace
        period. A second call hands back at once. May be called from a signal handler."""
        wait = 0.0 if self._stopping.is_set() else self._grace_seconds
        self._deadline = time.monotonic() + wait
        self._stopping.set()

    def run(self) -> None:
        """Consumes until `stop`; connects again, with growing jittered waits, whenever the broker goes."""
        wait = FIRST_WAIT_SECONDS
        while not self._stopping.is_set():
            try:
                connection = pika.BlockingConnection(amqp.parameters(self._url, "transport-lab consumer"))
                wait = FIRST_WAIT_SECONDS
                self._serve(connection)
            except amqp.ERRORS as error:
                logger.warning("the broker is away: %s: %s", type(error).__name__, error)
                self._runner.give_up_overdue()
                self._stopping.wait(wait * random.uniform(0.5, 1.5))
                wait = min(wait * 2, LONGEST_WAIT_SECONDS)

    def _serve(self, connection: pika.BlockingConnection) -> None:
        try:
            session = self._session = Session(
                connection, connection.channel(), connection.channel(), connection.channel()
            )
            session.deliveries = Deliveries(connection, session.channel, partial(self._on_message, session))
            session.retries.confirm_delivery()
            self._listen(session)
            self._consume(session)
            logger.info("waiting for tasks in %s, %d at once", self._queue, self._runner.concurrency)
            # process_data_events can miss a closed channel: https://github.com/pika/pika/issues/1452
            while not self._stopping.is_set() and session.channel.is_open:
                if time.monotonic() >= session.look_at:
                    self._more, session.look_at = True, time.monotonic() + LOOK_SECONDS
                    self._alive()
                    self._runner.give_up_overdue()
                self._feed(session)
                connection.process_data_events(time_limit=LOOK_SECONDS)
                if session.channel.is_open and session.prefetch != self._prefetch:
                    self._consume(session)
            if self._stopping.is_set() and session.channel.is_open:
                self._finish(session)
        finally:
            if connection.is_open:
                connection.close()

    def _listen(self, session: Session) -> None:
        channel = session.channel
        amqp.declare_topology(channel)
        control: str = channel.queue_declare("", exclusive=True, auto_delete=True).method.queue
        channel.queue_bind(control, amqp.CONTROL_EXCHANGE)
        channel.basic_consume(control, self._on_control, auto_ack=True)

    def _consume(self, session: Session) -> None:
        """Consumes the queue; anew whenever the number of jobs at once has changed, since RabbitMQ applies
        basic.qos to later consumers only. The new one is not charged with what the old one still holds, so
        a few messages may wait here for a thread, once. https://www.rabbitmq.com/docs/consumer-prefetch"""
        channel, naive = session.channel, self._delivery is Delivery.NAIVE
        session.prefetch = self._prefetch
        if session.tag is not None:
            if naive:
                return
            session.deliveries.cancel(session.tag)
        if not naive:
            channel.basic_qos(prefetch_count=session.prefetch)
        session.tag = session.deliveries.consume(self._queue, auto_ack=naive)

    @property
    def _prefetch(self) -> int:
        return max(self._most, self._runner.concurrency)

    def _finish(self, session: Session) -> None:
        if session.tag is not None:
            session.deliveries.cancel(session.tag)
        session.deliveries.dispatch()
        if self._delivery is Delivery.SAFE:
            self._runner.hand_back_held()  # of a naive message the queue knows nothing any more
        while session.open_messages and session.channel.is_open and time.monotonic() < self._deadline:
            self._runner.give_up_overdue()
            self._feed(session)
            session.connection.process_data_events(time_limit=0.1)
        if session.open_messages:
            logger.warning("%d unfinished tasks go back to the queue", session.open_messages)

    def _on_control(
        self,
        channel: BlockingChannel,
        _method: Basic.Deliver,
        properties: BasicProperties,
        body: bytes,
    ) -> None:
        answer = self._obey(body)
        if answer is not None and properties.reply_to:
            told = pika.BasicProperties(
                content_type="application/json", correlation_id=properties.correlation_id
            )
            channel.basic_publish("", properties.reply_to, json.dumps(answer).encode(), told)

    def _on_message(
        self,
        session: Session,
        tag: int,
        redelivered: bool,
        properties: Properties,
        body: bytes,
    ) -> None:
        session.unsettled.add(tag)
        run = self._handler.read(body, properties, redelivered)
        self._begin(session, tag, False, run, redelivered, self._runner.stand_in_line)

    def _feed(self, session: Session) -> None:
        """Gives jobs to the threads that are free: what is most urgent first, then what stands in line."""
        while session.channel.is_open and self._runner.free > 0:
            if not self._fetch(session) and not self._runner.begin_next():
                return

    def _fetch(self, session: Session) -> bool:
        """Takes the most urgent message of the priority queue, if there is one. The queue is not consumed
        but asked: what was sent here ahead would be run before what is more urgent and came later."""
        asks = self._more and self._serves_priorities and not self._stopping.is_set()
        # Rate limits may hold what was fetched: no more of it than there are threads.
        if not asks or session.fetched >= self._runner.concurrency:
            return False
        method, properties, body = session.urgent.basic_get(amqp.priority_queue(self._queue))
        if method is None or properties is None or body is None:
            self._more = False
            return False
        session.fetched += 1
        run = self._handler.read(body, properties, method.redelivered)
        self._begin(session, method.delivery_tag, True, run, method.redelivered, self._runner.submit)
        return True

    def _begin(
        self,
        session: Session,
        tag: int,
        urgent: bool,
        run: Run | None,
        redelivered: bool,
        submit: Submit,
    ) -> None:
        now: Settlement | None = None
        if run is None:
            now = REJECT
        elif urgent and redelivered:
            # It may have killed its worker. The ordinary queue counts that, and gives it up.
            now = Settlement(Action.ACK, then=(run.job.without_priority(run.attempt),))
        elif run.waits:
            now = Settlement(Action.ACK, then=(run.job,))  # through the next shorter delay
        if now is not None or run is None:
            session.settled.append((tag, urgent, now or REJECT))
            self._settle_all(session)
            return

        def hand_over(settlement: Settlement) -> None:
            session.settled.append((tag, urgent, settlement))
            if session.woken:
                return
            session.woken = True
            try:
                session.connection.add_callback_threadsafe(partial(self._settle_all, session))
            except amqp.ERRORS as error:
                logger.warning("a task ended after its connection, and will be delivered again: %s", error)

        # A message that waited here while its connection went has been given to somebody else.
        channel = session.channel
        submit(run, hand_over, lambda: channel.is_open)

    def _settle_all(self, session: Session) -> None:
        """Settles what was handed over, on the connection's own thread. What is to be published the broker has
        confirmed before the message that it came of is acknowledged."""
        session.woken = False  # before the first is taken out: who comes later wakes anew
        plain = session.channel.is_open and self._delivery is Delivery.SAFE
        while session.settled:
            tag, urgent, settlement = session.settled.popleft()
            if settlement is ACK and plain and not urgent:  # nearly all
                session.unsettled.done(tag)
                continue
            channel = session.urgent if urgent else session.channel
            accepted = settlement.action in (Action.ACK, Action.RETRY)
            # A naive message the broker forgot when it sent it.
            open_still = channel.is_open and self._delivery is Delivery.SAFE
            if session.channel.is_open:
                for job in (*([settlement.again] if settlement.again else []), *settlement.then):
                    publish(session.retries, self._queue, job)
            if urgent:
                session.fetched -= 1
                if accepted and open_still:
                    channel.basic_ack(tag)
            elif accepted and open_still:
                session.unsettled.done(tag)
            else:
                session.unsettled.drop(tag)
            if open_still and not accepted:
                channel.basic_reject(tag, requeue=settlement.action is Action.REQUEUE)
        if session.channel.is_open:
            for tag, multiple in session.unsettled.acknowledgements():
                session.channel.basic_ack(tag, multiple)
