"""Taking a task: store it, and have it run by its method."""

import socket
from typing import Any

from api.receive import BrokerAway, ReceiveRefused, receive_one
from api.relay import Relay, job_of
from api.schemas import Invalid, TaskRequest
from api.store import Row, Store
from lab.job import Job, Report
from lab.logs import JobLog
from lab.settings import Settings
from lab.status import StatusUpdate, TaskStatus, Verdict
from transports import ReportFor, Transport, transport_class

__all__ = ["BrokerAway", "ReceiveRefused", "Submitter", "store_reports"]


def store_reports(store: Store, worker: str, attempt: int = 1) -> ReportFor:
    """Report functions for jobs that run inside the API: straight into the store, by the same rules."""

    def report_for(job: Job) -> Report:
        def report(
            status: TaskStatus,
            *,
            progress: float | None = None,
            result: Any = None,
            error: str | None = None,
        ) -> Verdict:
            update = StatusUpdate(
                task_id=job.task_id,
                status=status,
                attempt=attempt,
                worker=worker,
                progress=progress,
                result=result,
                error=error,
            )
            return store.apply([update])[0]

        return report

    return report_for


class Submitter:
    """Accepts tasks for every method."""

    def __init__(
        self, settings: Settings, store: Store, relay: Relay, sync: Transport, secret: bytes
    ) -> None:
        self._settings = settings
        self._store = store
        self._relay = relay
        self._sync = sync
        self._secret = secret

    def submit(self, request: TaskRequest, key: str | None = None) -> list[Row]:
        """Stores the tasks that `request` asks for and returns their rows: PENDING with a broker's
        method, whatever they came to with a method that runs in the request.

        Args:
            key: an Idempotency-Key; a request that comes again under it does nothing new.

        Raises:
            Invalid: the seconds asked of one request are too many.
            api.store.KeyReused: `key` came before with another request.
        """
        in_request = transport_class(request.method).in_request
        if in_request:
            self._check_seconds((request.timeout or 0.0) * request.count)
        added = self._store.add(
            request.new_task(), request.count, relay=None if in_request else self._relay.name, key=key
        )
        if not in_request:
            self._relay.wake(request.method)
            return added.rows
        if added.anew:
            self._sync.submit([job_of(row, self._secret) for row in added.rows])
        return [self._store.get(row["id"]) or row for row in added.rows]

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
            lambda attempt: store_reports(self._store, worker, attempt),
            JobLog("RabbitMQ basic.get", self._settings.log_language),
        )
        return None if received is None else self._store.get(received.task_id)

    def _check_seconds(self, seconds: float) -> None:
        bound = self._settings.sync_max_seconds
        if seconds > bound:
            raise Invalid(
                [
                    {
                        "field": "timeout",
                        "message": f"one request may take {bound:g} seconds in all, this asks for {seconds:g}",
                        "code": "total_seconds",
                        "bound": bound,
                    }
                ]
            )
