"""How much a process exchanges with the broker: bytes by the kernel's count, frames by the client's own."""

import socket
import struct
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

# tcpi_bytes_acked and tcpi_bytes_received of struct tcp_info in linux/tcp.h, since Linux 4.1: 8 bytes of
# flags, 24 numbers of four bytes and two of eight stand before them.
_OFFSET: Final = 8 + 24 * 4 + 2 * 8
_BYTES: Final = struct.Struct("=QQ")


@dataclass(frozen=True)
class Traffic:
    """Of connections to the broker since they were opened; None is what cannot be told."""

    bytes_in: int | None = None
    bytes_out: int | None = None
    frames_in: int | None = None
    frames_out: int | None = None

    def __add__(self, other: Self) -> "Traffic":
        mine, theirs = asdict(self), asdict(other)
        return Traffic(**{name: _sum(mine[name], theirs[name]) for name in mine})


def total(parts: Iterable[Traffic]) -> Traffic | None:
    """The sum of `parts`; None where there are none. What one of them cannot tell the sum cannot either."""
    found: Traffic | None = None
    for part in parts:
        found = part if found is None else found + part
    return found


def of_socket(sock: Any) -> Traffic:
    """Payload bytes of a TCP connection, what went through TLS as it was on the wire: tcp(7), TCP_INFO."""
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _OFFSET + _BYTES.size)
        bytes_out, bytes_in = _BYTES.unpack_from(info, _OFFSET)
    except (AttributeError, OSError, struct.error):
        return Traffic()  # no TCP, not Linux, or closed already
    return Traffic(bytes_in, bytes_out)


def of_pika(connection: Any) -> Traffic:
    """What a `pika.BlockingConnection`, or a connection of another of pika's adapters, has carried."""
    inner = getattr(connection, "_impl", connection)
    sock = getattr(getattr(inner, "_transport", None), "_sock", None)
    counted = of_socket(sock)
    return Traffic(counted.bytes_in, counted.bytes_out, inner.frames_received, inner.frames_sent)


def of_kombu(connection: Any, published: int = 0) -> Traffic:
    """What a `kombu.Connection` has carried; nothing while it is not connected, no frames where it is not AMQP.

    Args:
        published: how many messages it has sent, where that is known: py-amqp counts frames in fields that
            are named after bytes, and a message with its header and its body as one of them.
    """
    if connection is None or not connection.connected:
        return Traffic(0, 0, 0, 0)
    inner = connection.connection
    counted = of_socket(getattr(inner, "sock", None))
    received, sent = getattr(inner, "bytes_recv", None), getattr(inner, "bytes_sent", None)
    return Traffic(
        counted.bytes_in, counted.bytes_out, received, None if sent is None else sent + 2 * published
    )


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
