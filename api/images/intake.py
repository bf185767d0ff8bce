"""Taking uploads in, each file looked into and kept or refused by itself, and removing what is too old."""

import logging
import re
import threading
import unicodedata
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from werkzeug.datastructures import FileStorage

from api.background import BackgroundThread
from api.images.files import ImageFiles
from lab.clock import now_us
from lab.jobs.images import BadImage, ImageInfo, complete, inspect
from lab.settings import Settings
from store.task_queries import Row
from store.uploads import UploadRows

LONGEST_NAME: Final = 120
SWEEP_SECONDS: Final = 60.0
# Looking into an image takes memory for a moment: one at a time in each process.
_looking = threading.Lock()

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RefusedFile:
    """A file that was not taken: the `index`-th of its upload (from 0), and why. `bound` is the limit that
    it breaks, where there is one."""

    index: int
    name: str
    code: str
    message: str
    bound: float | None = None


@dataclass(frozen=True)
class Taken:
    """What became of an upload; `completed` are the ids of images whose files lacked their trailer."""

    images: list[Row]
    refused: list[RefusedFile]
    completed: list[str]


class Intake:
    """Checks what was uploaded, keeps what is an image, and says of the rest why not."""

    def __init__(self, settings: Settings, files: ImageFiles, rows: UploadRows) -> None:
        self._settings = settings
        self._files = files
        self._rows = rows

    def take(self, uploads: Sequence[FileStorage]) -> Taken:
        """Keeps the images among `uploads`, whose streams are files of `ImageFiles.incoming`."""
        limit = self._settings.upload_megabytes
        images: list[Row] = []
        refused: list[RefusedFile] = []
        completed: list[str] = []
        for index, upload in enumerate(uploads):
            name = shown_name(upload.filename or "")
            path = _path_of(upload.stream)
            if path.stat().st_size > limit * 1_000_000:
                refused.append(RefusedFile(index, name, "too_large", f"it has more than {limit:g} MB", limit))
                continue
            try:
                info, whole = self._look(path)
            except BadImage as error:
                bound = self._settings.image_megapixels if error.code == "too_many_pixels" else None
                refused.append(RefusedFile(index, name, error.code, str(error), bound))
                continue
            images.append(self._keep(path, name, info))
            if not whole:
                completed.append(images[-1]["id"])
        self._rows.add(images)
        return Taken(images, refused, completed)

    def _look(self, path: Path) -> tuple[ImageInfo, bool]:
        """What the file is, and whether it had its trailer. Raises BadImage."""
        most = int(self._settings.image_megapixels * 1_000_000)
        with _looking:
            try:
                return inspect(path, most), True
            except BadImage as error:
                if error.code != "truncated":
                    raise
                return complete(path, most), False

    def _keep(self, path: Path, name: str, info: ImageInfo) -> Row:
        upload_id = str(uuid.uuid4())
        self._files.keep(path, upload_id)
        return {
            "id": upload_id,
            "name": name,
            "format": info.format,
            "width": info.width,
            "height": info.height,
            "bytes": info.bytes,
        }


class Sweeper(BackgroundThread):
    """One thread in each process of the API; that several sweep does no harm."""

    def __init__(self, hours: float, files: ImageFiles, rows: UploadRows) -> None:
        super().__init__("sweeper", SWEEP_SECONDS)
        self._hours = hours
        self._files = files
        self._rows = rows

    def step(self) -> None:
        """Removes what is too old, rows before files."""
        self._rows.remove_older(now_us() - int(self._hours * 3_600_000_000))
        removed = self._files.remove_older(self._hours)
        if removed:
            logger.info("%d images have expired", removed)


def _path_of(stream: IO[bytes]) -> Path:
    stream.flush()
    return Path(stream.name)


def shown_name(name: str) -> str:
    """A file's name as pages show it: no folders, nothing unprintable, at most 120 characters."""
    last = re.split(r"[/\\]", name)[-1]
    printable = "".join(c for c in unicodedata.normalize("NFC", last) if c.isprintable())
    return printable.strip(" .")[:LONGEST_NAME] or "image"


def fault(refused: RefusedFile) -> dict[str, Any]:
    """A refused file as an entry of a problem document."""
    entry: dict[str, Any] = {
        "field": f"files.{refused.index}",
        "name": refused.name,
        "message": refused.message,
        "code": refused.code,
    }
    return entry if refused.bound is None else {**entry, "bound": refused.bound}
