"""Final statuses that a process has written down, so that it need not wait until they are sent."""

import fcntl
import os
import secrets
import socket
from pathlib import Path
from typing import Final

MOST_BYTES: Final = 1024 * 1024


class Journal:
    """A file of this process's own in the spool's `folder`. Belongs to one thread.

    A line that was appended survives the process that wrote it, as what the store commits does, and is not
    written through to the disk. Somebody else sends the lines and removes the file; where that one dies too,
    the file is one of the spool, which others adopt (`lab.spool`): it is locked for as long as it grows.
    """

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        self._folder = folder
        self._most = most_bytes
        self._descriptor = -1
        self._bytes = 0
        self.path: Path | None = None

    def put(self, line: bytes) -> bool:
        """Appends `line` (without its end); whether it began a new file.

        Raises:
            OSError: the disk does not take it.
        """
        if self._bytes + len(line) >= self._most:
            self.close()
        began = self.path is None
        if began:
            self._open()
        if os.write(self._descriptor, line + b"\n") != len(line) + 1:
            raise OSError("the disk took a part only")
        self._bytes += len(line) + 1
        return began

    def close(self) -> None:
        """Begins a new file with the next line; this one is left to whoever sends it."""
        if self.path is not None:
            os.close(self._descriptor)
            self.path, self._bytes = None, 0

    def _open(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.path = path
