"""The leave to run an experiment: renewed while its process lives, and how it hears that it is to stop."""

import threading
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from lab.clock import now_us
from store.experiments import LEASE_US, ExperimentRows, conclude

RENEW_SECONDS: Final = 0.5


class Lease:
    """Renews the lease on one experiment by a thread of its own.

    Attributes:
        stop: set once the experiment is to end.
        cancelled: whether its user asked for that; otherwise it was interrupted.
        preparing: while this is set, nothing of it runs yet, and a cancellation ends it at once.
    """

    def __init__(self, rows: ExperimentRows, experiment_id: str) -> None:
        self.stop = threading.Event()
        self.cancelled = False
        self.preparing = True
        self._rows = rows
        self._experiment_id = experiment_id
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def end(self) -> None:
        """Renews no more."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        renewed_us = now_us()
        while not self._ending.wait(RENEW_SECONDS):
            cancelled = False
            try:
                held, cancelled = self._rows.renew(self._experiment_id)
                renewed_us = now_us()
                if cancelled and self.preparing:
                    conclude(self._rows, self._experiment_id, "CANCELLED")
            except SQLAlchemyError:
                held = now_us() - renewed_us < LEASE_US
            self.cancelled = self.cancelled or cancelled
            if cancelled or not held:
                self.stop.set()
