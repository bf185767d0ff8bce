"""Orders that reach every hand-written worker over the control exchange, and what it answers.

Celery brings all of this along; by hand each command is written out.
"""

import json
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.spec import Basic, BasicProperties
from pydantic import BaseModel, Field, ValidationError

from consumer.jobs import Jobs
from lab import usage
from lab.broker import amqp
from lab.broker.traffic import Traffic
from lab.clock import now_us, to_iso
from lab.delivery import Delivery
from lab.jobs.kinds import KINDS

logger = logging.getLogger(__name__)


class Order(BaseModel):
    """A message of the control exchange: one of the commands, with what it takes.

    Attributes:
        worker: the name of the one that is meant; None for all.
        task_id: the task to cancel.
        n: how many more or fewer jobs to run at once.
        kind, rate: which jobs to limit, and to how many starts, such as 10/m; 0 lifts the limit.
    """

    command: Literal["ping", "picture", "usage", "cancel", "grow", "shrink", "rate_limit"]
    worker: str | None = None
    task_id: Annotated[str, Field(max_length=64)] = ""
    n: Annotated[int, Field(strict=True, ge=1, le=100)] = 1
    kind: Annotated[str, Field(max_length=64)] = ""
    rate: Annotated[str, Field(max_length=32)] = ""


@dataclass
class RemoteControl:
    """Obeys the orders for the worker `name`, on the thread that owns the connection.

    Attributes:
        cancel: notes that a task is to be cancelled.
        traffic: tells what its connection to the broker has carried.
        prefetch: tells how many messages the broker sends it ahead of their acknowledgement.
        clock_offset: tells by how many seconds this machine's clock is ahead of the API's.
    """

    name: str
    jobs: Jobs
    cancel: Callable[[str], None]
    traffic: Callable[[], Traffic] = Traffic
    prefetch: Callable[[], int | None] = lambda: None
    clock_offset: Callable[[], float | None] = lambda: None
    started_at: str = field(default_factory=lambda: to_iso(now_us()))

    def listen(self, channel: BlockingChannel) -> None:
        """Takes orders over `channel` from now on."""
        queue: str = channel.queue_declare("", exclusive=True, auto_delete=True).method.queue
        channel.queue_bind(queue, amqp.CONTROL_EXCHANGE)
        channel.basic_consume(queue, self._on_order, auto_ack=True)

    def _on_order(
        self, channel: BlockingChannel, _method: Basic.Deliver, asked: BasicProperties, body: bytes
    ) -> None:
        answer = self.obey(body)
        if answer is not None and asked.reply_to:
            properties = BasicProperties("application/json", correlation_id=asked.correlation_id)
            channel.basic_publish("", asked.reply_to, json.dumps(answer).encode(), properties)

    def obey(self, body: bytes) -> dict[str, Any] | None:
        """Does what the message says and returns the answer; None where another worker is meant, or the message is
        no valid order, which is logged."""
        try:
            order = Order.model_validate_json(body)
        except ValidationError as error:
            logger.error("ignored an invalid control message: %s", error)
            return None
        if order.worker not in (None, self.name):
            return None
        try:
            return {"name": self.name, "ok": True, **self._do(order)}
        except ValueError as error:
            return {"name": self.name, "ok": False, "error": str(error)}

    def _do(self, order: Order) -> dict[str, Any]:
        match order.command:
            case "picture":
                return self._picture()
            case "usage":
                return {
                    **usage.answer(os.getpid(), self.traffic()),
                    "pid": os.getpid(),
                    "delivery": Delivery.SAFE.value,
                    "begun": self.jobs.ended + len(self.jobs.running),
                    "clock_offset": self.clock_offset(),
                }
            case "cancel":
                self.cancel(order.task_id)
            case "grow":
                self.jobs.grow(min(order.n, max(0, usage.MOST_JOBS - self.jobs.concurrency)))
            case "shrink":
                self.jobs.shrink(order.n)
            case "rate_limit":
                if order.kind not in KINDS:
                    raise ValueError(f"unknown kind of job: {order.kind}")
                self.jobs.hold.rate_limit(order.kind, order.rate)
        if order.command in ("grow", "shrink", "rate_limit"):
            logger.info("obeyed %s", order.model_dump_json(exclude_defaults=True))
        return {"concurrency": self.jobs.concurrency}

    def _picture(self) -> dict[str, Any]:
        jobs = self.jobs
        return {
            "pid": os.getpid(),
            "started_at": self.started_at,
            "delivery": Delivery.SAFE.value,
            "concurrency": jobs.concurrency,
            "prefetch": self.prefetch(),
            "pool": "threads",
            "pool_class": "threads (consumer.jobs)",
            "consumer_class": "pika.BlockingConnection, consumer.worker",
            "acknowledgement": "after_job",
            "versions": {"pika": pika.__version__},
            "log_level": logging.getLevelName(logger.getEffectiveLevel()),
            "heartbeat": amqp.HEARTBEAT_SECONDS,
            "connections": 1,
            "active": [
                {
                    "id": work.job.task_id,
                    "kind": work.job.kind,
                    "num": work.job.num,
                    "since": to_iso(work.began_us),
                }
                for work in list(jobs.running.values())
            ],
            "reserved": jobs.waiting(),
            "scheduled": len(jobs.hold),
            "done": jobs.ended,
            "kinds": sorted(KINDS),
            "rate_limits": jobs.hold.rates(),
            "clock_offset": self.clock_offset(),
        }
