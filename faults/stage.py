"""The disposable lab of one run: a broker node, an API, a store and two workers of each contender."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pika
from pika.adapters.blocking_connection import BlockingChannel

from faults.document import FaultPlan, Said
from faults.judge import JobRun, Ledger
from harness.faults import queue_depths
from harness.lab import ROOT, Lab, celery_worker, consumer
from harness.node import RabbitNode
from harness.processes import ManagedProcess, ProcessError, tail
from harness.proxy import TcpProxy
from harness.servers import PostgresNode
from lab.broker import amqp
from lab.delivery import Delivery
from transports.methods import CELERY, METHODS, N_

WORKERS: Final = 2
CONCURRENCY: Final = 2
READY_SECONDS: Final = 90.0
GRACE_SECONDS: Final = 25.0
OWN_GRACE: Final = 0.4
"""The share of the grace period before SIGKILL that a worker itself gives its jobs. Celery needs the rest: when a
process of its pool is told to end it sleeps a second, the pool is waited for, and Python takes its time to end."""
CELERY_READY: Final = b"ready."
CONSUMER_READY: Final = b"waiting for tasks"
CHANNEL_TICK_MS: Final = 1_000
QUORUM_TICK_MS: Final = 500
NOWHERE_SECONDS: Final = "5"


class FaultRunCancelled(Exception):
    """The run was told to end before its time."""


class ArmStand:
    """One contender on the stage: its queue and its workers."""

    def __init__(self, arm: str) -> None:
        self.arm = arm
        self.method, _, delivery = arm.partition(":")
        self.delivery = Delivery(delivery)
        self.queue = self.delivery.queue(str(METHODS[self.method].queue))
        self.workers: list[ManagedProcess] = []

    @property
    def is_celery(self) -> bool:
        """Whether its workers are Celery's."""
        return self.method == CELERY.name


class Stage:
    """Everything that a run of `plan` starts lies in `folder` and is started by `open`; who ends it is
    `faults.guard`.

    Args:
        cancelled: set when the run is to end; then `pause` raises FaultRunCancelled, and nothing is undone any more,
            since all of it goes.

    Attributes:
        shutdowns: what each worker does on SIGTERM, in its makers' words, by its name.
    """

    def __init__(self, plan: FaultPlan, folder: Path, cancelled: threading.Event) -> None:
        self.plan = plan
        self.cancelled = cancelled
        self.rng = random.Random(plan.seed)
        self.struck: list[Said] = []
        self.shutdowns: dict[str, str] = {}
        self.arms = [ArmStand(arm) for arm in plan.arms]
        self.ledger = Ledger(folder / "ledger")
        self.node = RabbitNode(folder / "rmq")
        self.proxy: TcpProxy | None = None
        self.postgres: PostgresNode | None = None
        self._folder = folder
        self._ending = False
        self._lock = threading.Lock()

    def open(self, *, through_proxy: bool, on_postgres: bool, consumer_timeout: float | None) -> None:
        """Starts all of it; returns when the workers consume.

        Raises:
            NodeError, ProcessError, RuntimeError: a part did not start, or is not installed.
        """
        self.ledger.folder.mkdir(parents=True)
        self._configure_node(consumer_timeout)
        self.node.start()
        url = self.node.url
        if through_proxy:
            parts = urlsplit(url)
            self.proxy = TcpProxy(str(parts.hostname), int(parts.port or 0)).start()
            url = self.proxy.url(url)
        if on_postgres:
            self.postgres = PostgresNode(self._folder / "postgres")
            self.postgres.start()
        self.lab = Lab(
            self._folder / "lab",
            url,
            database_url=self.postgres.url if self.postgres else None,
            management_url=self.node.management_url,
            env={
                "LAB_LOG_LANGUAGE": "en",
                "LAB_NOWHERE_SECONDS": NOWHERE_SECONDS,
                "TMPDIR": str(self._folder),
            },
        )
        self.lab.start_api()
        for stand in self.arms:
            stand.workers = [self._worker(stand, number) for number in range(1, WORKERS + 1)]
            for worker in stand.workers:
                worker.start()
        for stand in self.arms:
            for worker in stand.workers:
                self.wait_ready(stand, worker)
        threading.Thread(target=self._supervise, name="supervisor", daemon=True).start()

    def _configure_node(self, consumer_timeout: float | None) -> None:
        # Beyond the file's settings: queues tell their depth, and channels look for late acknowledgements, more often.
        values = {"quorum_tick_interval": QUORUM_TICK_MS, "channel_tick_interval": CHANNEL_TICK_MS}
        if consumer_timeout is not None:
            values["consumer_timeout"] = round(consumer_timeout * 1000)
        listed = ", ".join(f"{{{name}, {value}}}" for name, value in values.items())
        (self.node.base / "advanced.config").write_text(f"[{{rabbit, [{listed}]}}].\n")

    def _worker(self, stand: ArmStand, number: int) -> ManagedProcess:
        name = f"{stand.arm.replace(':', '-')}-{number}"
        env = self.lab.env | {
            "DELIVERY": stand.delivery.value,
            "LAB_LEDGER": str(self.ledger.folder / f"{name}.jsonl"),
        }
        deploy = self.plan.card == "deploy"
        grace = self.plan.strength * OWN_GRACE if deploy else GRACE_SECONDS
        safe = stand.delivery is Delivery.SAFE
        if not stand.is_celery:
            shutdown = N_("gives back what it holds") if safe else N_("waits for its job")
            command = consumer(CONCURRENCY, name, grace if safe else GRACE_SECONDS)
        elif deploy and safe:
            # As Celery's documentation advises for orchestrators; with a time of 0 the shutdown is the cold one.
            env["REMAP_SIGTERM"] = "SIGQUIT"
            soft = grace if number == 1 else 0.0
            shutdown = N_("soft shutdown") if soft else N_("cold shutdown")
            command = celery_worker(CONCURRENCY, name, worker_soft_shutdown_timeout=soft)
        else:
            shutdown = N_("warm shutdown")
            command = celery_worker(CONCURRENCY, name)
        self.shutdowns[name] = shutdown
        return ManagedProcess(command, log=self._folder / "lab" / "log" / f"{name}.log", env=env, cwd=ROOT)

    def wait_ready(self, stand: ArmStand, worker: ManagedProcess) -> None:
        """Waits until a worker that was started consumes; one that ended meanwhile is started again. Raises
        ProcessError after a minute and a half, FaultRunCancelled."""
        wanted = CELERY_READY if stand.is_celery else CONSUMER_READY
        processes = CONCURRENCY if not stand.is_celery and stand.delivery is Delivery.NAIVE else 1

        def ready() -> bool:
            self._start_if_ended(stand, worker)
            return worker.new_log().count(wanted) >= processes

        if not self.wait_until(ready, READY_SECONDS):
            raise ProcessError(f"{worker.log.stem} does not consume:\n{tail(worker.log, 30)}")

    def _start_if_ended(self, stand: ArmStand, worker: ManagedProcess) -> None:
        with self._lock:
            wanted = worker in stand.workers and not self._ending and not self.cancelled.is_set()
            if wanted and not worker.running:
                worker.start()

    def _supervise(self) -> None:
        """Starts a worker again that has ended, as a supervisor does: about a second later."""
        while not self.cancelled.wait(1.0) and not self._ending:
            for stand in self.arms:
                for worker in list(stand.workers):
                    self._start_if_ended(stand, worker)

    @contextmanager
    def unsupervised(self) -> Iterator[None]:
        """In the body no worker is started by anybody else."""
        with self._lock:
            yield

    def retire(self, stand: ArmStand, worker: ManagedProcess) -> None:
        """Takes a worker that has ended off the stage: nobody starts it again."""
        stand.workers.remove(worker)

    def end_workers(self) -> None:
        """SIGKILL to all workers, for good."""
        with self._lock:
            self._ending = True
            for stand in self.arms:
                for worker in stand.workers:
                    worker.kill_group()

    # What strikes use

    def say(self, msgid: str, **values: str | float) -> None:
        """Enters into the document what was struck, `values` in the places of `msgid`."""
        self.struck.append(Said(msgid=msgid, values=values))

    def pause(self, seconds: float) -> None:
        """Waits; raises FaultRunCancelled as soon as the run is to end."""
        if self.cancelled.wait(seconds):
            raise FaultRunCancelled

    def wait_until(self, true: Callable[[], bool], seconds: float) -> bool:
        """Waits for `true`, at most `seconds`; says whether it came. Raises FaultRunCancelled."""
        deadline = time.monotonic() + seconds
        while not (found := true()) and time.monotonic() < deadline:
            self.pause(0.05)
        return found

    @contextmanager
    def undone_by(self, undo: Callable[[], object]) -> Iterator[None]:
        """Calls `undo` after the body, however that ended; not when the run is cancelled, since all of it goes."""
        try:
            yield
        finally:
            if not self.cancelled.is_set():
                undo()

    def running_on(self, worker: ManagedProcess, seconds: float = 5.0) -> JobRun | None:
        """A run that `worker` is in the middle of, waited for; None where none came."""
        self.wait_until(lambda: bool(self._held(worker)), seconds)
        return next(iter(sorted(self._held(worker), key=lambda run: -run.begin)), None)

    def has_begun(self, worker: ManagedProcess, most: float, least: float = 0.0) -> bool:
        """Whether `worker` runs a job that it has begun `least` to `most` seconds ago."""
        return any(least <= time.monotonic() - run.begin < most for run in self._held(worker))

    def _held(self, worker: ManagedProcess) -> list[JobRun]:
        self.ledger.look()
        runs = (run for of_job in list(self.ledger.runs.values()) for run in of_job)
        return [run for run in runs if run.worker == worker.log.stem and run.end is None]

    @contextmanager
    def channel(self) -> Iterator[BlockingChannel]:
        """A channel straight to the broker."""
        with pika.BlockingConnection(amqp.parameters(self.node.url, "fault lab")) as connection:
            yield connection.channel()

    def messages(self) -> Mapping[str, int]:
        """The messages in each queue, those that are out with a consumer included."""
        return queue_depths(self.node)

    def drained(self) -> dict[str, list[str]]:
        """Takes all messages out of all queues; returns the ids that they carry, by queue. For the very end."""
        found: dict[str, list[str]] = {}
        for name in self.messages():
            found[name] = []
            with suppress(*amqp.ERRORS), self.channel() as channel:
                while True:
                    method, properties, _ = channel.basic_get(name, auto_ack=True)
                    if method is None:
                        break
                    found[name].append(str(amqp.task_of(properties.headers, properties.message_id)))
        return found

    def ask(self, path: str, **parameters: Any) -> dict[str, Any]:
        """What the API answers to a GET; raises requests.RequestException."""
        answer = self.lab.session.get(f"{self.lab.url}/{path}", params=parameters, timeout=30)
        answer.raise_for_status()
        told: dict[str, Any] = answer.json()
        return told
