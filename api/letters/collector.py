"""Takes dead letters from the broker into the store, where they can be looked at without being consumed."""

import logging
import random
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

import pika
import requests
from pika.adapters.blocking_connection import BlockingChannel
from pika.spec import Basic, BasicProperties
from pydantic_core import from_json
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError

from api.background import BackgroundThread
from lab.broker import amqp, management, owner
from lab.broker.address import virtual_host
from lab.settings import Settings
from lab.values import without_nul
from store.letters import DeadLetters, Letter
from transports.methods import QUEUES

LONGEST_WAIT_SECONDS: Final = 5.0
BODY_BYTES: Final = 1_000_000
MOST_DEPTH: Final = 50

logger = logging.getLogger(__name__)


class LetterCollector(BackgroundThread):
    """One thread that consumes the dead-letter queues; a letter is acknowledged once the store has it. With its
    connection it holds the virtual host for the lab with the mark `lab` (`lab.broker.owner`)."""

    def __init__(self, settings: Settings, letters: DeadLetters, lab: str) -> None:
        super().__init__("dead letters")
        self._settings = settings
        self._letters = letters
        self._lab = lab

    def _run(self) -> None:
        wait = 0.2
        while not self._ending.is_set():
            try:
                with amqp.connected(self._settings.rmq_url, "transport-lab dead letters") as connection:
                    wait = 0.2
                    self._consume(connection)
            except (*amqp.ERRORS, SQLAlchemyError) as error:
                logger.debug("dead letters wait: %s", error)
            except owner.AnotherLab as error:
                logger.error("%s", error)
            except Exception:
                logger.exception("dead letters")
            self._ending.wait(wait * random.uniform(0.5, 1.5))
            wait = min(wait * 2, LONGEST_WAIT_SECONDS)

    def _consume(self, connection: pika.BlockingConnection) -> None:
        channel = connection.channel()
        owner.hold(channel, self._lab)
        amqp.declare_topology(channel, QUEUES.values())
        self._keep_what_strangers_send()
        channel.basic_qos(prefetch_count=50)
        for queue in QUEUES.values():
            channel.basic_consume(amqp.dead_letter_queue(queue), self.take)
        while not self._ending.is_set() and channel.is_open:
            connection.process_data_events(time_limit=0.5)

    def _keep_what_strangers_send(self) -> None:
        """Any client declares the open queue without arguments, so a policy says where its dead letters go; without
        the management API it cannot. https://www.rabbitmq.com/docs/dlx#using-policies"""
        policy = {
            "pattern": f"^{re.escape(amqp.OPEN_QUEUE)}$",
            "apply-to": "queues",
            "definition": {
                "dead-letter-exchange": amqp.DEAD_LETTER_EXCHANGE,
                "dead-letter-routing-key": amqp.dead_letter_queue(amqp.CELERY_QUEUE),
            },
        }
        vhost = quote(virtual_host(self._settings.rmq_url), safe="")
        try:
            management.put(self._settings, f"policies/{vhost}/{amqp.OPEN_QUEUE}", policy)
        except requests.RequestException as error:
            logger.warning("what no worker can read in %s is thrown away: %s", amqp.OPEN_QUEUE, error)

    def take(
        self, channel: BlockingChannel, method: Basic.Deliver, properties: BasicProperties, body: bytes
    ) -> None:
        """Keeps a letter, whatever it says of itself, and acknowledges it."""
        try:
            self._letters.keep(read_letter(properties, body))
        except (InterfaceError, OperationalError):
            raise
        except Exception:  # the next letters wait behind this one
            logger.exception("a dead letter is kept without its properties")
            queue = method.routing_key.removesuffix(amqp.dead_letter_queue(""))
            self._letters.keep(Letter(queue, "unknown", None, body[:BODY_BYTES], {}))
        channel.basic_ack(method.delivery_tag)


def read_letter(properties: BasicProperties, body: bytes) -> Letter:
    """What a dead letter says of itself: https://www.rabbitmq.com/docs/dlx#effects"""
    headers = properties.headers if isinstance(properties.headers, dict) else {}
    # The newest comes first; earlier ones are of the queues in which it waited for its time.
    deaths = headers.get("x-death")
    death = deaths[0] if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict) else {}
    return Letter(
        queue=_text(death.get("queue") or headers.get("x-first-death-queue", ""), 255),
        reason=_text(death.get("reason") or headers.get("x-first-death-reason", "unknown"), 64),
        task_id=(amqp.task_of(headers, properties.message_id) or _named_in(body) or "")[:64] or None,
        body=body[:BODY_BYTES],
        properties=_plain({name: value for name, value in vars(properties).items() if value is not None}),
    )


def _text(value: Any, most: int) -> str:
    """`value` as a column of the store takes it."""
    return without_nul(str(value))[:most]


def _named_in(body: bytes) -> str | None:
    """The task that a body of the hand-written transport names."""
    try:
        content = from_json(body)
    except ValueError:
        return None
    return amqp.task_of(None, content.get("task_id")) if isinstance(content, dict) else None


def _plain(value: Any, depth: int = 0) -> Any:
    """`value` as JSON can hold it; of what is nested deeper than that takes, only that it was."""
    if depth > MOST_DEPTH:
        return "…"
    if isinstance(value, Mapping):
        return {str(name): _plain(item, depth + 1) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
