"""Celery's consumer, made to keep what it cannot read: a dead letter instead of nothing, or worse.

As it comes, Celery acknowledges a message whose body it cannot decode, and the message is gone; one that
breaks its protocol in other ways ends the whole worker, or is held for ever.
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

        def on_message(message: Any) -> None:
            why = fault(message)
            if why is None:
                handle(message)
            else:
                self._reject(message, why)

        return on_message

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """The body is not of an accepted content type, or does not decode."""
        self._reject(message, str(exc))

    def _reject(self, message: Any, why: str) -> None:
        logger.error("message %s cannot be read: %s", message.properties.get("correlation_id"), why)
        message.reject_log_error(logger, self.connection_errors)


def fault(message: Any) -> str | None:
    """What is wrong with a message as a task of Celery's protocol 2, or None."""
    headers = message.headers if isinstance(message.headers, dict) else {}
    for name in ("task", "id"):
        if not isinstance(headers.get(name), str):
            return f"it has no header {name}"
    try:
        payload = message.payload
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if not (isinstance(payload, list | tuple) and len(payload) == 3):
        return "its body is no list of arguments, keyword arguments and embedded tasks"
    if not (isinstance(payload[0], list | tuple) and isinstance(payload[1], dict)):
        return "its arguments are no list, or its keyword arguments no object"
    return None
