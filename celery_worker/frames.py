"""Celery cannot; the lab adds: headers that py-amqp cannot decode, such as a time of the year 292277026596.

As it comes, the worker ends at the first such message, and so does the next one that gets it. The documented setting
`broker_transport_options` hands py-amqp's connection its documented argument `frame_handler`, in the safe mode only.
https://docs.celeryq.dev/en/stable/userguide/configuration.html#broker-transport-options
"""

import logging
from collections.abc import Callable
from typing import Any

from amqp.exceptions import FrameSyntaxError
from amqp.method_framing import frame_handler

HEADER = 2
# Class, weight and size of the body; then come the properties: https://www.rabbitmq.com/amqp-0-9-1-protocol
FIXED_BYTES = 12
NO_PROPERTIES = b"\x00\x00"

logger = logging.getLogger(__name__)


class TolerantFrames:
    """py-amqp's own handler of frames; a message whose properties it cannot decode comes without them, which
    makes it a dead letter."""

    def __call__(self, connection: Any, callback: Callable[..., Any]) -> Callable[[Any], bool]:
        handle = frame_handler(connection, callback)

        def on_frame(frame: Any) -> bool:
            kind, channel, body = frame
            try:
                return bool(handle(frame))
            except (ValueError, OverflowError, OSError, RecursionError, FrameSyntaxError) as error:
                if kind != HEADER:
                    raise
                logger.error("a message has properties that cannot be decoded: %s", error)
            return bool(handle((kind, channel, bytes(body[:FIXED_BYTES]) + NO_PROPERTIES)))

        return on_frame

    def __json__(self) -> str:
        # `inspect stats` answers with the options of the connection, in kombu's JSON.
        return f"{__name__}:{type(self).__name__}"
