"""One process that reports for all processes of a worker on this machine: `python -m celery_worker.forwarder FD`.

Celery's pool has a process for each job that runs at once. If each of them spoke to the API by itself, each
status would cost a request; here they are gathered, so that one POST carries what all of them report at
that moment. Nothing is promised earlier for that: who reports is answered when the API, or the spool on
this machine's disk, has taken it.

A frame is a head, the task's id and the update's JSON. The answer has the same form; its JSON is empty when the
status was accepted and the job may continue.
"""

import json
import logging
import os
import selectors
import shutil
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import Final

from lab.logs import DATE_FORMAT, LOG_FORMAT
from lab.reporting.job_report import Line
from lab.reporting.reporter import Reporter, ReportFailed
from lab.reporting.spool import Spool
from lab.settings import Settings
from lab.status import UpdateAnswer

logger = logging.getLogger(__name__)

# What is wanted, its number on this connection, how many bytes of id and of JSON.
ASK_HEAD: Final = struct.Struct(">cIHI")
# What is answered, to which number, how many bytes of JSON.
ANSWER_HEAD: Final = struct.Struct(">cII")
MOST_BYTES: Final = 64 * 1024 * 1024
FLUSH_SECONDS: Final = 5.0
# Nobody waits for stamps: after a turn that brought nothing else, more of them are let come.
STAMP_PAUSE_SECONDS: Final = 0.01


class Wish(Enum):
    """What a frame asks for: the methods of `lab.reporting.reporter.Reporter`."""

    ASK = b"a"
    MUST_ASK = b"m"
    SETTLE = b"s"
    PROGRESS = b"p"
    STAMP = b"t"  # has no answer
    CLOCK = b"c"  # has no line; its answer is the offset of the machine's clock in JSON


class AnswerKind(Enum):
    """What the answer's frame holds: nothing, a verdict, or why nobody took the status."""

    GO_ON = b"g"
    VERDICT = b"v"
    FAILED = b"f"


def frame(wish: Wish, number: int, line: Line) -> bytes:
    """A `wish` for `line` as it goes over the socket."""
    name = line.task_id.encode()
    return b"%b%b%b" % (ASK_HEAD.pack(wish.value, number, len(name), len(line.json)), name, line.json)


def _answer_frame(wish: Wish, number: int, found: UpdateAnswer | ReportFailed) -> bytes:
    if isinstance(found, ReportFailed):
        word, body = AnswerKind.FAILED, str(found).encode()
    elif found.error is None and (wish is Wish.SETTLE or found.run):
        word, body = AnswerKind.GO_ON, b""
    else:
        word, body = AnswerKind.VERDICT, found.model_dump_json(exclude_defaults=True).encode()
    return ANSWER_HEAD.pack(word.value, number, len(body)) + body


def answered(word: bytes, body: bytes, line: Line) -> UpdateAnswer | ReportFailed:
    """What a frame with this answer says of `line`: the reverse of how it is written. Raises ValueError for what is
    no answer."""
    match AnswerKind(word):
        case AnswerKind.GO_ON:
            return UpdateAnswer(task_id=line.task_id)
        case AnswerKind.VERDICT:
            return UpdateAnswer.model_validate_json(body)
        case AnswerKind.FAILED:
            return ReportFailed(body.decode())


class _Peer:
    """One connection of a process of the pool."""

    def __init__(self, connection: socket.socket, reporter: Reporter) -> None:
        self._connection = connection
        self._reporter = reporter
        self._read = b""
        self.only_stamps = False  # in what came last
        self._writing = threading.Lock()  # both the one who reads and the reporter answer

    def read(self) -> bool:
        """Takes what came; False where the peer has gone."""
        try:
            came = self._connection.recv(256 * 1024)
        except OSError:
            return False
        if not came:
            return False
        try:
            self._obey_all(came)
        except ValueError:
            return False
        return True

    def _obey_all(self, came: bytes) -> None:
        """Obeys the frames that are complete. Raises ValueError for what is none."""
        data, at = self._read + came, 0
        asked: dict[Wish, list[tuple[int, Line]]] = {}
        while len(data) - at >= ASK_HEAD.size:
            word, number, id_bytes, json_bytes = ASK_HEAD.unpack_from(data, at)
            if json_bytes > MOST_BYTES:
                raise ValueError("a frame is too long")
            json_at = at + ASK_HEAD.size + id_bytes
            end = json_at + json_bytes
            if len(data) < end:
                break
            line = Line(data[at + ASK_HEAD.size : json_at].decode(), data[json_at:end])
            asked.setdefault(Wish(word), []).append((number, line))
            at = end
        self._read = data[at:]
        self.only_stamps = asked.keys() == {Wish.STAMP}
        for wish, of_it in asked.items():
            self._obey(wish, [number for number, _ in of_it], [line for _, line in of_it])

    def _obey(self, wish: Wish, numbers: list[int], lines: list[Line]) -> None:
        def answer(found: list[UpdateAnswer] | ReportFailed) -> None:
            each: Sequence[UpdateAnswer | ReportFailed] = (
                found if isinstance(found, list) else [found] * len(lines)
            )
            said = [_answer_frame(wish, number, one) for number, one in zip(numbers, each, strict=True)]
            # It may have died: what it reported is taken all the same.
            with suppress(OSError), self._writing:
                self._connection.sendall(b"".join(said))

        match wish:
            case Wish.CLOCK:
                body = json.dumps(self._reporter.clock.offset).encode()
                with suppress(OSError), self._writing:
                    self._connection.sendall(
                        ANSWER_HEAD.pack(AnswerKind.VERDICT.value, numbers[0], len(body)) + body
                    )
            case Wish.STAMP:
                for line in lines:
                    self._reporter.stamp(line)
            case Wish.PROGRESS:
                answer([self._reporter.note_progress(line) for line in lines])
            case Wish.SETTLE:
                self._reporter.settle_later(lines, answer)
            case Wish.ASK | Wish.MUST_ASK:
                self._reporter.ask_later(lines, answer, must=wish is Wish.MUST_ASK)


def serve(listening: socket.socket, reporter: Reporter, parent_end: int) -> None:
    """Answers all that connect to `listening`, until the descriptor `parent_end` is at its end and the last of
    them has gone."""
    selector = selectors.DefaultSelector()
    selector.register(listening, selectors.EVENT_READ)
    selector.register(parent_end, selectors.EVENT_READ)
    peers: dict[int, tuple[socket.socket, _Peer]] = {}
    parent = True
    while parent or peers:
        ready = selector.select()
        for key, _ in ready:
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
        if all(key.fd in peers and peers[key.fd][1].only_stamps for key, _ in ready):
            time.sleep(STAMP_PAUSE_SECONDS)


def main() -> int:
    """Serves the listening socket whose descriptor is the first argument."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)  # it ends when the worker has
    logging.basicConfig(level=logging.WARNING, format=LOG_FORMAT, datefmt=DATE_FORMAT)
    settings = Settings.from_env()
    reporter = Reporter(settings.api_url, Spool(settings.spool))
    reporter.start()
    listening = socket.socket(fileno=int(sys.argv[1]))
    serve(listening, reporter, sys.stdin.fileno())
    reporter.flush(FLUSH_SECONDS)
    shutil.rmtree(Path(listening.getsockname()).parent, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
