"""What a part of the API needs to do its work in a thread beside the requests."""

import logging
import threading
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

STOP_SECONDS: Final = 5.0

logger = logging.getLogger(__name__)


class BackgroundThread:
    """A part with one thread of its own, which calls `step` again and again until `_ending` is set. Start it
    after a fork, not before: a thread does not come along.

    Args:
        name: the thread's, and what its log lines begin with.
        period: seconds from the end of a step to the next.
    """

    def __init__(self, name: str, period: float = 1.0) -> None:
        self._name = name
        self._period = period
        self._ending = threading.Event()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Starts the thread."""
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Has the next step come at once."""
        self._wake.set()

    def stop(self) -> None:
        """Asks the thread to end, and waits for that, STOP_SECONDS at most."""
        self._ending.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                self.step()
            except (SQLAlchemyError, OSError) as error:
                logger.warning("%s: %s", self._name, error)
            except Exception:
                logger.exception(self._name)
            self._wake.wait(self._period)
            self._wake.clear()
        self._give_back()

    def step(self) -> None:
        """One piece of the work. A part that works otherwise replaces `_run`, which returns soon after
        `_ending` is set."""
        raise NotImplementedError

    def _give_back(self) -> None:
        """Called by the thread at its end: closes what belongs to it."""
