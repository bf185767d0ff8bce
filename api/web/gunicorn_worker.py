"""gunicorn's threaded worker, for clients that are slow or greedy: a thread is given to a request when its
head is here, and no connection is closed, or waited for, by the thread that accepts them.

https://docs.gunicorn.org/en/stable/design.html#worker-types
"""

import errno
import re
import socket
import struct
import time
from collections import OrderedDict
from concurrent.futures import Future
from functools import partial
from selectors import EVENT_READ
from typing import Any, Final

from gunicorn.workers.gthread import TConn, ThreadWorker

HEAD_SECONDS: Final = 10.0
STALLED_SECONDS: Final = 20
LINGER_SECONDS: Final = 2.0
PEEK_BYTES: Final = 64 * 1024
AWAITED_BYTES: Final = 32 * 1024
SPARE: Final = 50
FULL: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,9})[ \t]*\r\n", re.IGNORECASE)
_Parked = OrderedDict[TConn, float]


class BoundedWorker(ThreadWorker):  # type: ignore[misc]
    """Waits for heads, and for bodies of at most `AWAITED_BYTES`, beside the threads; closes the connection that
    waited longest where there are too many."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.arriving: _Parked = OrderedDict()
        self.lingering: _Parked = OrderedDict()

    def accept(self, listener: socket.socket) -> None:
        """Takes a new connection, and lets it wait for its request."""
        if self.nr_conns >= self.worker_connections - SPARE:
            self._give_one_up()
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno in FULL:
                self._give_one_up()
                time.sleep(0.01)  # where there was nothing to give up, the listener calls at once
            elif error.errno not in (errno.EAGAIN, errno.ECONNABORTED):
                raise
            return
        self.nr_conns += 1
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):  # for what the threads wait for
            client.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", STALLED_SECONDS, 0))
        self._await_request(TConn(self.cfg, client, address, listener.getsockname()))

    def on_client_socket_readable(self, conn: TConn, client: socket.socket) -> None:
        """The next request on a connection begins."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self._await_request(conn)

    def finish_request(self, conn: TConn, fs: Future[Any]) -> None:
        """Keeps the connection for the next request, or closes it when its client has read the answer."""
        if not fs.cancelled() and fs.exception() is None and fs.result():
            super().finish_request(conn, fs)
            return
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(conn)
            return
        self._park(conn, self.lingering, LINGER_SECONDS, self._drain)

    def murder_pending(self) -> None:
        """Closes connections that have waited for long enough."""
        super().murder_pending()
        now = time.monotonic() + (0.0 if self.alive else HEAD_SECONDS - LINGER_SECONDS)
        for parked in (self.arriving, self.lingering):
            while parked and next(iter(parked.values())) < now:
                self._give_up(parked)

    def _await_request(self, conn: TConn) -> None:
        conn.data_ready = True  # the thread need not wait for it
        self._park(conn, self.arriving, HEAD_SECONDS, self._look)

    def _park(self, conn: TConn, parked: _Parked, seconds: float, then: Any) -> None:
        conn.sock.setblocking(False)
        parked[conn] = time.monotonic() + seconds
        self.poller.register(conn.sock, EVENT_READ, partial(then, conn))

    def _look(self, conn: TConn, client: socket.socket) -> None:
        """Gives a request to a thread when it is here; else is called again when there are more bytes."""
        try:
            seen = client.recv(PEEK_BYTES, socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            self.poller.unregister(client)
            del self.arriving[conn]
            self._close(conn)
            return
        # Readable means by default that there is a byte: the ones that were seen would call for ever. At an end
        # of the stream it is readable all the same, with no byte more than before.
        waits = not _is_here(seen) and len(seen) >= client.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, len(seen) + 1 if waits else 1)
        if not waits:
            self.poller.unregister(client)
            del self.arriving[conn]
            self.enqueue_req(conn)

    def _drain(self, conn: TConn, client: socket.socket) -> None:
        """Reads what a client still sends: closing before would take the answer from it (RFC 9112, 9.6)."""
        try:
            if client.recv(PEEK_BYTES):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self.poller.unregister(client)
        del self.lingering[conn]
        self._close(conn)

    def _give_one_up(self) -> None:
        for parked in (self.lingering, self.arriving):
            if parked:
                self._give_up(parked)
                return
        if self.keepalived_conns:
            conn = self.keepalived_conns.popleft()
            self.poller.unregister(conn.sock)
            self._close(conn)

    def _give_up(self, parked: _Parked) -> None:
        conn, _ = parked.popitem(last=False)
        self.poller.unregister(conn.sock)
        self._close(conn)

    def _close(self, conn: TConn) -> None:
        self.nr_conns -= 1
        conn.close()


def _is_here(seen: bytes) -> bool:
    """Whether a thread can begin with these bytes: a head and its small body, or nothing more can come."""
    head, end, body = seen.partition(b"\r\n\r\n")
    if not end:
        return not seen or len(seen) >= PEEK_BYTES
    found = _LENGTH.search(head + b"\r\n")
    length = int(found[1]) if found else 0
    return length > AWAITED_BYTES or len(body) >= length
