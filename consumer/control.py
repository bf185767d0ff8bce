"""Orders that reach every hand-written worker over the control exchange, and what it answers.

Celery brings all of this along; by hand each command is written out.
"""

import logging
import os
from collections.abc import Callable
from typing import Annotated, Any, Literal

import pika
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from consumer.runner import Runner
from lab import usage
from lab.clock import now_us, to_iso
from lab.delivery import Delivery
from lab.kinds import KINDS
from lab.traffic import Traffic

logger = logging.getLogger(__name__)

More = Annotated[int, Field(strict=True, ge=1, le=100)]


class _Order(BaseModel):
    worker: str | None = None  # the one that is meant; None for all


class Cancel(_Order):
    """Stop this task if you are running it, and do not begin it if you are not."""

    command: Literal["cancel"]
    task_id: Annotated[str, Field(max_length=64)]


class Ping(_Order):
    """Say that you are there."""

    command: Literal["ping"]


class Picture(_Order):
    """Say who you are and what you do."""

    command: Literal["picture"]


class Usage(_Order):
    """Say what you have used, and begin a new peak of memory where `reset`."""

    command: Literal["usage"]
    reset: bool = False


class Look(_Order):
    """Something was put into the priority queue."""

    command: Literal["look"]


class Grow(_Order):
    """Run `n` more jobs at once."""

    command: Literal["grow"]
    n: More = 1


class Shrink(_Order):
    """Run `n` fewer jobs at once, but at least one."""

    command: Literal["shrink"]
    n: More = 1


class RateLimit(_Order):
    """Begin jobs of `kind` at this rate, such as 10/m; 0 lifts the limit."""

    command: Literal["rate_limit"]
    kind: Annotated[str, Field(max_length=64)]
    rate: Annotated[str, Field(max_length=32)]


Order = Cancel | Ping | Picture | Usage | Look | Grow | Shrink | RateLimit
_ORDERS: TypeAdapter[Order] = TypeAdapter(Annotated[Order, Field(discriminator="command")])


class Control:
    """Obeys the orders that are for the worker `name`; on the thread that owns the connection.

    Args:
        cancel: notes that a task is to be cancelled.
        look: notes that there is something in the priority queue.
        traffic: what its connection to the broker has carried.
        prefetch: how many messages the broker sends it ahead, 0 for as many as there are.
    """

    def __init__(
        self,
        name: str,
        delivery: Delivery,
        runner: Runner,
        cancel: Callable[[str], None],
        look: Callable[[], None] = lambda: None,
        traffic: Callable[[], Traffic] = Traffic,
        prefetch: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._name = name
        self._delivery = delivery
        self._runner = runner
        self._cancel = cancel
        self._look = look
        self._traffic = traffic
        self._prefetch = prefetch
        self._started_at = to_iso(now_us())

    def obey(self, body: bytes) -> dict[str, Any] | None:
        """Does what the message says and returns the answer; None where this worker is not meant, or the
        message is no order, which is logged and left."""
        try:
            order = _ORDERS.validate_json(body)
        except ValidationError as error:
            logger.error("an order that is none: %s", error)
            return None
        if order.worker not in (None, self._name):
            return None
        try:
            return {"name": self._name, "ok": True, **self._do(order)}
        except ValueError as error:
            return {"name": self._name, "ok": False, "error": str(error)}

    def _do(self, order: Order) -> dict[str, Any]:
        match order:
            case Cancel(task_id=task_id):
                self._cancel(task_id)
            case Look():
                self._look()
            case Picture():
                return self._picture()
            case Usage(reset=reset):
                told = usage.answer(os.getpid(), self._traffic(), reset=reset)
                return {**told, "pid": os.getpid(), "delivery": self._delivery.value}
            case Grow(n=n):
                self._runner.grow(n)
                logger.info("%d jobs at once from now on", self._runner.concurrency)
            case Shrink(n=n):
                self._runner.shrink(n)
                logger.info("%d jobs at once from now on", self._runner.concurrency)
            case RateLimit(kind=kind, rate=rate):
                if kind not in KINDS:
                    raise ValueError(f"unknown kind of job: {kind}")
                self._runner.rate_limit(kind, rate)
                logger.info("rate limit of %s: %s", kind, rate)
            case Ping():
                pass
        return {"concurrency": self._runner.concurrency}

    def _picture(self) -> dict[str, Any]:
        return {
            "pid": os.getpid(),
            "started_at": self._started_at,
            "delivery": self._delivery.value,
            "kinds": sorted(KINDS),
            "pool": "threads",
            "acknowledgement": "after_job" if self._delivery is Delivery.SAFE else "on_delivery",
            "versions": {"pika": pika.__version__},
            "prefetch": self._prefetch(),
            **self._runner.picture(),
        }
