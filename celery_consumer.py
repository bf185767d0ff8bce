"""Celery's consumer, made to keep what it cannot decode: a dead letter instead of nothing.

As it comes, Celery acknowledges a message whose body it cannot decode, and the message is gone.
https://docs.celeryq.dev/en/stable/userguide/extending.html
"""

import logging
from typing import Any

from celery.worker.consumer import Consumer

logger = logging.getLogger(__name__)


class DeadLetteringConsumer(Consumer):  # type: ignore[misc]
    """Rejects what it cannot decode; the safe queue hands that to its dead-letter queue."""

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """The body is not of an accepted content type, or does not decode."""
        logger.error("message %s cannot be decoded: %s", message.properties.get("correlation_id"), exc)
        message.reject_log_error(logger, self.connection_errors)
