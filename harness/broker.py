"""Asks a broker for a login: the only sign of life that counts."""

from __future__ import annotations

import socket

import pika
import pika.exceptions
from pika.adapters.utils.connection_workflow import AMQPConnectorException


def can_log_in(url: str, timeout: float = 5.0) -> bool:
    """Whether the AMQP broker at `url` takes this user and password, each step within `timeout` seconds.

    Raises ValueError where `url` is none (https://www.rabbitmq.com/docs/uri-spec).
    """
    parameters = pika.URLParameters(url)
    parameters.socket_timeout = parameters.stack_timeout = parameters.blocked_connection_timeout = timeout
    try:
        # Asked first because pika logs a refused connection as an error.
        socket.create_connection((parameters.host, parameters.port), timeout).close()
        pika.BlockingConnection(parameters).close()
    except (OSError, pika.exceptions.AMQPError, AMQPConnectorException):
        return False
    return True
