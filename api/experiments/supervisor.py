"""Has experiments run, one at a time in a lab, whichever process of the API it is."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Final

from api.background import BackgroundThread
from api.experiments.trials import CANCELLED_AT_ONCE
from store.experiments import INTERRUPTED, ExperimentRows, conclude

LOOK_SECONDS: Final = 0.5
STOP_SECONDS: Final = 2.5


class ExperimentSupervisor(BackgroundThread):
    """Starts a process for each experiment whose turn has come, and sees to it that each comes to an end.

    When it stops, the experiment that this process runs is interrupted.

    Args:
        cancel: cancels tasks, by their ids, of an experiment that nobody runs any more.
        command: what runs the experiment whose id comes last.
    """

    def __init__(
        self,
        rows: ExperimentRows,
        cancel: Callable[[Sequence[str]], object],
        command: Sequence[str] = (sys.executable, "-m", "api.experiments.work"),
    ) -> None:
        super().__init__("experiments", period=LOOK_SECONDS)
        self._rows = rows
        self._cancel = cancel
        self._command = tuple(command)
        self._child: subprocess.Popen[bytes] | None = None
        self._running = ""

    def step(self) -> None:
        """Ends what nobody runs any more, and begins what waits where nothing runs."""
        if self._child is not None and self._child.poll() is not None:
            self._child_ended(self._child)
        for experiment_id in self._rows.overdue():
            self._rows.hold_back(experiment_id)
            self._give_up(experiment_id)
        for experiment_id in self._rows.not_cleaned_up():
            self._clean_up(experiment_id)
            self._rows.release(experiment_id, late=True)
        if self._child is None and self._rows.waiting() and (claimed := self._rows.claim()):
            self._running = claimed
            self._child = subprocess.Popen([*self._command, claimed], stdin=subprocess.PIPE)

    def _give_back(self) -> None:
        if (child := self._child) is None:
            return
        if child.stdin is not None:
            child.stdin.close()
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            return  # it sets the workers back, and ends by itself
        self._child_ended(child)

    def _child_ended(self, child: subprocess.Popen[bytes]) -> None:
        if child.stdin is not None:
            child.stdin.close()
        self._child = None
        self._give_up(self._running)
        self._rows.release(self._running)

    def _give_up(self, experiment_id: str) -> None:
        """Ends an experiment that nobody runs; its process may have ended it, and not come to what follows."""
        conclude(self._rows, experiment_id, "FAILED", INTERRUPTED)
        self._clean_up(experiment_id)

    def _clean_up(self, experiment_id: str) -> None:
        """Cancels what has not ended of an experiment that has."""
        left = self._rows.unfinished_tasks(experiment_id)
        for start in range(0, len(left), CANCELLED_AT_ONCE):
            self._cancel(left[start : start + CANCELLED_AT_ONCE])
        self._rows.free_messages(experiment_id)
