"""Notices that the lab shall end: a signal, or the end of the `make` that it runs under."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequest:
    """Counts requests to end. Nothing is interrupted: who waits has to look at `wanted` while waiting."""

    def __init__(self) -> None:
        self.count = 0
        self._parent = os.getppid()
        self._under_make = _name(self._parent) in ("make", "gmake")

    def listen(self) -> None:
        """Take SIGINT, SIGTERM and SIGHUP, also where they were ignored, as in a background job."""
        for sig in ENDING:
            signal.signal(sig, self._on_signal)

    @property
    def wanted(self) -> bool:
        """Whether anything asked for the end."""
        return self.count > 0 or (self._under_make and self._make_ends())

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1

    def _make_ends(self) -> bool:
        # A signal sent to make alone, not by a terminal to the group, is not passed on to us, while make
        # waits for us inside its handler. The kernel shows the signal as blocked there (SigBlk, proc(5)).
        if os.getppid() != self._parent:
            return True
        try:
            status = Path(f"/proc/{self._parent}/status").read_text()
        except OSError:
            return False
        blocked = next((line.split()[1] for line in status.splitlines() if line.startswith("SigBlk:")), "0")
        return any(int(blocked, 16) & 1 << (sig - 1) for sig in ENDING)


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
