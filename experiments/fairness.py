"""What differs between the arms of a plan, beside what is to be compared."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from experiments.broker import DEFAULT_TIMEOUT, Broker
from experiments.fairness_workers import (
    BESIDE_API,
    IN_STEP,
    NO_LIMIT,
    UNKNOWN,
    clock_of,
    consumer_class_of,
    heartbeat_of,
    host_of,
    pool_class_of,
    pool_of,
    rate_limit_of,
    told,
)
from experiments.model import FairnessRow
from experiments.plan import Arm, Plan, Reports
from experiments.worker_code import worker_lines
from lab.delivery import Delivery
from lab.settings import Settings
from transports.configuration import ACKNOWLEDGEMENTS, NONE, REPORTS, Configuration, listed
from transports.control import CONTROLS, WorkerPicture, create_control
from transports.methods import CELERY, QUEUES

SYNC_THREADS: Final = 3
NO_ANSWER: Final = "no worker answers"
UNKNOWN_BROKER: Final = Broker()
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
UNTOLD: Final = replace(
    NO_BROKER,
    acknowledgement=UNKNOWN,
    confirms=UNKNOWN,
    durability=UNKNOWN,
    queue_type=UNKNOWN,
    redelivery=UNKNOWN,
    retries=UNKNOWN,
    time_limits=UNKNOWN,
    serialisation=UNKNOWN,
)
"""Of a method whose workers nobody can ask."""

BESIDE: Final = "stamped where the job runs, sent in the background"
ONE_BY_ONE: Final = "one by one"

EQUALISED: Final = ("concurrency", "prefetch")
KEYS: Final = (
    "workers", "hosts", "clock", "concurrency", "pool", "pool_class", "consumer_class", "code_lines", "prefetch",
    "connections", "acknowledgement", "confirms", "durability", "queue_type", "redelivery", "consumer_timeout",
    "broker_version", "retries", "time_limits", "rate_limits", "reports", "results", "events", "heartbeat",
    "log_level", "serialisation", "message_size", "versions",
)  # fmt: skip
"""The rows, in their order."""


@dataclass(frozen=True)
class _Side:
    """One arm: its workers, its configuration, the threads where it has no workers, its broker where that is
    RabbitMQ, and whether its reports travel beside its path."""

    arm: Arm
    workers: tuple[WorkerPicture, ...]
    configuration: Configuration
    threads: int
    broker: Broker | None
    beside: bool

    @property
    def in_request(self) -> bool:
        return self.arm.method not in QUEUES


def fairness_of(
    plan: Plan,
    pictures: Sequence[WorkerPicture],
    settings: Settings,
    *,
    broker: Broker = UNKNOWN_BROKER,
    equalised: bool = False,
    threads: int | None = None,
) -> list[FairnessRow]:
    """The rows KEYS for the arms of `plan`, by what the workers told of themselves (`pictures`, of all
    methods) and by the configuration in use. Connects to nothing.

    Args:
        broker: what is known of RabbitMQ.
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
        sides.append(
            _Side(
                arm,
                tuple(workers_of(arm, pictures)),
                known.get(at, UNTOLD if arm.method in QUEUES else NO_BROKER),
                threads,
                _broker_of(arm, settings, broker),
                plan.reports is Reports.BESIDE,
            )
        )
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
    known = [now if was == UNKNOWN else was for was, now in zip(row.values, later, strict=True)]
    if known == list(later):  # what was not known before has not changed
        return row.model_copy(update={"values": known, "equal": len(set(known)) == 1})
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


def _broker_of(arm: Arm, settings: Settings, broker: Broker) -> Broker | None:
    over_another = arm.method == CELERY.name and not settings.celery_on_rabbitmq
    return None if over_another or arm.method not in QUEUES else broker


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


def _connections(side: _Side) -> str:
    return NONE if side.in_request else _total([one.connections for one in side.workers])


def _code_lines(side: _Side) -> str:
    return str(worker_lines(side.arm.method, side.arm.delivery)) if not side.in_request else NONE


def _confirms(side: _Side) -> str:
    if side.beside and not side.in_request and side.arm.delivery is Delivery.SAFE:
        return ONE_BY_ONE
    return side.configuration.confirms


def _reports(side: _Side) -> str:
    return BESIDE if side.beside else side.configuration.reports


def _consumer_timeout(side: _Side) -> str:
    if side.broker is None:
        return NONE
    seconds = side.broker.consumer_timeout
    if seconds is None:
        return UNKNOWN
    unlike = "" if seconds == DEFAULT_TIMEOUT else f"; RabbitMQ's default: {DEFAULT_TIMEOUT} seconds"
    return f"{seconds} seconds{unlike}"


def _broker_version(side: _Side) -> str:
    if side.in_request:
        return NONE
    version = side.broker.version if side.broker else None
    return f"RabbitMQ {version}" if version else UNKNOWN


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
    return worker.method != CELERY.name or worker.pool in (None, "prefork")


def _versions(side: _Side) -> str:
    """Of the workers, and of who publishes where those are others."""
    told = {UNKNOWN if one.versions is None else listed(one.versions) for one in side.workers}
    return "; ".join(sorted(told | {side.configuration.versions})) or NONE


def _each(side: _Side, value: Callable[[WorkerPicture], str]) -> str:
    return ", ".join(sorted({value(worker) for worker in side.workers}))


def _message_size(side: _Side) -> str:
    return NONE if side.in_request else f"{side.configuration.message_bytes} bytes"


def _configured(name: str) -> Callable[[_Side], str]:
    return lambda side: str(getattr(side.configuration, name)) or NONE


_VALUES: Final[Mapping[str, Callable[[_Side], str]]] = {
    "workers": _count,
    "concurrency": _concurrency,
    "pool": _of_workers(pool_of, "threads"),
    "prefetch": _prefetch,
    **{
        key: _configured(key)
        for key in (
            "durability", "queue_type", "redelivery", "retries", "serialisation",
        )
    },
    "hosts": _of_workers(host_of, BESIDE_API),
    "clock": _of_workers(clock_of, IN_STEP),
    "pool_class": _of_workers(pool_class_of, NONE),
    "consumer_class": _of_workers(consumer_class_of, NONE),
    "code_lines": _code_lines,
    "connections": _connections,
    "confirms": _confirms,
    "reports": _reports,
    "consumer_timeout": _consumer_timeout,
    "broker_version": _broker_version,
    "results": _of_workers(told("results"), NONE),
    "events": _of_workers(told("events"), NONE),
    "log_level": _of_workers(told("log_level"), NONE),
    "heartbeat": _of_workers(heartbeat_of, NONE),
    "acknowledgement": _acknowledgement,
    "time_limits": _time_limits,
    "versions": _versions,
    "message_size": _message_size,
    "rate_limits": _of_workers(rate_limit_of, NO_LIMIT),
}  # fmt: skip
