"""The ledger: what a job itself writes down of its runs, a line at its begin and one at its end.

It is the fault lab's witness. A store smooths over what happened twice; a file that is only appended to does not.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from lab.jobs.context import Context


@contextmanager
def entered(context: Context) -> Iterator[None]:
    """Writes the begin of the run, and its end where the body does not fail. Does nothing where no ledger is set
    (LAB_LEDGER)."""
    if context.places.ledger is None:
        yield
        return
    _write(context, "begin")
    yield
    _write(context, "end")


def _write(context: Context, event: str) -> None:
    line = {
        "num": context.num,
        "attempt": context.attempt,
        "event": event,
        "pid": os.getpid(),
        "mono": time.monotonic(),
        "at": time.time(),
    }
    # One write of a short line to a file that is open for appending: lines of several processes do not mix (open(2)).
    file = os.open(str(context.places.ledger), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, json.dumps(line).encode() + b"\n")
    finally:
        os.close(file)
