"""Ends tasks that ran in a request whose process is no more."""

import logging
from typing import Final

from api.background import BackgroundThread
from lab.clock import now_us
from store.tasks import Store
from transports.sync import SyncTransport, longest_request

PERIOD: Final = 10.0
MARGIN_SECONDS: Final = 15.0
ERROR: Final = "interrupted: the API's process that ran it has ended"

logger = logging.getLogger(__name__)


class Interrupted(BackgroundThread):
    """Looks for tasks of `sync` that no request can run any more: each request ends in a bounded time. Every process
    of the API looks, so that it does not matter which one was killed."""

    def __init__(self, store: Store, most_seconds: float) -> None:
        super().__init__("interrupted", PERIOD)
        self._store = store
        self._seconds = longest_request(most_seconds) + MARGIN_SECONDS

    def step(self) -> None:
        """Ends those tasks as FAILED. What an experiment runs has a process and an end of its own."""
        found = self._store.unfinished(SyncTransport.name, now_us() - int(self._seconds * 1e6))
        if not found:
            return
        logger.warning("%d tasks of sync were interrupted", len(found))
        self._store.fail(dict(found), ERROR)
