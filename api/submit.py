"""Taking a task: store it, and have it run by its method."""

import socket
from collections.abc import Iterable, Sequence
from typing import Any, Final

from pydantic_core import to_json

from api.relay import Relay, job_of
from api.tasks.receive import BrokerAway, QueueGone, ReceiveRefused, receive_one, republish
from api.web.schemas import Invalid, TaskRequest
from lab.job import Job
from lab.jobs.context import Report
from lab.logs import JobLog
from lab.settings import Settings
from lab.status import StatusUpdate, TaskStatus, UpdateAnswer
from store.bulk import BulkRows
from store.followers import follows
from store.letters import DeadLetters
from store.tasks import Cancellation, NewGroup, NewTask, Row, Store, again
from transports import ReportFor, Transport, transport_class
from transports.methods import QUEUES

MOST_BYTES: Final = 16_000_000

__all__ = ["BrokerAway", "QueueGone", "ReceiveRefused", "Submitter", "store_reports"]


def store_reports(store: Store, worker: str) -> ReportFor:
    """Report functions for jobs that run inside the API: straight into the store, by the same rules."""

    def report_for(job: Job, attempt: int) -> Report:
        def report(status: TaskStatus, **told: Any) -> UpdateAnswer:
            update = StatusUpdate(task_id=job.task_id, status=status, attempt=attempt, worker=worker, **told)
            return store.apply([update])[0]

        return report

    return report_for


class Submitter:
    """Accepts tasks for every method."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        relay: Relay,
        sync: Transport,
        secret: bytes,
        dead_letters: DeadLetters,
    ) -> None:
        self._settings = settings
        self._store = store
        self._relay = relay
        self._sync = sync
        self._secret = secret
        self._dead_letters = dead_letters

    def submit(self, request: TaskRequest, key: str | None = None) -> list[Row]:
        """Stores the tasks that `request` asks for and returns their rows: PENDING with a broker's
        method, whatever they came to with a method that runs in the request.

        Args:
            key: an Idempotency-Key; a request that comes again under it does nothing new.

        Raises:
            Invalid: the seconds or the bytes asked of one request are too many.
            store.tasks.KeyReused: `key` came before with another request.
        """
        news = self.check(request)
        return self._add(news, request.count, key)

    def check(self, request: TaskRequest) -> list[NewTask]:
        """The tasks that `request` asks for, of which nothing is stored.

        Raises:
            Invalid: as `submit` does.
        """
        if transport_class(request.method).in_request:
            seconds, bound = (request.timeout or 0.0) * request.count, self._settings.sync_max_seconds
            if seconds > bound:
                message = f"one request may take {bound:g} seconds in all, this asks for {seconds:g}"
                fault = {"field": "timeout", "message": message, "code": "total_seconds", "bound": bound}
                raise Invalid([fault])
        news = request.new_tasks(self._settings.delivery)
        size = sum(len(to_json(new.params)) for new in news) * request.count
        if size > MOST_BYTES:
            message = f"one request may ask for {MOST_BYTES} bytes of parameters in all, this asks for {size}"
            fault = {"field": "count", "message": message, "code": "total_bytes", "bound": MOST_BYTES}
            raise Invalid([fault])
        return news

    def submit_group(self, group: NewGroup, news: Sequence[NewTask], key: str | None = None) -> list[Row]:
        """Stores the tasks `news`, all of one method with a broker, as `group`, and returns their rows.

        Raises:
            store.tasks.KeyReused: `key` came before with another request.
        """
        added = self._store.add(news, relay=self._relay.name, key=key, group=group)
        self._relay.wake(news[0].method)
        return added.rows

    def _add(self, news: Sequence[NewTask], count: int, key: str | None) -> list[Row]:
        method = news[0].method
        in_request = transport_class(method).in_request
        added = self._store.add(news, count, relay=None if in_request else self._relay.name, key=key)
        if not in_request:
            self._relay.wake(method)
            return [row for row in added.rows if not follows(row)]
        if added.anew:
            self._sync.submit([job_of(row, self._secret) for row in added.rows])
        return [self._store.get(row["id"]) or row for row in added.rows]

    def cancel(self, task_id: str) -> tuple[Row, bool] | None:
        """Has the task cancelled: at once where it has not begun, by its worker where it runs. Returns its
        row and whether its status allowed it, or None where there is no such task."""
        found = self.cancel_all([task_id]).get(task_id)
        return None if found is None else (found.row, not found.before.final)

    def cancel_all(self, task_ids: Iterable[str]) -> dict[str, Cancellation]:
        """Has these tasks cancelled, as `cancel` does with one; ids that name no task are left out."""
        answers = self._store.request_cancel(task_ids)
        for answer in answers.values():
            method = answer.row["method"]
            if not answer.before.final and not transport_class(method).in_request:
                self._relay.cancel(method, answer.row["id"])
        return answers

    def retry(self, task_id: str) -> tuple[Row, bool] | None:
        """Submits a task that FAILED or was CANCELLED again, as one new task that names it, however often it is
        asked for. Returns the new row and True, the old one and False where its status forbids it or it is a step
        of a workflow, None if there is none."""
        row = self._store.get(task_id)
        if row is None:
            return None
        if row["status"] not in (TaskStatus.FAILED, TaskStatus.CANCELLED) or row["workflow_id"]:
            return row, False
        return self._add(again(row), 1, f"retry:{task_id}")[0], True

    def retry_all(self, nums: Sequence[int]) -> list[int]:
        """Submits those of these tasks again that `retry` would, that were not sent again before, and that a broker
        carries: a request runs one at most. Returns the numbers of the new tasks, without those that follow them."""
        made = BulkRows(self._store).retry(nums, list(QUEUES), self._relay.name)
        for method in {row["method"] for row in made}:
            self._relay.wake(method)
        return [row["num"] for row in made if not follows(row)]

    def requeue(self, letter_id: int) -> bool:
        """Sends a dead letter again, and forgets it; False if there is none, or somebody else does so.

        Raises:
            BrokerAway: the letter is of no known task, and the broker does not take it.
            QueueGone: so it is, and the queue that it came from is gone.
        """
        letter = self._dead_letters.get(letter_id)
        if letter is None or not self._dead_letters.claim(letter_id):
            return False
        try:
            sent = self.retry(letter["task_id"]) if letter["task_known"] else None
            if sent is None or not sent[1]:
                republish(self._settings.rmq_url, letter["queue"], letter["body"], letter["properties"])
        except BaseException:
            self._dead_letters.give_back(letter_id)
            raise
        return self._dead_letters.discard(letter_id, claimed=True)

    def receive(self) -> Row | None:
        """Takes one message off the hand-written transport's queue, runs it here and acknowledges it.

        Returns the task's row as it then stands, or None where the queue was empty.

        Raises:
            BrokerAway: the broker does not answer.
            ReceiveRefused: the message stays in the queue: it is too long for a request, or no job.
        """
        worker = f"api@{socket.gethostname()}"
        received = receive_one(
            self._settings,
            store_reports(self._store, worker),
            JobLog("RabbitMQ basic.get", self._settings.log_language),
        )
        return None if received is None else self._store.get(received.task_id)
