"""What one side of a run works with: the lab's own submitter, relay and control, over a wire that notes."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

from api.relay import Relay
from api.side.messages import message_json
from api.side.wire import Wire
from api.submit import Submitter, store_reports
from api.web.schemas import TaskRequest
from lab.broker import amqp
from lab.settings import Settings
from lab.status import TaskStatus
from store.letters import DeadLetters
from store.outbox import Outbox
from store.task_queries import Row
from store.tasks import Store
from store.workflows import WorkflowRows
from transports import create_transport
from transports.control import create_control
from transports.methods import CELERY

LOOK_SECONDS: Final = 0.05


@dataclass(frozen=True)
class Parts:
    """What all runs share."""

    settings: Settings
    secret: bytes
    store: Store
    outbox: Outbox
    dead_letters: DeadLetters
    workflow_rows: WorkflowRows


@dataclass
class SideOutcome:
    """What one side of a run made: ids of `tasks` in their order, of a `workflow`, what is in the body of a
    dead `letter`, the `answers` of workers; or why it came to nothing."""

    tasks: list[str] = field(default_factory=list)
    workflow: str | None = None
    letter: str | None = None
    answers: list[dict[str, Any]] = field(default_factory=list)
    error: str | None = None


Act = Callable[["SideRun"], SideOutcome]


class SideRun:
    """One side of one run, used from one thread. Tasks go the ordinary way, except that the relay that publishes
    them is this one's own; what it cannot publish it leaves to the others. A context manager."""

    def __init__(self, parts: Parts, method: str) -> None:
        self.method = method
        self.store = parts.store
        self._parts = parts
        self._exit = ExitStack()
        settings = parts.settings
        broker = settings.celery_broker_url if method == CELERY.name else settings.rmq_url
        self._wire = None
        if broker.startswith("amqp://"):
            self._wire = self._exit.enter_context(Wire(broker))
            urls = ("rmq_url", "celery_broker_url")
            changed = {name: self._wire.url for name in urls if getattr(settings, name) == broker}
            settings = settings.with_(**changed)
        self.settings = settings
        self.transport = create_transport(method, settings, store_reports(parts.store, "api"))
        self.control = create_control(method, settings)
        self.relay = Relay(parts.outbox, [self.transport], parts.secret, parts.workflow_rows)
        self.submitter = Submitter(
            settings, parts.store, self.relay, self.transport, parts.secret, parts.dead_letters
        )
        self.workflow_rows = parts.workflow_rows

    def submit(self, *, key: str | None = None, **fields: Any) -> list[Row]:
        """Stores the tasks that these fields of `POST /api/tasks` ask for; safe, whatever DELIVERY says."""
        request = TaskRequest.model_validate({"method": self.method, "delivery": "safe", **fields})
        return self.submitter.submit(request, key)

    def publish(self) -> str | None:
        """Hands what was stored to the broker, as a relay does; says what went wrong, or None."""
        trouble = self.relay.publish(self.transport)
        if trouble is not None:
            self._parts.outbox.release(self.relay.name)
        return trouble

    def wait(self, task_ids: Sequence[str], seconds: float, *, begun: bool = False) -> bool:
        """Waits until these tasks have ended, or have `begun`; False where that takes longer than `seconds`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            rows = [self.store.get(task_id) for task_id in task_ids]
            statuses = [TaskStatus(row["status"]) for row in rows if row is not None]
            if all(status.final or (begun and status is TaskStatus.IN_PROGRESS) for status in statuses):
                return True
            time.sleep(LOOK_SECONDS)
        return False

    def messages(self, outcome: SideOutcome) -> list[dict[str, Any]] | None:
        """What was published meanwhile, without messages of tasks that are not of `outcome`; None where
        nobody listened, since the broker is not spoken to in plain AMQP."""
        self.close()
        if self._wire is None:
            return None
        ours = set(outcome.tasks)
        if outcome.workflow is not None:
            ours |= {node["id"] for node in self.workflow_rows.nodes(outcome.workflow)}
        found = []
        for message in self._wire.messages:
            task_id = amqp.task_of(message.properties.get("headers"), message.properties.get("message_id"))
            if task_id is None or task_id in ours or self.store.get(task_id) is None:
                found.append(message_json(message))
        return found

    def close(self) -> None:
        """Closes its connections, so that all that was published has gone over the wire."""
        self.transport.close()
        self.control.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        self._exit.close()
