"""What differs between the arms of a plan, beside what is to be compared."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from experiments.model import FairnessRow
from experiments.plan import KIND, Arm, Plan
from lab.delivery import Delivery
from lab.settings import Settings
from transports.configuration import ACKNOWLEDGEMENTS, NONE, REPORTS, Configuration, listed
from transports.control import CONTROLS, WorkerPicture, create_control

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
    threads: int | None = None,
) -> list[FairnessRow]:
    """The rows KEYS for the arms of `plan`, by what the workers told of themselves (`pictures`, of all
    methods) and by the configuration in use. Connects to nothing.

    Args:
        equalised: whether the pictures were taken after `Equaliser.apply`.
        threads: how many run an arm of `sync`, where that is settled already.
    """
    threads = threads or sync_threads(plan, pictures)
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


def changed(before: Sequence[FairnessRow], after: Sequence[FairnessRow]) -> list[FairnessRow]:
    """The rows `before` a run, with what they had become `after` it: a value that changed meanwhile reads
    `3 → 2`, and its row is not equal."""
    later = {row.key: row.values for row in after}
    return [_moved(row, later[row.key]) if later[row.key] != row.values else row for row in before]


def _moved(row: FairnessRow, later: Sequence[str]) -> FairnessRow:
    values = [was if was == now else f"{was} → {now}" for was, now in zip(row.values, later, strict=True)]
    return row.model_copy(update={"values": values, "equal": False, "done": False, "changed": True})


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
        return _each(side, value) or NO_ANSWER

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
    told = worker.pool or UNKNOWN
    return {"prefork": "processes", "thread": "threads"}.get(told, told)


def _acknowledgement(side: _Side) -> str:
    if not side.workers:
        return side.configuration.acknowledgement
    return _each(side, lambda worker: ACKNOWLEDGEMENTS.get(worker.acknowledgement or "", UNKNOWN))


def _time_limits(side: _Side) -> str:
    if not side.workers:
        return side.configuration.time_limits
    return _each(side, lambda worker: side.configuration.time_limits if _ends_jobs(worker) else NONE)


def _ends_jobs(worker: WorkerPicture) -> bool:
    """Celery ends a job in time where it has a process to itself; the consumer's pool has one kind."""
    return worker.method != "celery" or worker.pool in (None, "prefork")


def _versions(side: _Side) -> str:
    """Of the workers, and of who publishes where those are others."""
    told = {UNKNOWN if one.versions is None else listed(one.versions) for one in side.workers}
    return "; ".join(sorted(told | {side.configuration.versions})) or NONE


def _each(side: _Side, value: Callable[[WorkerPicture], str]) -> str:
    return ", ".join(sorted({value(worker) for worker in side.workers}))


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
            "confirms", "durability", "queue_type", "redelivery", "retries", "reports", "serialisation",
        )
    },
    "acknowledgement": _acknowledgement,
    "time_limits": _time_limits,
    "versions": _versions,
    "message_size": _message_size,
    "rate_limits": _of_workers(_rate_limit, NO_LIMIT),
}  # fmt: skip
