"""Removes images whose time is over."""

import logging
from typing import Final

from api.background import BackgroundThread
from api.images.files import ImageFiles
from api.images.store import UploadRows
from lab.clock import now_us

PERIOD_SECONDS: Final = 60.0

logger = logging.getLogger(__name__)


class Sweeper(BackgroundThread):
    """One thread in each process of the API; that several sweep does no harm."""

    def __init__(self, hours: float, files: ImageFiles, rows: UploadRows) -> None:
        super().__init__("sweeper", PERIOD_SECONDS)
        self._hours = hours
        self._files = files
        self._rows = rows

    def step(self) -> None:
        """Removes what is too old, rows before files."""
        self._rows.remove_older(now_us() - int(self._hours * 3_600_000_000))
        removed = self._files.remove_older(self._hours)
        if removed:
            logger.info("%d images have expired", removed)
