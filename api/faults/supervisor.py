"""Has fault runs carried out, one at a time, by an engine that is a process of its own and ends with the API's."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from api.background import BackgroundThread
from api.web.docs import ROOT
from store.faults import INTERRUPTED, FaultRuns
from store.task_queries import Row

LOOK_SECONDS: Final = 0.25
IDLE_SECONDS: Final = 1.0
"""While nothing runs: what is submitted to this process wakes it, what others leave can wait for so long."""
RENEW_SECONDS: Final = 2.0
END_SECONDS: Final = 2.0
"""From the signal that asks the engine to end until it is killed, with all it started."""

ENGINE: Final = (sys.executable, "-m", "faults", "run")
_ERROR_CHARS: Final = 2_000


@dataclass
class EngineRun:
    """The engine at work: what it tells stands in `progress`, what it complains of in `log`."""

    run_id: str
    process: subprocess.Popen[bytes]
    progress: Path
    log: Path
    document: dict[str, Any] | None = None
    seen_ns: int = 0
    renewed: float = 0.0
    asked: float = 0.0
    cancelled: bool = False

    def look(self) -> bool:
        """Reads what the engine tells; returns whether that has changed."""
        try:
            changed_ns = self.progress.stat().st_mtime_ns
            if changed_ns == self.seen_ns:
                return False
            told = json.loads(self.progress.read_bytes())
        except (OSError, ValueError):
            return False
        self.seen_ns = changed_ns
        self.document = told if isinstance(told, dict) else None
        return self.document is not None

    def ask_to_end(self) -> None:
        """Asks the engine to undo its fault and to end; kills its session where it takes too long."""
        if not self.asked:
            self.asked = time.monotonic()
            with suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGTERM)
        elif time.monotonic() - self.asked > END_SECONDS:
            # What it has started, in other sessions, is ended by its guard (faults/guard.py).
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def complaint(self) -> str:
        """The last line that the engine wrote to its standard error."""
        try:
            lines = self.log.read_text(errors="replace").split("\n")
        except OSError:
            return ""
        return next((line for line in reversed(lines) if line.strip()), "")[:_ERROR_CHARS]


class FaultSupervisor(BackgroundThread):
    """Starts the engine for each run whose turn has come, keeps what it tells, and sees to it that each run ends.

    When it stops, a run of this process is interrupted.

    Args:
        folder: where the engine's documents and complaints lie while it runs.
        command: what runs a card; the card and its options come after it.
    """

    def __init__(self, rows: FaultRuns, folder: Path, command: Sequence[str] = ENGINE) -> None:
        super().__init__("faults", period=IDLE_SECONDS)
        self._rows = rows
        self._folder = folder
        self._command = tuple(command)
        self._running: EngineRun | None = None

    def step(self) -> None:
        """Looks after the run of this process; begins what waits where nothing runs."""
        if self._running is not None:
            self._look_after(self._running)
        else:
            self._rows.interrupt_overdue()
            if row := self._rows.claim():
                self._running = self._start(row)
        self._period = IDLE_SECONDS if self._running is None else LOOK_SECONDS

    def _give_back(self) -> None:
        if (running := self._running) is None:
            return
        while running.process.poll() is None:
            running.ask_to_end()
            time.sleep(0.05)
        self._end(running)

    def _start(self, row: Row) -> EngineRun:
        shutil.rmtree(self._folder, ignore_errors=True)  # what a process left that was killed
        self._folder.mkdir(parents=True, exist_ok=True)
        progress, log = self._folder / f"{row['id']}.json", self._folder / f"{row['id']}.log"
        told = ["--id", row["id"], "--json", "--progress-file", str(progress), "--watch-stdin"]
        with log.open("wb") as complaints:
            process = subprocess.Popen(
                [*self._command, *arguments(row["plan"]), *told],
                stdin=subprocess.PIPE,  # the engine ends when this does, in whatever way this process ends
                stdout=subprocess.DEVNULL,
                stderr=complaints,
                cwd=ROOT,
                start_new_session=True,
            )
        return EngineRun(row["id"], process, progress, log, renewed=time.monotonic())

    def _look_after(self, running: EngineRun) -> None:
        if running.process.poll() is not None:
            self._end(running)
            return
        if running.look() and running.document is not None:
            self._rows.tell(running.run_id, running.document)
        running.cancelled = running.cancelled or self._rows.cancelled(running.run_id)
        lost = False
        if time.monotonic() - running.renewed > RENEW_SECONDS:
            running.renewed = time.monotonic()
            lost = not self._rows.renew(running.run_id)
        if running.cancelled or running.asked or lost:
            running.ask_to_end()

    def _end(self, running: EngineRun) -> None:
        if running.process.stdin is not None:
            running.process.stdin.close()
        running.look()
        document = running.document or {}
        told = document.get("status")
        if told == "DONE":
            status, error = "DONE", None
        elif running.cancelled or self._rows.cancelled(running.run_id):
            status, error = "CANCELLED", None
        elif self._ending.is_set():
            status, error = "FAILED", INTERRUPTED
        else:
            said = str(document.get("error") or running.complaint())
            code = running.process.returncode
            status, error = "FAILED", said or f"the engine ended with status {code} and told nothing"
        for path in (running.progress, running.log):
            path.unlink(missing_ok=True)
        self._rows.finish(running.run_id, status, error, document)
        self._running = None


def arguments(plan: dict[str, Any]) -> list[str]:
    """The command line of a plan."""
    found = [str(plan["card"])]
    for arm in plan["arms"]:
        found += ["--arm", str(arm)]
    for name in ("jobs", "seconds", "seed", "strength"):
        found += [f"--{name}", str(plan[name])]
    return found
