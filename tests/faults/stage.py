"""Where a fault test plays: a lab with its own virtual host, its ledger, and one transport under test."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit

import pika
from pika.adapters.blocking_connection import BlockingChannel

from harness import faults
from harness.lab import Lab
from harness.ledger import LabLedger, LedgerVerdict
from harness.node import RabbitNode
from harness.processes import ManagedProcess
from lab.broker import amqp
from tests.vhosts import depths

JOB_SECONDS = (0.05, 0.1, 0.15, 0.2, 0.3)
QUEUES = {
    ("celery", "safe"): "celery",
    ("rabbitmq", "safe"): "tasks",
    ("celery", "naive"): "celery.naive",
    ("rabbitmq", "naive"): "tasks.naive",
}


class Stage:
    """One lab on `node`, whose tasks all go by `method` in the mode `delivery`.

    Args:
        vhost: the node's virtual host for this test alone; made before.
        url: the lab's RMQ_URL, led through a proxy or not.
    """

    def __init__(
        self, lab: Lab, node: RabbitNode, method: str, vhost: str, url: str, delivery: str = "safe"
    ) -> None:
        self.lab, self.node, self.method, self.vhost, self.url = lab, node, method, vhost, url
        self.delivery = delivery
        self.ledger = LabLedger(lab)

    @property
    def queue(self) -> str:
        """The broker's queue that the tasks go through."""
        return QUEUES[self.method, self.delivery]

    def worker(self, name: str = "one", concurrency: int = 3) -> ManagedProcess:
        """A worker of the method, consuming."""
        start = self.lab.start_celery if self.method == "celery" else self.lab.start_consumer
        return start(concurrency, name)

    def submit(self, count: int = 100, seconds: Sequence[float] = JOB_SECONDS, **fields: object) -> list[str]:
        """Enters `count` tasks of `seconds`, in equal parts, into the ledger."""
        if self.delivery != "safe":
            fields["delivery"] = self.delivery
        ids = []
        for timeout in seconds:
            ids += self.ledger.submit(self.method, timeout, count // len(seconds), **fields)
        return ids

    def counts(self) -> dict[str, int]:
        """How many tasks stand at each status."""
        answer = self.lab.session.get(f"{self.lab.url}/api/tasks", params={"limit": 1}, timeout=30)
        answer.raise_for_status()
        return dict(answer.json()["counts"])

    def wait_until(self, true: Callable[[dict[str, int]], bool], timeout: float = 60.0) -> None:
        """Waits until `true` holds for the counts; fails after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while not true(counts := self.counts()):
            assert time.monotonic() < deadline, counts
            time.sleep(0.02)

    def wait_until_done(self, least: int, timeout: float = 60.0) -> None:
        """Waits until `least` tasks are DONE and another one runs: the middle of the work."""
        self.wait_until(
            lambda counts: counts.get("DONE", 0) >= least and bool(counts.get("IN_PROGRESS")), timeout
        )

    def wait_until_published(self, timeout: float = 60.0) -> None:
        """Waits until the broker has confirmed all tasks of the ledger."""
        deadline = time.monotonic() + timeout
        for task_id in self.ledger.ids:
            while self.lab.task(task_id)["published_at"] is None:
                assert time.monotonic() < deadline, f"{task_id} is not published"
                time.sleep(0.1)

    def ready(self) -> int:
        """The messages of the queue that are not handed out."""
        with self.channel() as channel:
            return int(channel.queue_declare(self.queue, passive=True).method.message_count)

    def wait_until_empty(self, timeout: float = 60.0) -> None:
        """Waits until the queue holds no message, handed out or not: whatever might run has run."""
        deadline = time.monotonic() + timeout
        # The management API is told of a classic queue seconds later.
        ask = depths if self.delivery == "safe" else faults.queue_depths
        while depth := ask(self.node, self.vhost).get(self.queue, 0):
            assert time.monotonic() < deadline, f"{depth} messages are left in {self.queue}"
            time.sleep(0.1)

    def verdict(self, timeout: float = 60.0, quiet: float = 60.0) -> LedgerVerdict:
        """The ledger's verdict once all is quiet, the broker's queue included."""
        self.ledger.settle(timeout, quiet)
        self.wait_until_empty()
        return self.ledger.verdict()

    def assert_nothing_lost(self, timeout: float = 60.0) -> LedgerVerdict:
        """Fails unless every task is DONE once and all messages are settled."""
        verdict = self.verdict(timeout)
        assert verdict.clean, str(verdict)
        assert not verdict.failed, str(verdict)
        assert not verdict.cancelled, str(verdict)
        return verdict

    def dead_letters(self) -> list[dict[str, object]]:
        """The dead letters as the API lists them."""
        answer = self.lab.session.get(f"{self.lab.url}/api/dead-letters", timeout=30)
        answer.raise_for_status()
        return list(answer.json()["dead_letters"])

    @contextmanager
    def channel(self) -> Iterator[BlockingChannel]:
        """A channel of a connection of its own, straight to the broker."""
        parameters = amqp.parameters(f"{self.node.url.rstrip('/')}/{self.vhost}", "fault test")
        with pika.BlockingConnection(parameters) as connection:
            yield connection.channel()


MakeStage = Callable[..., Stage]


def host_and_port(url: str) -> tuple[str, int]:
    """Host and port of an AMQP or HTTP URL."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port
