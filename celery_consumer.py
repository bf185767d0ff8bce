"""Celery's consumer, made to keep what it cannot read: a dead letter instead of nothing, or worse. It also
takes what is urgent first, and keeps to a rate limit however many tasks it holds back.

As it comes, Celery acknowledges a message whose body it cannot decode, and the message is gone; one that
breaks its protocol in other ways ends the whole worker, or is held for ever.
https://docs.celeryq.dev/en/stable/internals/protocol.html#version-2
"""

import logging
from collections.abc import Callable
from typing import Any

from celery.worker.consumer import Consumer

from celery_priority import Priorities

logger = logging.getLogger(__name__)


class DeadLetteringConsumer(Consumer):  # type: ignore[misc]
    """Rejects what it cannot read; the safe queue hands that to its dead-letter queue."""

    priorities: Priorities | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._turns: dict[int, Any] = {}
        super().__init__(*args, **kwargs)

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], None]:
        """Celery's own handler, for messages that keep to its protocol."""
        handle = super().create_task_handler(*args, **kwargs)

        def on_message(message: Any) -> None:
            why = fault(message)
            if why is None:
                handle(message)
            else:
                self._reject(message, why)

        self.priorities = Priorities.begin(self, on_message)
        return on_message

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """The body is not of an accepted content type, or does not decode."""
        self._reject(message, str(exc))

    def _schedule_bucket_request(self, bucket: Any) -> None:
        """Lets begin what the rate limit of `bucket` allows, and sets one timer for the next one.

        Celery's own sets one for each task that arrives, and these go on until the bucket is empty; with more
        than ten due at once its event loop sleeps a second, and half of the limit is all that it reaches.
        """
        turn = self._turns.pop(id(bucket), None)
        if turn is not None:
            turn.cancel()
        while bucket.contents:
            request, tokens = bucket.pop()
            if not bucket.can_consume(tokens):
                bucket.contents.appendleft((request, tokens))
                wait = bucket.expected_time(tokens)
                self._turns[id(bucket)] = self.timer.call_after(
                    wait, self._schedule_bucket_request, (bucket,)
                )
                return
            self._limit_move_to_pool(request)

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
