"""What differs between the arms of a plan, beside what is to be compared."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from experiments.model import FairnessRow
from experiments.plan import Arm, Plan
from lab.delivery import Delivery
from lab.settings import Settings
from transports.configuration import NONE, REPORTS, Configuration
from transports.control import CONTROLS, WorkerPicture, create_control

KIND: Final = "experiment_job"
SYNC_THREADS: Final = 3
NO_ANSWER: Final = "no worker answers"
UNKNOWN: Final = "unknown"
NO_LIMIT: Final = "no limit"
NO_BROKER: Final = Configuration(
    acknowledgement=NONE,
    confirms=NONE,
    durability=NONE,
    queue_type=NONE,
    redelivery=NONE,
    retries="again at once, by the same thread",
    time_limits="none but its own next report",
    reports=REPORTS,
    serialisation=NONE,
    message_bytes=0,
    versions="",
)
"""Of jobs that run in the request: nothing is in between."""

EQUALISED: Final = ("concurrency", "prefetch")
KEYS: Final = (
    "workers", "concurrency", "pool", "prefetch", "acknowledgement", "confirms", "durability", "queue_type",
    "redelivery", "retries", "time_limits", "rate_limits", "reports", "serialisation", "message_size", "versions",
)  # fmt: skip
"""The rows, in their order."""


@dataclass(frozen=True)
class _Side:
    """One arm: its workers, its configuration, and the threads where it has no workers."""

    arm: Arm
    workers: tuple[WorkerPicture, ...]
    configuration: Configuration
    threads: int

    @property
    def in_request(self) -> bool:
        return self.arm.method not in CONTROLS


def fairness_of(
    plan: Plan,
    pictures: Sequence[WorkerPicture],
    settings: Settings,
    *,
    equalised: bool = False,
) -> list[FairnessRow]:
    """The rows KEYS for the arms of `plan`, by what the workers told of themselves (`pictures`, of all
    methods) and by the configuration in use. Connects to nothing.

    Args:
        equalised: whether the pictures were taken after `Equaliser.apply`.
    """
    threads = sync_threads(plan, pictures)
    known: dict[tuple[str, Delivery], Configuration] = {}
    sides = []
    for arm in plan.arms:
        at = (arm.method, arm.delivery)
        if arm.method in CONTROLS and at not in known:
            known[at] = create_control(arm.method, settings).configuration(arm.delivery)
        sides.append(_Side(arm, tuple(workers_of(arm, pictures)), known.get(at, NO_BROKER), threads))
    return [
        FairnessRow(
            key=key,
            values=(values := [_VALUES[key](side) for side in sides]),
            equal=len(set(values)) == 1,
            can_equalise=key in EQUALISED and any(not side.in_request for side in sides),
            done=key in EQUALISED and equalised and len(set(values)) == 1,
        )
        for key in KEYS
    ]


def workers_of(arm: Arm, pictures: Sequence[WorkerPicture]) -> list[WorkerPicture]:
    """Those of the workers in `pictures` that the arm's jobs go to."""
    return [
        picture
        for picture in pictures
        if picture.method == arm.method and picture.delivery == arm.delivery.value
    ]


def sync_threads(plan: Plan, pictures: Sequence[WorkerPicture]) -> int:
    """How many threads run an arm of `sync`: as many jobs at once as the smallest of the other arms runs; 3
    where there is no other."""
    totals = [
        sum(worker.concurrency or 0 for worker in workers)
        for workers in (workers_of(arm, pictures) for arm in plan.arms)
        if workers
    ]
    return max(1, min(totals)) if totals else SYNC_THREADS


def _of_workers(value: Callable[[WorkerPicture], str], in_request: str) -> Callable[[_Side], str]:
    """A row of what the workers of an arm tell, each once."""

    def told(side: _Side) -> str:
        if side.in_request:
            return in_request
        return ", ".join(sorted({value(worker) for worker in side.workers})) or NO_ANSWER

    return told


def _count(side: _Side) -> str:
    return NONE if side.in_request else str(len(side.workers)) if side.workers else NO_ANSWER


def _concurrency(side: _Side) -> str:
    return str(side.threads) if side.in_request else _total([one.concurrency for one in side.workers])


def _prefetch(side: _Side) -> str:
    if side.in_request:
        return NONE
    ahead = [one.prefetch for one in side.workers]
    return NO_LIMIT if 0 in ahead else _total(ahead)


def _total(values: Sequence[int | None]) -> str:
    known = [value for value in values if value is not None]
    return NO_ANSWER if not values else UNKNOWN if len(known) < len(values) else str(sum(known))


def _pool(worker: WorkerPicture) -> str:
    return {"prefork": "processes"}.get(worker.pool or UNKNOWN, worker.pool or UNKNOWN)


def _message_size(side: _Side) -> str:
    return NONE if side.in_request else f"{side.configuration.message_bytes} bytes"


def _rate_limit(worker: WorkerPicture) -> str:
    return (worker.rate_limits or {}).get(KIND, NO_LIMIT)


def _configured(name: str) -> Callable[[_Side], str]:
    return lambda side: str(getattr(side.configuration, name)) or NONE


_VALUES: Final[Mapping[str, Callable[[_Side], str]]] = {
    "workers": _count,
    "concurrency": _concurrency,
    "pool": _of_workers(_pool, "threads"),
    "prefetch": _prefetch,
    **{
        key: _configured(key)
        for key in (
            "acknowledgement", "confirms", "durability", "queue_type", "redelivery", "retries", "time_limits",
            "reports", "serialisation", "versions",
        )
    },
    "message_size": _message_size,
    "rate_limits": _of_workers(_rate_limit, NO_LIMIT),
}  # fmt: skip
