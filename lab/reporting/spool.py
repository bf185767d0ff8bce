"""Statuses that the API has not taken yet, kept on the worker's own disk."""

import errno
import fcntl
import itertools
import os
import secrets
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

Deliver = Callable[[list[bytes]], None]

BATCH = 500
FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
BATCH_BYTES = 1_000_000


def _batch(file: BinaryIO) -> list[bytes]:
    """The next whole lines of `file`, without their ends: at most `BATCH`, and a megabyte or one line."""
    lines, size = [], 0
    for line in itertools.islice(file, BATCH):
        if not line.endswith(b"\n"):
            break
        lines.append(line[:-1])
        size += len(line)
        if size > BATCH_BYTES:
            break
    return lines


class Spool:
    """Lines in a file of this process's own below `folder`, written through to the disk.

    The file is locked (flock(2)) for as long as its process lives. A file that can be locked was left
    by a process that died, and anyone who finds it sends it. A line may be sent twice, never not at all.
    Threads may share one Spool; after a fork the child needs its own.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._path: Path | None = None
        self._descriptor = -1
        self._sent = 0  # bytes of the file that were delivered already

    def put(self, lines: Sequence[bytes]) -> None:
        """Keeps `lines` (without line ends); they survive this process and the machine's power.

        Raises:
            OSError: the disk does not take them.
        """
        data = b"".join(line + b"\n" for line in lines)
        with self._lock:
            self._open()
            end = os.fstat(self._descriptor).st_size
            try:
                if os.pwrite(self._descriptor, data, end) != len(data):
                    raise OSError(errno.ENOSPC, "the disk took a part only")
                os.fsync(self._descriptor)
            except OSError:
                os.ftruncate(self._descriptor, end)
                raise

    def send(self, deliver: Deliver) -> int:
        """Hands own lines to `deliver`, up to 500 at a time; returns how many it took. Whatever
        `deliver` raises ends it, and what was not delivered stays."""
        taken = 0
        while lines := self._next():
            deliver(lines)
            taken += len(lines)
            with self._lock:
                self._sent += sum(len(line) + 1 for line in lines)
                if self._sent == os.fstat(self._descriptor).st_size:
                    os.ftruncate(self._descriptor, 0)
                    self._sent = 0
        return taken

    def adopt(self, deliver: Deliver) -> int:
        """Does the same with the files of processes that are gone, and removes them; returns how many
        lines they held."""
        taken = 0
        for path in sorted(self._folder.glob("*.jsonl")) if self._folder.is_dir() else []:
            if path == self._path:
                continue
            try:
                with path.open("rb") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    # A process that was killed while writing leaves half a line: nothing was promised yet.
                    while lines := _batch(file):
                        deliver(lines)
                        taken += len(lines)
                    path.unlink(missing_ok=True)
            except (BlockingIOError, FileNotFoundError):
                continue
        return taken

    def close(self) -> None:
        """Gives the file up: removed where all was sent, left for another process where it was not."""
        with self._lock:
            if self._path is not None:
                if not os.fstat(self._descriptor).st_size:
                    self._path.unlink(missing_ok=True)
                os.close(self._descriptor)
                self._path = None

    def _next(self) -> list[bytes]:
        with self._lock:
            if self._path is None:
                return []
            with self._path.open("rb") as file:
                file.seek(self._sent)
                return _batch(file)

    def _open(self) -> None:
        while self._path is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            name = f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
            descriptor = os.open(self._folder / name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink:
                self._descriptor, self._path, self._sent = descriptor, self._folder / name, 0
            else:  # somebody adopted it before it was locked
                os.close(descriptor)
