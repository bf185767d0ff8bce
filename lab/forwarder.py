"""One process that reports for all processes of a worker on this machine: `python -m lab.forwarder FD`.

Celery's pool has a process for each job that runs at once. If each of them spoke to the API by itself, each
status would cost a request; here they are gathered, so that one POST carries what all of them report at
that moment. Nothing is promised earlier for that: who reports is answered when the API, or the spool on
this machine's disk, has taken it.

A frame is one byte that says what is wanted, four that give a length, and so much JSON; so is its answer.
"""

import logging
import os
import selectors
import signal
import socket
import struct
import sys
import time
from enum import Enum
from typing import Final

from pydantic import ValidationError
from pydantic_core import from_json

from lab.lines import Line
from lab.logs import DATE_FORMAT, LOG_FORMAT
from lab.reporter import Reporter, ReportFailed
from lab.settings import Settings
from lab.spool import Spool
from lab.status import Verdict

logger = logging.getLogger(__name__)

HEAD: Final = struct.Struct(">cI")
MOST_BYTES: Final = 64 * 1024 * 1024


class Wish(Enum):
    """What a frame asks for: the methods of `lab.reporter.Reporter`."""

    ASK = b"a"
    MUST_ASK = b"m"
    SETTLE = b"s"
    PROGRESS = b"p"


class Answer(Enum):
    """What the answer's frame holds: a verdict, or why nobody took the status."""

    VERDICT = b"v"
    FAILED = b"f"


def frame(word: Wish | Answer, body: bytes) -> bytes:
    """`body` as it goes over the socket."""
    return HEAD.pack(word.value, len(body)) + body


class _Peer:
    """One connection of a process of the pool."""

    def __init__(self, connection: socket.socket, reporter: Reporter) -> None:
        self._connection = connection
        self._reporter = reporter
        self._read = b""

    def read(self) -> bool:
        """Takes what came; False where the peer has gone."""
        try:
            came = self._connection.recv(256 * 1024)
        except OSError:
            return False
        if not came:
            return False
        self._read += came
        while len(self._read) >= HEAD.size:
            word, length = HEAD.unpack_from(self._read)
            end = HEAD.size + length
            if length > MOST_BYTES:
                return False
            if len(self._read) < end:
                return True
            body, self._read = self._read[HEAD.size : end], self._read[end:]
            try:
                self._obey(Wish(word), Line(from_json(body)["task_id"], body))
            except (ValueError, KeyError, TypeError, ValidationError):
                return False
        return True

    def _obey(self, wish: Wish, line: Line) -> None:
        match wish:
            case Wish.PROGRESS:
                self._answer([self._reporter.note_progress(line)])
            case Wish.SETTLE:
                self._reporter.settle_later([line], self._answer)
            case Wish.ASK | Wish.MUST_ASK:
                self._reporter.ask_later([line], self._answer, must=wish is Wish.MUST_ASK)

    def _answer(self, found: list[Verdict] | ReportFailed) -> None:
        if isinstance(found, ReportFailed):
            said = frame(Answer.FAILED, str(found).encode())
        else:
            said = frame(Answer.VERDICT, found[0].model_dump_json(exclude_defaults=True).encode())
        try:
            self._connection.sendall(said)
        except OSError:
            return  # it died: what it reported is taken all the same


def serve(listening: socket.socket, reporter: Reporter, parent_end: int) -> None:
    """Answers all that connect to `listening`, until the descriptor `parent_end` is at its end and the last of
    them has gone."""
    selector = selectors.DefaultSelector()
    selector.register(listening, selectors.EVENT_READ)
    selector.register(parent_end, selectors.EVENT_READ)
    peers: dict[int, tuple[socket.socket, _Peer]] = {}
    parent = True
    while parent or peers:
        for key, _ in selector.select():
            if key.fd == parent_end:
                if not os.read(parent_end, 4096):
                    parent = False
                    selector.unregister(parent_end)
            elif key.fd == listening.fileno():
                try:
                    connection, _address = listening.accept()
                except OSError as error:  # too many open files: who waits is taken when one has gone
                    logger.error("a process of the pool cannot be taken: %s", error)
                    time.sleep(0.1)
                    continue
                selector.register(connection, selectors.EVENT_READ)
                peers[connection.fileno()] = connection, _Peer(connection, reporter)
            elif not peers[key.fd][1].read():
                connection, _peer = peers.pop(key.fd)
                selector.unregister(connection)
                connection.close()


def main() -> int:
    """Serves the listening socket whose descriptor is the first argument."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)  # it ends when the worker has
    logging.basicConfig(level=logging.WARNING, format=LOG_FORMAT, datefmt=DATE_FORMAT)
    settings = Settings.from_env()
    reporter = Reporter(settings.api_url, Spool(settings.spool))
    reporter.start()
    serve(socket.socket(fileno=int(sys.argv[1])), reporter, sys.stdin.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main())
