"""Whether the lab can work with its broker: `python -m transports.check`, before anything is started.

What cannot work is one sentence on standard output, never with a password, and the exit status 1.
"""

import logging
import re
import sys
import time
from typing import Final

from pika.adapters.blocking_connection import BlockingConnection
from pika.exceptions import (
    ChannelClosedByBroker,
    ConnectionClosedByBroker,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
)

from lab.broker import address, amqp, owner
from lab.settings import Settings, SettingsError
from transports.topology import declared

WAIT_SECONDS: Final = 10.0
_OTHERWISE: Final = re.compile(r"for (queue|exchange) '([^']*)'")


class Unusable(RuntimeError):
    """The broker cannot be worked with; the message says what to do."""


def check(settings: Settings, seconds: float = WAIT_SECONDS) -> None:
    """Logs in, waiting `seconds` for a broker that is starting, declares what the lab needs, and claims the virtual
    host.

    Raises:
        Unusable: the login, the virtual host or something that is declared there does not fit.
        AnotherLab: another lab uses the virtual host.
    """
    with _connected(settings.rmq_url, seconds) as connection:
        owner.claim(connection.channel(), owner.mark(settings.secrets()))
        channel = connection.channel()
        try:
            _declare(channel, settings)
        except ChannelClosedByBroker as error:
            raise Unusable(_why(error, settings.rmq_url)) from error


def _declare(channel: amqp.Channel, settings: Settings) -> None:
    amqp.declare_topology(channel)
    objects = declared(settings)
    for found in objects.values():
        # Celery gives each of its queues an exchange of the same name.
        if found.kind == "exchange" and f"queue {found.name}" in objects:
            channel.exchange_declare(found.name, exchange_type=found.type, durable=found.durable)


def _connected(url: str, seconds: float) -> BlockingConnection:
    deadline = time.monotonic() + seconds
    shown, vhost = address.without_password(url), address.virtual_host(url)
    while True:
        try:
            return amqp.connected(url, "transport-lab check")
        except ProbableAuthenticationError as error:
            raise Unusable(
                f"The broker at {shown} takes no such user and password: correct RMQ_URL."
            ) from error
        except (ProbableAccessDeniedError, ConnectionClosedByBroker) as error:
            raise Unusable(
                f"The broker at {shown} has no virtual host {vhost!r} for this user: make it (rabbitmqctl add_vhost,"
                " set_permissions), or name another one at the end of RMQ_URL."
            ) from error
        except amqp.ERRORS as error:
            if time.monotonic() > deadline:
                raise Unusable(
                    f"The broker at {shown} does not answer: start it, or correct RMQ_URL."
                ) from error
            time.sleep(0.5)


def _why(error: ChannelClosedByBroker, url: str) -> str:
    found = _OTHERWISE.search(error.reply_text)
    if found is None:
        return f"The broker at {address.without_password(url)} refuses the lab's queues: {error.reply_text}"
    kind, name = found.groups()
    return (
        f"The virtual host {address.virtual_host(url)!r} has the {kind} {name!r} already, declared by somebody else"
        f" with other properties: name another virtual host at the end of RMQ_URL, or delete that {kind}"
        f"{' with its messages' if kind == 'queue' else ''}."
    )


def main() -> int:
    """Checks the broker of the settings."""
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    try:
        check(Settings.from_env())
    except (SettingsError, Unusable, owner.AnotherLab) as error:
        sys.stdout.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
