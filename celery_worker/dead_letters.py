"""Celery cannot; the lab adds: a message that nobody can read becomes a dead letter.

As it comes, Celery acknowledges a message whose body it cannot decode, and the message is gone; one that breaks its
protocol in other ways ends the whole worker, or is held for ever. Of Celery's consumer two public methods are
extended; the documented setting `worker_consumer` chooses it, in the safe mode only.
https://docs.celeryq.dev/en/stable/internals/protocol.html#version-2
"""

import logging
from collections.abc import Callable
from typing import Any

from celery.worker.consumer import Consumer

logger = logging.getLogger(__name__)


class DeadLetteringConsumer(Consumer):  # type: ignore[misc]
    """Rejects what it cannot read; the safe queue hands that to its dead-letter queue."""

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], None]:
        """Celery's own handler, for messages that keep to its protocol."""
        handle = super().create_task_handler(*args, **kwargs)
        lost = (*self.connection_errors, *self.channel_errors)

        def on_message(message: Any) -> None:
            try:
                check(message)
                handle(message)
            except lost:
                raise
            except Exception as error:  # a header that Celery takes for well-formed would end the worker
                self.on_decode_error(message, error)

        return on_message

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """The message cannot be read. Orders to the worker come over a channel that takes no settlement."""
        logger.error("message %s cannot be read: %s", message.properties.get("correlation_id"), exc)
        order = message.delivery_info.get("consumer_tag") in (message.channel.no_ack_consumers or ())
        if not message.acknowledged and not order:
            message.reject_log_error(logger, self.connection_errors)


def check(message: Any) -> None:
    """Raises ValueError, TypeError or what decoding raises where `message` is no task of Celery's protocol 2."""
    headers = message.headers if isinstance(message.headers, dict) else {}
    if lacking := [name for name in ("task", "id") if not isinstance(headers.get(name), str)]:
        raise ValueError(f"it has no header {lacking[0]}")
    # Celery reads these two when a process of the pool is free: a wrong one ends the worker then.
    stamped, limits = headers.get("stamped_headers") or [], headers.get("timelimit") or []
    if not all(isinstance(name, str) for name in stamped):
        raise ValueError("its header stamped_headers is not a list of names")
    if len(limits) not in (0, 2) or not all(isinstance(limit, int | float | None) for limit in limits):
        raise ValueError("its header timelimit is not two numbers")
    match message.payload:
        case [list(), dict(), _]:
            return
    raise ValueError("its body is not a list of arguments, keyword arguments and embedded tasks")
