"""Which TCP ports a lab takes, and what it says when one is taken."""

from __future__ import annotations

import errno
import random
import socket

# Below the range that Linux hands to outgoing connections (ip(7), ip_local_port_range: 32768 and up):
# a port from inside it can be lost to somebody's client while a node restarts.
FREE_FROM, FREE_TO = 20000, 32000

_given: set[int] = set()


class PortError(ValueError):
    """A port that was asked for cannot be had; the message is one sentence for the person who asked."""


def is_taken(host: str, port: int) -> bool:
    """Whether somebody listens on `host`:`port`, so that a server could not.

    Raises OSError for any other reason not to listen there: no right to (below 1024), no such address.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers do: connections of an earlier server that linger in TIME_WAIT are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return True
            raise
    return False


def free_port(host: str = "127.0.0.1") -> int:
    """A port between 20000 and 32000 on which nobody listens; never the same one twice in a process.

    Raises PortError where none is left.
    """
    for port in random.sample(range(FREE_FROM, FREE_TO), k=2000):
        if port not in _given and not is_taken(host, port):
            _given.add(port)
            return port
    raise PortError(f"No free port between {FREE_FROM} and {FREE_TO} was found on {host}.")


def read(text: str | None, name: str) -> int | None:
    """The port that the variable `name` asks for; None where it is unset or empty.

    Raises PortError where the text is no number from 1 to 65535.
    """
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise PortError(f"{name}={text} is no port: give a number from 1 to 65535.")
    return int(text)


def choose(asked: int | None, default: int, name: str, host: str = "127.0.0.1") -> tuple[int, str | None]:
    """The port to use for the variable `name`, and a note to print where it is not the expected one.

    `asked` is what the person set, None for nothing. A taken `asked` raises PortError, since anyone who
    names a port relies on it; a taken `default` gives way to a free port and a note.
    """
    try:
        if not is_taken(host, asked or default):
            return asked or default, None
    except OSError as error:
        raise PortError(f"{name}: {host}:{asked or default} cannot be used: {error.strerror}.") from error
    if asked is not None:
        raise PortError(f"Port {asked} is taken by another program: set {name} to a free one, or unset it.")
    port = free_port(host)
    return port, f"Port {default} is taken, so {port} is used instead ({name} sets another)."
