"""Renews the picture of workers and queues: one process of the API at a time, every ten seconds."""

import threading
from datetime import datetime
from typing import Final

from api.background import BackgroundThread
from api.control.poll import Picture, Poll
from api.health.books import Books
from lab.clock import now_us, to_us
from store.pictures import Pictures

PERIOD_US: Final = 10_000_000
SOON_US: Final = 2_000_000
FRESH_US: Final = 15_000_000


class ControlCollector(BackgroundThread):
    """One thread in each process. All keep the latest picture in memory; the one that gets the lease takes
    the next. So the workers are asked as often for a thousand viewers as for none. The thread gives back its
    connections when it ends."""

    def __init__(self, pictures: Pictures, look: Poll, books: Books | None = None) -> None:
        super().__init__("control")
        self._books = books
        self._pictures = pictures
        self._look = look
        self._picture: Picture | None = None
        self._known_us = -1
        self._soon = False
        self._fresh = threading.Event()

    def picture(self, wait: float = 0.0) -> Picture | None:
        """The latest picture, from memory. A process that has just started waits up to `wait` seconds for
        one that is not of an earlier day; None if there is none at all."""
        if self._thread is not None:
            self._fresh.wait(wait)
        return self._picture

    def look_soon(self) -> None:
        """Asks for a look before its time, since something was changed; two seconds after the last at the
        earliest, however many ask."""
        self._soon = True

    def refresh(self) -> None:
        """Takes a picture where that is due and nobody else does; reads the one that somebody took."""
        begun_us, lease_until_us = self._pictures.taken_us()
        wanted_us = SOON_US if self._soon else PERIOD_US
        now = now_us()
        if now - begun_us >= wanted_us and lease_until_us <= now and self._pictures.claim(wanted_us):
            self._soon = False
            self._take(now)
        elif begun_us != self._known_us:
            self._picture, self._known_us = self._pictures.read(), begun_us
        taken_at = self._picture and self._picture["broker"]["up"] and self._picture["at"]
        if taken_at and now_us() - to_us(datetime.fromisoformat(taken_at)) < FRESH_US:
            self._fresh.set()

    def _take(self, begun_us: int) -> None:
        picture = None
        try:
            picture = self._look.take(self._pictures.read())
            if self._books is not None:
                picture["books"] = self._books.reconcile(picture)
            self._picture = picture
            self._fresh.set()
        finally:
            self._pictures.save(picture, begun_us)
            self._known_us = begun_us

    def step(self) -> None:
        """As `refresh`."""
        self.refresh()

    def _give_back(self) -> None:
        self._look.close()
