"""What a part of the API needs to do its work in a thread beside the requests."""

import threading
from abc import ABC, abstractmethod
from typing import Final

STOP_SECONDS: Final = 5.0


class BackgroundThread(ABC):
    """A part with one thread of its own, which works until `_ending` is set. Start it after a fork, not
    before: a thread does not come along.

    Args:
        name: the thread's.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Starts the thread."""
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Asks the thread to end, and waits for that, STOP_SECONDS at most."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)

    @abstractmethod
    def _run(self) -> None:
        """The thread's work; returns soon after `_ending` is set."""
