"""The folders of images: uploads, results and their previews, and what is on its way to one of them.

A file's name is an id that the lab made, whatever its uploader called it.
"""

import os
import re
import shutil
import tempfile
import time
from pathlib import Path
from typing import IO, Final, Literal

Part = Literal["result", "preview"]

LEAST_FREE_BYTES: Final = 512 * 1024 * 1024
_ID: Final = re.compile(r"[0-9a-f-]{32,36}")


class DiskFull(OSError):
    """There is too little room left for more images."""


class ImageFiles:
    """Images below `base`. Names are checked: what is not an id raises ValueError."""

    def __init__(self, base: Path) -> None:
        self._base = base

    def incoming(self) -> IO[bytes]:
        """A new file for bytes that come in; it is gone when closed, unless `keep` has given it a name.

        Raises:
            DiskFull: less than half a GiB is left.
        """
        folder = self._folder("incoming")
        if shutil.disk_usage(folder).free < LEAST_FREE_BYTES:
            raise DiskFull("less than half a GiB of the disk is free")
        return tempfile.NamedTemporaryFile(dir=folder)

    def keep(self, incoming: Path, upload_id: str) -> None:
        """Makes a file that came in the upload `upload_id`."""
        os.link(incoming, self.upload(upload_id))

    def replace(self, incoming: Path, task_id: str, part: Part) -> None:
        """Makes a file that came in the `part` of the task `task_id`, at once and as a whole."""
        beside = incoming.with_name(f"{incoming.name}.whole")
        os.link(incoming, beside)
        beside.replace(self.made(task_id, part))

    def upload(self, upload_id: str) -> Path:
        """Where the upload lies, or lay."""
        return self._named("uploads", upload_id)

    def made(self, task_id: str, part: Part) -> Path:
        """Where what the task made lies, once it was delivered."""
        return self._named(f"{part}s", task_id)

    def remove_older(self, hours: float) -> int:
        """Removes all files that were last written more than `hours` ago; returns how many."""
        removed, oldest = 0, time.time() - hours * 3600
        for path in self._base.glob("*/*"):
            try:
                if path.stat().st_mtime < oldest:
                    path.unlink()
                    removed += 1
            except FileNotFoundError:
                continue  # another process of the API was faster
        return removed

    def touch(self, upload_id: str) -> None:
        """Begins the upload's time again."""
        path = self.upload(upload_id)
        if path.exists():
            os.utime(path)

    def _named(self, folder: str, name: str) -> Path:
        if not _ID.fullmatch(name):
            raise ValueError(f"not an id: {name!r}")
        return self._folder(folder) / name

    def _folder(self, name: str) -> Path:
        folder = self._base / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder
