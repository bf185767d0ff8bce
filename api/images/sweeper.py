"""Removes images whose time is over."""

import logging
import threading
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from api.images.files import ImageFiles
from api.images.store import UploadRows
from lab.clock import now_us

PERIOD_SECONDS: Final = 60.0

logger = logging.getLogger(__name__)


class Sweeper:
    """One thread in each process of the API; that several sweep does no harm."""

    def __init__(self, hours: float, files: ImageFiles, rows: UploadRows) -> None:
        self._hours = hours
        self._files = files
        self._rows = rows
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Starts the thread."""
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends it."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(5.0)

    def sweep(self) -> None:
        """Removes what is too old, rows before files."""
        self._rows.remove_older(now_us() - int(self._hours * 3_600_000_000))
        removed = self._files.remove_older(self._hours)
        if removed:
            logger.info("%d images have expired", removed)

    def _run(self) -> None:
        while not self._ending.wait(PERIOD_SECONDS):
            try:
                self.sweep()
            except (SQLAlchemyError, OSError) as error:
                logger.warning("images are not swept: %s", error)
