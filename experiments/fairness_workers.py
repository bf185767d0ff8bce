"""What a worker says of itself, as the table of differences has it."""

import socket
from collections.abc import Callable, Sequence
from typing import Final

from experiments.plan import KIND
from transports.configuration import NONE
from transports.control import WorkerPicture

UNKNOWN: Final = "unknown"
NO_LIMIT: Final = "no limit"
THIS_MACHINE: Final = "this machine"
CHANGED: Final = "changed by the lab: "


def host_of(worker: WorkerPicture) -> str:
    """The machine that it runs on, by its name."""
    host = worker.name.partition("@")[2]
    return THIS_MACHINE if host == socket.gethostname() else host or UNKNOWN


def pool_of(worker: WorkerPicture) -> str:
    """What its jobs run in."""
    told = worker.pool or UNKNOWN
    return {"prefork": "processes", "thread": "threads"}.get(told, told)


def pool_class_of(worker: WorkerPicture) -> str:
    """Module and class of its pool, with what the lab has changed of it."""
    return _class(
        worker.pool_class, [name for name in worker.changed_by_lab or () if _is_of_pool(worker, name)]
    )


def consumer_class_of(worker: WorkerPicture) -> str:
    """Module and class of its consumer, with what the lab has changed of all but the pool."""
    changes = [name for name in worker.changed_by_lab or () if not _is_of_pool(worker, name)]
    return _class(worker.consumer_class, changes)


def _class(name: str | None, changes: Sequence[str]) -> str:
    return "; ".join([name or UNKNOWN, *(f"{CHANGED}{change}" for change in changes)])


def _is_of_pool(worker: WorkerPicture, change: str) -> bool:
    return worker.pool_class is not None and change.startswith(worker.pool_class)


def heartbeat_of(worker: WorkerPicture) -> str:
    """The seconds between two of its heartbeats."""
    seconds = worker.heartbeat
    return UNKNOWN if seconds is None else f"{seconds} seconds" if seconds else NONE


def told(name: str) -> Callable[[WorkerPicture], str]:
    """What it tells under the name `name`."""
    return lambda worker: getattr(worker, name) or UNKNOWN


def rate_limit_of(worker: WorkerPicture) -> str:
    """Its limit of the jobs of experiments."""
    return (worker.rate_limits or {}).get(KIND, NO_LIMIT)
