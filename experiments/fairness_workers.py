"""What a worker says of itself, as the table of differences has it."""

import socket
from collections.abc import Callable
from typing import Final

from experiments.marks import MEASURED_SECONDS
from experiments.plan import KIND
from transports.configuration import NONE
from transports.control import WorkerPicture

UNKNOWN: Final = "unknown"
NO_LIMIT: Final = "no limit"
THIS_MACHINE: Final = "this machine"
IN_STEP: Final = "as the API's"
BESIDE_API: Final = "this machine (a process beside the API)"
CHANGED: Final = {
    "pool": "changed by the lab",
    "consumer": "changed by the lab: Celery cannot – the lab adds dead letters of what cannot be read",
}


def host_of(worker: WorkerPicture) -> str:
    """The machine that it runs on, by its name."""
    host = worker.name.partition("@")[2]
    return THIS_MACHINE if host == socket.gethostname() else host or UNKNOWN


def pool_of(worker: WorkerPicture) -> str:
    """What its jobs run in."""
    told = worker.pool or UNKNOWN
    return {"prefork": "processes", "thread": "threads"}.get(told, told)


def pool_class_of(worker: WorkerPicture) -> str:
    """Module and class of its pool, with whether the lab has changed it."""
    return _class(worker, "pool", worker.pool_class)


def consumer_class_of(worker: WorkerPicture) -> str:
    """Module and class of its consumer, with what the lab has changed of it."""
    return _class(worker, "consumer", worker.consumer_class)


def _class(worker: WorkerPicture, part: str, name: str | None) -> str:
    changed = part in (worker.changed_by_lab or ())
    return f"{name or UNKNOWN}; {CHANGED[part]}" if changed else name or UNKNOWN


def heartbeat_of(worker: WorkerPicture) -> str:
    """The seconds between two of its heartbeats."""
    seconds = worker.heartbeat
    return UNKNOWN if seconds is None else f"{seconds} seconds" if seconds else NONE


def clock_of(worker: WorkerPicture) -> str:
    """How far its clock is off, by the API's."""
    off = worker.clock_offset
    if off is None or abs(off) < MEASURED_SECONDS:
        return UNKNOWN if off is None else IN_STEP
    return f"{abs(off):.2f} seconds {'ahead' if off > 0 else 'behind'}"


def told(name: str) -> Callable[[WorkerPicture], str]:
    """What it tells under the name `name`."""
    return lambda worker: getattr(worker, name) or UNKNOWN


def rate_limit_of(worker: WorkerPicture) -> str:
    """Its limit of the jobs of experiments."""
    return (worker.rate_limits or {}).get(KIND, NO_LIMIT)
