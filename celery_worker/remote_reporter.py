"""A pool process's way to the forwarder that reports for all of them."""

import json
import logging
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from celery_worker.forwarder import ANSWER_HEAD, Wish, answered, frame
from lab.jobs.context import Report
from lab.reporting.job_report import Entitled, Line, Stamp, report_of
from lab.reporting.reporter import Reporter, ReportFailed
from lab.reporting.spool import Spool
from lab.settings import Settings
from lab.status import UpdateAnswer

AGAIN_SECONDS: Final = 5.0
RESTART_SECONDS: Final = 0.5
ANSWER_SECONDS: Final = 30.0
CLOCK_SECONDS: Final = 0.2

logger = logging.getLogger(__name__)


def start_forwarder() -> str:
    """Starts a forwarder (`celery_worker.forwarder`) that lives as long as this process and those that connect to it,
    starts it again when it dies, and returns the path of its socket, in a folder that only its owner can enter."""
    path = str(Path(tempfile.mkdtemp(prefix="lab-forwarder-")) / "socket")  # mode 0700
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen(256)
    process = _run_forwarder(listening)
    threading.Thread(target=_keep_running, args=(process, listening), name="forwarder", daemon=True).start()
    return path


def clock_offset(address: str) -> float | None:
    """What the forwarder at `address` knows of this machine's clock (`lab.reporting.api_clock.ApiClock.offset`); None
    also where it does not answer within `CLOCK_SECONDS`."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(CLOCK_SECONDS)
            connection.connect(address)
            connection.sendall(frame(Wish.CLOCK, 0, Line("", b"")))
            with connection.makefile("rb") as answer:
                _word, _number, size = ANSWER_HEAD.unpack(answer.read(ANSWER_HEAD.size))
                offset: float | None = json.loads(answer.read(size))
                return offset
    except (OSError, ValueError, struct.error):
        return None


def _run_forwarder(listening: socket.socket) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "celery_worker.forwarder", str(listening.fileno())],
        stdin=subprocess.PIPE,
        pass_fds=[listening.fileno()],
    )
    _started.append(process)  # its standard input stays open until this process ends
    return process


def _keep_running(process: subprocess.Popen[bytes], listening: socket.socket) -> None:
    """Who connects meanwhile waits in the backlog of `listening`, which outlives the forwarder."""
    while process.wait() and process in _started:
        logger.warning("the forwarder of statuses died (%s); it is started again", process.returncode)
        time.sleep(RESTART_SECONDS)
        if process not in _started:
            break
        _started.remove(process)
        if process.stdin is not None:
            process.stdin.close()
        process = _run_forwarder(listening)
    listening.close()


_started: list[subprocess.Popen[bytes]] = []


class RemoteReporter:
    """Reports by the forwarder at `address`, and by itself while that one is gone. Threads may share it."""

    def __init__(self, address: str, settings: Settings) -> None:
        self._address = address
        self._settings = settings
        self._own = threading.local()
        self._lock = threading.Lock()
        self._fallback: Reporter | None = None
        self._again_at = 0.0

    def start(self) -> None:
        """Nothing: the forwarder sends what killed workers left."""

    def for_job(self, job: Entitled, worker: str, attempt: int, *, redelivered: bool = False) -> Report:
        """The report function of `job`, run by `worker` for the `attempt`-th time (from 1)."""
        return report_of(self, job, worker, attempt, redelivered=redelivered)

    def stamp(self, stamp: Stamp) -> None:
        """As `lab.reporting.reporter.Reporter.stamp`: written to the forwarder, which answers nothing."""
        try:
            self._connection().sendall(frame(Wish.STAMP, 0, stamp.line()))
        except OSError as error:
            self.leave()
            self._by_myself(error).stamp(stamp)
        except BaseException:
            self.leave()  # half a frame may be written: Celery's time limit is raised anywhere
            raise

    def flush(self, seconds: float) -> bool:
        """As `lab.reporting.reporter.Reporter.flush`, for what this process reports by itself."""
        return self._fallback is None or self._fallback.flush(seconds)

    def is_cancelled(self, task_id: str) -> bool:  # noqa: ARG002 - its process is ended instead
        """Whether the task is known to be cancelled: never here."""
        return False

    def ask(self, lines: Sequence[Line], *, must: bool = False) -> list[UpdateAnswer]:
        """As `lab.reporting.reporter.Reporter.ask`."""
        try:
            return [self._exchange(Wish.MUST_ASK if must else Wish.ASK, line) for line in lines]
        except OSError as error:
            return self._by_myself(error).ask(lines, must=must)

    def settle(self, lines: Sequence[Line]) -> list[UpdateAnswer]:
        """As `lab.reporting.reporter.Reporter.settle`."""
        try:
            return [self._exchange(Wish.SETTLE, line) for line in lines]
        except OSError as error:
            return self._by_myself(error).settle(lines)

    def note_progress(self, line: Line) -> UpdateAnswer:
        """As `lab.reporting.reporter.Reporter.note_progress`."""
        try:
            return self._exchange(Wish.PROGRESS, line)
        except OSError as error:
            return self._by_myself(error).note_progress(line)

    def leave(self) -> None:
        """Gives this thread's connection back; before the thread ends."""
        connection: socket.socket | None = getattr(self._own, "connection", None)
        if connection is not None:
            self._own.connection = None
            connection.close()

    def _exchange(self, wish: Wish, line: Line) -> UpdateAnswer:
        connection = self._connection()
        try:
            # Who begins a job that came before waits as long as it takes.
            connection.settimeout(None if wish is Wish.MUST_ASK else ANSWER_SECONDS)
            self._own.number = number = (self._own.number + 1) % 2**32
            connection.sendall(frame(wish, number, line))
            word, answers, length = ANSWER_HEAD.unpack(_read(connection, ANSWER_HEAD.size))
            if answers != number:
                raise ConnectionError("the forwarder answers another question")
            found = answered(word, _read(connection, length), line)
        except BaseException:
            # Celery's time limit is raised anywhere: the answer still to come must not be taken for the next one.
            self.leave()
            raise
        if isinstance(found, ReportFailed):
            raise found
        return found

    def _connection(self) -> socket.socket:
        found: socket.socket | None = getattr(self._own, "connection", None)
        if found is None:
            if time.monotonic() < self._again_at:
                raise ConnectionError("the forwarder is gone")
            found = socket.socket(socket.AF_UNIX)
            try:
                found.connect(self._address)
            except OSError:
                found.close()
                self._again_at = time.monotonic() + AGAIN_SECONDS
                raise
            self._own.number, self._own.connection = 0, found
        return found

    def _by_myself(self, error: OSError) -> Reporter:
        with self._lock:
            if self._fallback is None:
                logger.warning(
                    "the forwarder of statuses is gone (%s); this process reports by itself", error
                )
                self._fallback = Reporter(self._settings.api_url, Spool(self._settings.spool))
            return self._fallback


def _read(connection: socket.socket, count: int) -> bytes:
    parts = connection.recv(count) if count else b""
    while len(parts) < count:
        part = connection.recv(count - len(parts))
        if not part:
            raise ConnectionError("the forwarder is gone")
        parts += part
    return parts
