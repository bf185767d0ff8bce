"""Keeps processes running, as a supervisor does: the tutorial's worker does one job at a time, and dies of errors."""

import signal
import subprocess
import time
from contextlib import suppress


def run(command: list[str], count: int, grace_seconds: float) -> None:
    """Runs `count` processes of `command` until SIGTERM or SIGINT, and starts one that died again about a second
    later. Ends them by SIGTERM, and by SIGKILL those that still run `grace_seconds` later."""
    signals: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _frame: signals.append(number))
    started = [subprocess.Popen(command) for _ in range(count)]
    while not signals:
        time.sleep(1.0)
        started = [one if one.poll() is None or signals else subprocess.Popen(command) for one in started]
    for one in started:
        one.terminate()
    deadline = time.monotonic() + grace_seconds
    for one in started:
        with suppress(subprocess.TimeoutExpired):
            one.wait(max(0.0, deadline - time.monotonic()))
        one.kill()  # does nothing where it has ended
        one.wait()
