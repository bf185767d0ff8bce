"""Sending and cancelling workflows."""

import uuid
from typing import Final

from api.background import BackgroundThread
from api.relay import Relay
from api.workflows.patterns import build
from api.workflows.schemas import WorkflowRequest
from lab.clock import now_us
from lab.settings import Settings
from lab.status import TaskStatus
from store.task_queries import Row
from store.tasks import NewWorkflow, Store
from store.workflows import WorkflowRows, Workflows, new_task
from transports.celery.canvas import NO_CHORDS
from transports.methods import CELERY

LOOK_SECONDS: Final = 10.0
# Celery's chain and group pass no results from one process to another's chord.
WITHOUT_CHORDS: Final = ("chain", "group")


class NoChords(Exception):
    """Celery's result backend can do none of what this pattern needs."""


class WorkflowService(BackgroundThread):
    """Workflows, by either transport. Their nodes are tasks like all others. The thread ends what is
    overdue."""

    def __init__(self, settings: Settings, store: Store, relay: Relay, rows: WorkflowRows) -> None:
        super().__init__("overdue workflows", LOOK_SECONDS)
        self._settings = settings
        self._store = store
        self._relay = relay
        self.rows = rows
        self.following = Workflows(store, relay)

    def send(self, request: WorkflowRequest, key: str | None = None) -> str:
        """Stores the workflow that `request` asks for, and returns its id.

        Args:
            key: an Idempotency-Key; a request that comes again under it does nothing new.

        Raises:
            NoChords: RESULT_BACKEND cannot do the pattern.
            api.web.schemas.Invalid: a field does not go with the pattern.
            store.tasks.KeyReused: `key` came before with another request.
        """
        method, source = request.method, request.source.named()
        backend = self._settings.result_backend
        if method == CELERY.name and request.pattern not in WITHOUT_CHORDS and backend.startswith(NO_CHORDS):
            raise NoChords(backend.partition("//")[0] + "//")
        paths = source.get("paths") or (self.rows.paths() if "table" in source else None)
        plan, steps = build(request.pattern, method, source, paths, request.count, request.fail_at)
        # Celery is given the whole canvas with its first node; by hand each node that waits for nothing is.
        begin = [branch[0] for branch in plan.stages[0].branches]
        begin = begin[:1] if method == CELERY.name else begin
        news = [new_task(step, method, waits=step.name not in begin) for step in steps]
        workflow = NewWorkflow(
            str(uuid.uuid4()),
            request.pattern,
            request.model_dump(mode="json", exclude_none=True),
            plan.model_dump(mode="json", exclude_defaults=True),
            now_us() + int(self._settings.workflow_hours * 3_600_000_000),
        )
        added = self._store.add(news, relay=self._relay.name, key=key, workflow=workflow)
        self._relay.wake(method)
        workflow_id: str = added.rows[0]["workflow_id"]
        return workflow_id

    def cancel(self, workflow_id: str) -> bool:
        """Has the workflow cancelled; False where it has ended, or there is none."""
        return self.following.cancel(workflow_id, TaskStatus.CANCELLED, "the workflow was cancelled")

    def map_node(self, task_id: str) -> Row | None:
        """The task with this id, where it is a map of a workflow that makes tasks of a list."""
        row = self._store.get(task_id)
        return row if row is not None and row["workflow_id"] and row["kind"] == "dmap" else None

    def step(self) -> None:
        """Ends the workflows whose time is over."""
        for workflow_id in self.rows.overdue(now_us()):
            error = f"it did not end within {self._settings.workflow_hours:g} hours"
            self.following.cancel(workflow_id, TaskStatus.FAILED, error)
