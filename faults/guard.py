"""Sees to it that nothing of a run outlives it, however it ends.

What a run starts carries its id in the environment. The guard, a process of its own, waits for the end of a pipe that
the run holds open; then it kills all that carries the id, and removes the run's folder.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from harness import proc

MARK: Final = "LAB_FAULT_RUN"
LONGEST_SECONDS: Final = 10.0


def sweep(run_id: str, folder: Path) -> None:
    """Kills all that the run started, this process excepted, and removes its folder."""
    deadline = time.monotonic() + LONGEST_SECONDS
    while (left := proc.with_environment(MARK, run_id)) and time.monotonic() < deadline:
        proc.send(left, signal.SIGKILL)
        proc.wait_gone(left, 0.5)
    shutil.rmtree(folder, ignore_errors=True)


def start(run_id: str, folder: Path) -> subprocess.Popen[bytes]:
    """Starts the guard. It ends by itself when this process does, or when its standard input is closed."""
    environment = {name: value for name, value in os.environ.items() if name != MARK}
    return subprocess.Popen(
        [sys.executable, "-m", "faults.guard", run_id, str(folder)],
        stdin=subprocess.PIPE,
        env=environment,
        cwd=Path(__file__).parent.parent,
        start_new_session=True,
    )


def main(arguments: list[str]) -> None:
    """Waits for the end of the run whose id and folder are the arguments, and sweeps."""
    run_id, folder = arguments
    while os.read(sys.stdin.fileno(), 4096):
        pass
    sweep(run_id, Path(folder))


if __name__ == "__main__":
    main(sys.argv[1:])
