"""One connection to the forwarder for many reports at once: whoever reports goes on, and is called with the answer.

A pool process that waits for each answer uses `lab.remote_reporter`; this is for an event loop, which may not wait.
"""

import itertools
import logging
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from lab.forwarder import ANSWER_HEAD, Wish, answered, frame
from lab.lines import Line
from lab.reporter import ReportFailed
from lab.status import Verdict

# None: the forwarder has gone, and nothing is known of the report's fate.
OnAnswer = Callable[[Verdict | ReportFailed | None], object]

WRITE_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 30.0

logger = logging.getLogger(__name__)


class ForwarderLink:
    """Speaks to the forwarder at `address`. Belongs to one thread.

    Args:
        on_gone: called when the connection has ended, before its descriptor is closed.

    Raises:
        OSError: nobody listens there.
    """

    def __init__(self, address: str, on_gone: Callable[[], object] = lambda: None) -> None:
        self._on_gone = on_gone
        self._connection: socket.socket | None = socket.socket(socket.AF_UNIX)
        try:
            self._connection.settimeout(WRITE_SECONDS)
            self._connection.connect(address)
        except OSError:
            self._connection.close()
            raise
        self._numbers = itertools.count(1)
        self._awaited: dict[int, tuple[float, Line, OnAnswer]] = {}
        self._out: list[bytes] = []
        self._read = b""

    def __len__(self) -> int:
        return len(self._awaited)

    @property
    def alive(self) -> bool:
        """Whether it may still be used."""
        return self._connection is not None

    def fileno(self) -> int:
        """Of the socket, for an event loop: `on_readable` is to be called when there is something to read."""
        return -1 if self._connection is None else self._connection.fileno()

    def send(self, wish: Wish, line: Line, on_answer: OnAnswer) -> None:
        """Has `line` sent with the next `flush`. What `on_answer` raises is logged.

        Raises:
            ValueError, struct.error: it is nothing that can be sent.
        """
        number = next(self._numbers) % 2**32
        self._out.append(frame(wish, number, line))
        self._awaited[number] = time.monotonic(), line, on_answer

    def tend(self) -> None:
        """For each turn of an event loop: writes what waits, and gives the forwarder up if it has been silent
        for too long."""
        if self._out:
            self.flush()
        oldest = next(iter(self._awaited.values()), None)
        if oldest is not None and time.monotonic() - oldest[0] > ANSWER_SECONDS:
            self.close()

    def flush(self) -> None:
        """Writes what waits to be written."""
        out, self._out = b"".join(self._out), []
        if self._connection is None:
            self.close()
        elif out:
            try:
                self._connection.sendall(out)
            except OSError:
                self.close()

    def on_readable(self) -> None:
        """Takes the answers that are there, and calls who waits for them."""
        if self._connection is None:
            return
        try:
            came = self._connection.recv(256 * 1024)
        except OSError:
            came = b""
        if not came:
            self.close()
            return
        data, at = self._read + came, 0
        found: list[tuple[OnAnswer, Verdict | ReportFailed]] = []
        while len(data) - at >= ANSWER_HEAD.size:
            word, number, length = ANSWER_HEAD.unpack_from(data, at)
            end = at + ANSWER_HEAD.size + length
            if len(data) < end:
                break
            body, at = data[end - length : end], end
            _since, line, on_answer = self._awaited.pop(number)
            found.append((on_answer, answered(word, body, line)))
        self._read = data[at:]
        for on_answer, answer in found:
            _call(on_answer, answer)

    def drain(self, seconds: float) -> None:
        """Waits for all answers, at most for so long."""
        self.flush()
        deadline = time.monotonic() + seconds
        while self._awaited and self._connection is not None and (left := deadline - time.monotonic()) > 0:
            self._connection.settimeout(left)
            self.on_readable()
        if self._connection is not None:
            self._connection.settimeout(WRITE_SECONDS)

    def close(self) -> None:
        """Gives the connection up, and tells all that still wait for an answer."""
        connection, self._out = self._connection, []
        if connection is not None:
            self._on_gone()
            self._connection = None
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)  # processes that were forked meanwhile hold it too
            connection.close()
        awaited, self._awaited = self._awaited, {}
        for _since, _line, on_answer in awaited.values():
            _call(on_answer, None)


def _call(on_answer: OnAnswer, answer: Verdict | ReportFailed | None) -> None:
    try:
        on_answer(answer)
    except Exception:  # the others are to hear their answers all the same
        logger.exception("an answer of the forwarder was not taken")
