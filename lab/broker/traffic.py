"""How many bytes this process exchanges with the broker, by the kernel's own count."""

import os
import socket
import stat
import struct
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

# tcpi_bytes_acked and tcpi_bytes_received of struct tcp_info in linux/tcp.h, since Linux 4.1: 8 bytes of
# flags, 24 numbers of four bytes and two of eight stand before them.
_OFFSET: Final = 8 + 24 * 4 + 2 * 8
_BYTES: Final = struct.Struct("=QQ")
_PORTS: Final = {"amqp": 5672, "amqps": 5671, "redis": 6379, "rediss": 6379}


@dataclass(frozen=True)
class Traffic:
    """Payload bytes of connections since they were opened; None is what cannot be told."""

    bytes_in: int | None = None
    bytes_out: int | None = None


def with_broker(url: str) -> Traffic:
    """What the open connections of this process to the broker at `url` have carried: tcp(7), TCP_INFO.

    Client libraries keep their sockets to themselves, so they are found among the process's descriptors by the
    port that they lead to. What went through TLS counts as it was on the wire.
    """
    parts = urlsplit(url)
    port = parts.port or _PORTS.get(parts.scheme)
    counts = [_carried(fd, port) for fd in _descriptors()]
    if None in counts:
        return Traffic()
    known = [count for count in counts if count]
    return Traffic(sum(count[0] for count in known), sum(count[1] for count in known))


def _descriptors() -> list[int]:
    with suppress(OSError):
        return [int(name) for name in os.listdir("/proc/self/fd")]
    return []


def _carried(fd: int, port: int | None) -> tuple[int, int] | tuple[()] | None:
    """Bytes in and out of the descriptor `fd`; none where it leads elsewhere, None where the kernel tells nothing."""
    try:
        if not stat.S_ISSOCK(os.fstat(fd).st_mode):
            return ()
        connection = socket.socket(fileno=os.dup(fd))
    except OSError:
        return ()  # closed meanwhile
    with connection:
        try:
            if connection.getpeername()[1] != port:
                return ()
        except (OSError, IndexError):
            return ()  # it listens, or is of another family
        try:
            info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _OFFSET + _BYTES.size)
            bytes_out, bytes_in = _BYTES.unpack_from(info, _OFFSET)
        except (AttributeError, OSError, struct.error):
            return None  # not Linux, or an old one
    return bytes_in, bytes_out
