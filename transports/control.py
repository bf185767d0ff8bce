"""What the control page asks of a method's workers, and has them do."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from importlib import import_module
from typing import ClassVar, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from lab.delivery import Delivery
from lab.settings import Settings
from transports.configuration import Configuration
from transports.methods import METHODS

CONTROLS: Final[dict[str, str]] = {
    name: method.control for name, method in METHODS.items() if method.control is not None
}


class ControlError(Exception):
    """The broker that leads to the workers does not answer."""


class ActiveTask(BaseModel):
    """A task that a worker runs, and since when (ISO 8601)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    kind: str
    num: int | None = None
    since: str | None = None


class WorkerPicture(BaseModel):
    """One worker at one moment; what cannot be known of it is None.

    Attributes:
        prefetch: how many messages the broker sends it ahead of their acknowledgement, those that run
            included; 0 for as many as there are.
        pool: what its jobs run in: the consumer's `threads`, Celery's `prefork`, `thread`, `solo` and others.
        pool_class, consumer_class: module and class of what runs its jobs and of what consumes, as loaded.
        changed_by_lab: what of the stock worker the lab has changed, "pool" or "consumer"; empty for nothing.
        acknowledgement: when it acknowledges a message: `after_job`, `at_begin` of the job, or `on_delivery`.
        versions: of the libraries that it runs with, by package.
        log_level: from which level on it logs, such as `INFO`.
        heartbeat: seconds between two heartbeats of its connection to the broker; 0 for none.
        events, results: which events it sends, and where it writes results.
        connections: how many connections to the broker it holds.
        reserved: messages that it holds and has not begun.
        scheduled: messages that it holds for later: for a rate limit, or a time that they carry.
        done: runs that have ended since it started, however they ended.
        clock_offset: seconds by which its clock is ahead of the API's, negative where it is behind.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    method: str
    name: str
    pid: int | None = None
    started_at: str | None = None
    delivery: str | None = None
    concurrency: int | None = None
    prefetch: int | None = None
    pool: str | None = None
    pool_class: str | None = None
    consumer_class: str | None = None
    changed_by_lab: tuple[str, ...] | None = None
    acknowledgement: str | None = None
    versions: dict[str, str] | None = None
    log_level: str | None = None
    heartbeat: int | None = None
    events: str | None = None
    results: str | None = None
    connections: int | None = None
    active: tuple[ActiveTask, ...] | None = None
    reserved: int | None = None
    scheduled: int | None = None
    done: int | None = None
    kinds: tuple[str, ...] | None = None
    rate_limits: dict[str, str] | None = None
    clock_offset: float | None = None


class WorkerUsage(BaseModel):
    """What one worker has used since it started; what cannot be known of it is None.

    Attributes:
        cpu_seconds: user and system, of all its processes.
        memory: bytes that its processes hold together (PSS).
        bytes_in, bytes_out: of its connections to the broker.
        begun: tasks that it has begun.
        clock_offset: as of `WorkerPicture`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    pid: int | None = None
    delivery: str | None = None
    begun: int | None = None
    clock_offset: float | None = None
    cpu_seconds: float | None = None
    memory: int | None = None
    bytes_in: int | None = None
    bytes_out: int | None = None


@dataclass(frozen=True)
class Reply:
    """What one worker said to an order: `error` is why it did not obey, `seconds` how long it took."""

    worker: str
    seconds: float
    error: str | None = None


class Control(ABC):
    """The workers of one method. Constructing it connects nothing; used from one thread at a time.

    `timeout` is how many seconds are waited for answers: nobody knows how many workers there are. An
    order to one worker, by its name, ends with its answer. All methods raise ControlError where the
    broker is away; the next call connects again.

    Attributes:
        name, label: as the transport's.
    """

    name: ClassVar[str]
    label: ClassVar[str]

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @abstractmethod
    def pictures(self, timeout: float = 1.0) -> list[WorkerPicture]:
        """All workers that answer, by one broadcast."""

    @abstractmethod
    def usage(self, *, enough: int | None = None, timeout: float = 1.0) -> list[WorkerUsage]:
        """What all workers have used, by one broadcast that ends early when `enough` have answered."""

    @abstractmethod
    def ping(self, timeout: float = 1.0) -> list[Reply]:
        """Asks all workers whether they are there."""

    @abstractmethod
    def grow(self, worker: str, n: int, timeout: float = 2.0) -> list[Reply]:
        """Has `worker` run `n` more jobs at once."""

    @abstractmethod
    def shrink(self, worker: str, n: int, timeout: float = 2.0) -> list[Reply]:
        """Has `worker` run `n` fewer jobs at once, never fewer than one."""

    @abstractmethod
    def rate_limit(
        self, kind: str, rate: str, worker: str | None = None, timeout: float = 1.0
    ) -> list[Reply]:
        """Limits how often a worker, or each of them, begins jobs of `kind`: `10/m`; `0` lifts it."""

    @abstractmethod
    def configuration(self, delivery: Delivery) -> Configuration:
        """How the method handles messages in the mode `delivery`; asks nobody."""

    def close(self) -> None:  # noqa: B027 - most keep nothing between two questions
        """Gives back what it holds; it may be used again afterwards."""


def create_control(name: str, settings: Settings) -> Control:
    """The control of method `name`; KeyError where it has none."""
    module, _, attribute = CONTROLS[name].partition(":")
    made: Control = getattr(import_module(module), attribute)(settings)
    return made


def read_usage(name: str, told: dict[str, object]) -> WorkerUsage:
    """What the worker `name` told that it used; no more than that it is there where that makes no sense."""
    try:
        return WorkerUsage.model_validate({**told, "name": name})
    except ValidationError:
        return WorkerUsage(name=name)


def read_picture(method: str, name: str, told: dict[str, object]) -> WorkerPicture:
    """What the worker `name` told of itself; no more than that it is there where that makes no sense."""
    try:
        return WorkerPicture.model_validate({**told, "method": method, "name": name})
    except ValidationError:
        return WorkerPicture(method=method, name=name)
