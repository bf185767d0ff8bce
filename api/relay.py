"""The relay: hands what waits in the outbox to the broker, never in a request's own thread."""

import logging
import os
import queue
import random
import secrets
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError

from lab.delivery import Delivery
from lab.job import Job, error_text, trusted_job
from lab.plan import WorkflowPlan
from lab.token import sign
from store import followers
from store.options import travelling
from store.outbox import Outbox
from store.workflows import WorkflowRows
from transports import Submission, Transport

BATCH: Final = Transport.batch
AHEAD: Final = 1  # batches that the broker is confirming while the next one is fetched
PASS: Final = 8  # batches, after which cancellations have their turn
IDLE_SECONDS: Final = 1.0
LONGEST_WAIT_SECONDS: Final = 5.0

_DELIVERIES: Final = frozenset(Delivery)

logger = logging.getLogger(__name__)


def job_of(row: Mapping[str, Any], secret: bytes) -> Job:
    """The job that the task in `row` asks for, with its callback token."""
    task_id = row["id"]
    fields: dict[str, Any] = {
        "task_id": task_id,
        "num": row["num"],
        "kind": row["kind"],
        "params": row["params"],
        "token": sign(secret, task_id),
        # One that is sent again goes alone: Celery would take it for the whole group.
        "group_id": None if row["published_us"] else row["group_id"],
    }
    if row["attempt"]:  # its message was lost after a worker had begun it
        fields["attempt"] = row["attempt"] + 1
    for name in ("max_retries", "time_limit"):
        if row[name] is not None:
            fields[name] = row[name]
    if options := row["options"]:
        fields["options"] = travelling(options)
        fields["link"] = followers.job_of(options.get("callback"), secret)
        fields["link_error"] = followers.job_of(options.get("errback"), secret)
    return trusted_job(**fields)


class Relay:
    """One thread for each transport, so that a broker that is away holds up nobody else.

    A message is published at least once: when the process dies between the broker's confirm and the
    outbox's commit, the next relay publishes it again, and the store sees to it that this is harmless.
    """

    def __init__(
        self,
        outbox: Outbox,
        transports: Sequence[Transport],
        secret: bytes,
        workflows: WorkflowRows | None = None,
        batch: int = BATCH,
    ) -> None:
        self._batch = batch
        self.name = f"{socket.gethostname()[:40]}:{os.getpid()}:{secrets.token_hex(4)}"
        self._outbox = outbox
        self._secret = secret
        self._workflows = workflows
        self._transports = transports
        self._wakes = {transport.name: threading.Event() for transport in transports}
        self._cancellations: dict[str, queue.SimpleQueue[str]] = {
            transport.name: queue.SimpleQueue() for transport in transports
        }
        self._lost: dict[str, queue.SimpleQueue[str]] = {
            transport.name: queue.SimpleQueue() for transport in transports
        }
        self._ending = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Starts the threads."""
        for transport in self._transports:
            thread = threading.Thread(
                target=self._run, args=(transport,), name=f"relay {transport.name}", daemon=True
            )
            thread.start()
            self._threads.append(thread)

    def wake(self, method: str) -> None:
        """Says that tasks of `method` were committed to the outbox."""
        self._wakes[method].set()

    def cancel(self, method: str, task_id: str) -> None:
        """Has the workers of `method` told that the task is to be cancelled."""
        self._cancellations[method].put(task_id)
        self.wake(method)

    def give_up(self, method: str, task_ids: Iterable[str]) -> None:
        """Tells the transport of `method` that these nodes of a workflow will return nothing."""
        for task_id in task_ids:
            self._lost[method].put(task_id)
        self.wake(method)

    def stop(self, seconds: float = 5.0) -> None:
        """Ends the threads and releases what they hold for other relays."""
        self._ending.set()
        for wake in self._wakes.values():
            wake.set()
        for thread in self._threads:
            thread.join(seconds)
        if self._threads:
            try:
                self._outbox.release(self.name)
            except SQLAlchemyError as error:
                logger.warning("outbox not released, its lease runs out by itself: %s", error)
        self._threads.clear()

    def publish(self, transport: Transport) -> str | None:
        """Publishes what waits, in batches; returns what went wrong, or None. While the broker confirms one
        batch, the next is fetched and sent.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the store does not answer.
        """
        under_way: deque[Callable[[], str | None]] = deque()
        trouble, after, batch = None, 0, min(self._batch, transport.batch)
        try:
            for _ in range(PASS):
                rows = self._outbox.claim(self.name, transport.name, batch, after)
                if rows:
                    after = rows[-1]["num"]
                    under_way.extend(self._begin(transport, rows))
                while len(under_way) > AHEAD:
                    trouble = under_way.popleft()() or trouble
                if trouble or len(rows) < batch or self._ending.is_set():
                    break
            else:
                self.wake(transport.name)
        finally:
            while under_way:
                trouble = under_way.popleft()() or trouble
        return trouble

    def _begin(
        self, transport: Transport, rows: Sequence[Mapping[str, Any]]
    ) -> Iterator[Callable[[], str | None]]:
        """Hands `rows` over; what it gives waits for the broker to have them, and returns what went wrong."""
        nums = {row["id"]: row["num"] for row in rows}
        odd = [row for row in rows if row["delivery"] not in _DELIVERIES]
        self._outbox.give_up({row["id"]: f"there is no delivery {row['delivery']!r}" for row in odd})
        for delivery in Delivery:
            alike = [row for row in rows if row["delivery"] == delivery and not row["workflow_id"]]
            if alike:
                yield partial(self._confirm, transport.begin(self._jobs(alike), delivery), nums)
        trouble = self._publish_workflows(transport, [row for row in rows if row["workflow_id"]])
        if trouble:
            yield lambda: trouble

    def _jobs(self, rows: Sequence[Mapping[str, Any]]) -> list[Job]:
        """The jobs that `rows` ask for. A task whose row makes none fails alone: it would stop those behind it."""
        jobs: list[Job] = []
        unsendable: dict[str, str] = {}
        for row in rows:
            try:
                jobs.append(job_of(row, self._secret))
            except Exception as error:
                unsendable[row["id"]] = error_text(error)
        self._outbox.give_up(unsendable)
        return jobs

    def _confirm(self, submission_of: Callable[[], Submission], nums: Mapping[str, int]) -> str | None:
        return self._finish(submission_of(), nums)

    def _finish(self, submission: Submission, nums: Mapping[str, int]) -> str | None:
        self._outbox.published({nums[task_id]: at for task_id, at in submission.confirmed.items()})
        self._outbox.give_up(submission.unsendable)
        return submission.error

    def _publish_workflows(self, transport: Transport, rows: Sequence[Mapping[str, Any]]) -> str | None:
        trouble = None
        for workflow_id, some in groupby(rows, key=itemgetter("workflow_id")):
            workflow, starts = self._workflows.get(workflow_id) if self._workflows else None, list(some)
            if self._workflows is None:
                continue
            nums = {row["id"]: row["num"] for row in starts}
            if workflow is None:
                self._outbox.give_up(dict.fromkeys(nums, "its workflow is not in the store"))
                continue
            try:
                jobs = {row["node"]: job_of(row, self._secret) for row in self._workflows.nodes(workflow_id)}
                names = [name for name, job in jobs.items() if job.task_id in nums]
                sent = transport.submit_workflow(WorkflowPlan.model_validate(workflow["plan"]), jobs, names)
            except (ValueError, TypeError, LookupError) as error:
                sent = Submission(unsendable=dict.fromkeys(nums, error_text(error)))
            trouble = self._finish(sent, nums) or trouble
        return trouble

    def _run(self, transport: Transport) -> None:
        wake, wait, trouble = self._wakes[transport.name], 0.2, False
        while not self._ending.is_set():
            wake.clear()
            self._tell_cancellations(transport)
            try:
                error = self.publish(transport)
            except SQLAlchemyError as problem:
                error = f"the store does not answer: {problem}"
            except Exception as problem:
                logger.exception("relay for %s", transport.name)
                error = str(problem)
            if error is not None:
                if not trouble:
                    logger.warning("tasks for %s wait: %s", transport.name, error)
                trouble = True
                self._ending.wait(wait * random.uniform(0.5, 1.5))
                wait = min(wait * 2, LONGEST_WAIT_SECONDS)
                continue
            if trouble:
                logger.warning("tasks for %s go out again", transport.name)
            wait, trouble = 0.2, False
            if not wake.wait(IDLE_SECONDS):
                transport.keep_alive()
        transport.close()

    def _tell_cancellations(self, transport: Transport) -> None:
        if task_ids := _all_of(self._cancellations[transport.name]):
            transport.cancel(task_ids)
        if task_ids := _all_of(self._lost[transport.name]):
            transport.give_up(task_ids)


def _all_of(waiting: queue.SimpleQueue[str]) -> list[str]:
    found = []
    while not waiting.empty():
        found.append(waiting.get())
    return found
