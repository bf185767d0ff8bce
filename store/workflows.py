"""Workflows in the store: what it knows of them, and what it does when a task of one has moved.

Both methods: a node that fails or is cancelled ends the workflow, the last one that is done completes it. By
hand, the store also does what Celery's chord and map do: messages alone can neither wait for each other nor be
counted.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, Protocol

import sqlalchemy as sa

from lab.clock import now_us
from lab.job import Job
from lab.plan import PlanStage, Step, WorkflowPlan
from lab.status import StatusUpdate, TaskStatus
from store.engine import take_turn, writing
from store.tables import outbox, samples, tasks, workflows
from store.task_queries import Row, TaskSets
from store.tasks import NewTask, Store

STEP_SECONDS: Final = 600.0

Errand = Callable[[], object]


def new_task(step: Step, method: str, *, waits: bool) -> NewTask:
    """The task of a workflow's step."""
    return NewTask(method, step.kind, step.params, time_limit=STEP_SECONDS, node=step.name, waits=waits)


class WorkflowRows(TaskSets):
    """The table of workflows, and the tasks that are their nodes."""

    nodes = TaskSets.tasks

    def __init__(self, engine: sa.Engine) -> None:
        super().__init__(engine, workflows, tasks.c.workflow_id)

    def overdue(self, now: int) -> list[str]:
        """The ids of workflows whose time is over and that have not ended."""
        open_ = (TaskStatus.PENDING.value, TaskStatus.IN_PROGRESS.value)
        query = sa.select(workflows.c.id).where(workflows.c.status.in_(open_), workflows.c.deadline_us < now)
        with self._engine.connect() as connection:
            return list(connection.scalars(query))

    def is_earlier(self, earlier_id: str, task_id: str) -> bool:
        """Whether both tasks are nodes of one workflow, and the first one is done."""
        earlier, later = tasks.alias(), tasks.alias()
        query = sa.select(earlier.c.num).where(
            later.c.id == task_id,
            earlier.c.id == earlier_id,
            earlier.c.workflow_id == later.c.workflow_id,
            earlier.c.id != later.c.id,
            earlier.c.status == TaskStatus.DONE.value,
        )
        with self._engine.connect() as connection:
            return connection.execute(query).first() is not None

    def paths(self) -> list[str]:
        """The paths in the table of samples."""
        with self._engine.connect() as connection:
            return list(connection.scalars(sa.select(samples.c.path).order_by(samples.c.num)))


class Tells(Protocol):
    """Who is told of what follows once it is committed: the API's relay."""

    def wake(self, method: str) -> None: ...
    def cancel(self, method: str, task_id: str) -> None: ...
    def give_up(self, method: str, task_ids: Iterable[str]) -> None: ...


class Workflows:
    """Leads workflows on; `relay` publishes what comes to be due, and tells workers what to stop."""

    def __init__(self, store: Store, relay: Tells) -> None:
        self._store = store
        self._relay = relay

    def follow(self, connection: sa.Connection, moved: Sequence[Row], now: int) -> list[Errand]:
        """Goes on from tasks whose status has moved; see `store.task_updates.Follower`."""
        errands: list[Errand] = []
        rows = sorted(moved, key=itemgetter("workflow_id", "num"))
        for workflow_id, nodes in groupby(rows, key=itemgetter("workflow_id")):
            workflow = self._open(connection, workflow_id)
            if workflow is not None:
                errands += self._lead(connection, workflow, list(nodes), now)
        return errands

    def cancel(self, workflow_id: str, status: TaskStatus, error: str) -> bool:
        """Ends a workflow as `status`, for the reason `error`; False where it has ended, or there is none."""
        now = now_us()
        with writing(self._store.engine) as connection:
            take_turn(connection)
            workflow = self._open(connection, workflow_id)
            if workflow is None:
                return False
            errands = self._end(connection, workflow, status, error, None, now)
        for errand in errands:
            errand()
        return True

    def expand(self, node: Row, items: list[Any]) -> list[Row]:
        """The tasks that the map `node` makes of `items`: made now, or before, when it asked first. None
        are made of a workflow that has ended.

        Raises:
            ValueError: the list is too long.
        """
        now = now_us()
        with writing(self._store.engine) as connection:
            take_turn(connection)
            query = sa.select(workflows.c.plan).where(workflows.c.id == node["workflow_id"])
            plan = WorkflowPlan.model_validate(connection.execute(query).scalar_one())
            nodes = self._nodes(connection, node["workflow_id"])
            made = [row for row in nodes if plan.stage_of(row["node"]) == plan.made_at]
            workflow = self._open(connection, node["workflow_id"])
            each = plan.stages[plan.made_at].each
            if made or workflow is None or each is None or not items:
                return made
            return self._insert(connection, workflow, each.steps(items), now, waits=True)

    def _open(self, connection: sa.Connection, workflow_id: str) -> Row | None:
        query = sa.select(workflows).where(workflows.c.id == workflow_id, workflows.c.finished_us.is_(None))
        row = connection.execute(query).mappings().first()
        return None if row is None else dict(row)

    def _lead(self, connection: sa.Connection, workflow: Row, nodes: list[Row], now: int) -> list[Errand]:
        for node in nodes:
            name, status = node["node"], TaskStatus(node["status"])
            if status is TaskStatus.FAILED:
                error = f"{name} failed: {node['error'] or 'no reason given'}"
                return self._end(connection, workflow, status, error, name, now)
            if status is TaskStatus.CANCELLED:
                return self._end(connection, workflow, status, f"{name} was cancelled", name, now)
        if workflow["status"] == TaskStatus.PENDING:
            self._set(connection, workflow, status=TaskStatus.IN_PROGRESS.value)
        done = [node for node in nodes if node["status"] == TaskStatus.DONE]
        if not done:
            return []
        plan = WorkflowPlan.model_validate(workflow["plan"])
        left, reached = self._left(connection, workflow), max(plan.stage_of(node["node"]) for node in done)
        # The stages come one after the other: one is complete when nothing but the later ones is left. It may
        # be a later one than this node's, where that was reported late.
        complete = [place for place in range(reached, len(plan.stages)) if left == plan.nodes_after(place)]
        return self._complete(connection, workflow, plan, complete[0], now) if complete else []

    def _complete(
        self, connection: sa.Connection, workflow: Row, plan: WorkflowPlan, place: int, now: int
    ) -> list[Errand]:
        """Goes on from a stage whose nodes are all done."""
        if place + 1 == len(plan.stages):
            result = self._results(connection, workflow, plan, place)
            self._set(connection, workflow, status=TaskStatus.DONE.value, result=result, finished_us=now)
            return []
        if workflow["method"] == "celery":
            following = plan.stages[place + 1]
            # A map of nothing makes no nodes that could complete their stage.
            ends = following.each is not None and place + 2 == len(plan.stages)
            return self._complete(connection, workflow, plan, place + 1, now) if ends else []
        return self._start(connection, workflow, plan, place + 1, now)

    def _start(
        self, connection: sa.Connection, workflow: Row, plan: WorkflowPlan, place: int, now: int
    ) -> list[Errand]:
        """By hand: begins the stage at `place`, where no routing slip does it."""
        stage, before = plan.stages[place], plan.stages[place - 1]
        wake: list[Errand] = [partial(self._relay.wake, workflow["method"])]
        if stage.each is not None:
            try:
                steps = stage.each.steps(self._results(connection, workflow, plan, place - 1))
            except ValueError as error:
                return self._end(connection, workflow, TaskStatus.FAILED, str(error), None, now)
            if not steps:
                return self._complete(connection, workflow, plan, place, now)
            self._insert(connection, workflow, steps, now, waits=False)
            return wake
        if before.parallel:
            self._join(connection, workflow, stage, self._results(connection, workflow, plan, place - 1))
            return wake
        return []

    def _join(self, connection: sa.Connection, workflow: Row, stage: PlanStage, results: list[Any]) -> None:
        """Puts the one node of `stage` into the outbox, with all results as its input."""
        here = sa.and_(tasks.c.workflow_id == workflow["id"], tasks.c.node == stage.branches[0][0])
        row = connection.execute(
            sa.select(tasks.c.num, tasks.c.id, tasks.c.kind, tasks.c.params, tasks.c.method).where(here)
        ).one()
        job = Job(task_id=row.id, num=row.num, kind=row.kind, params=row.params).with_input(results)
        connection.execute(tasks.update().where(here).values(params=job.params))
        connection.execute(outbox.insert().values(num=row.num, method=row.method, lease_until_us=0))

    def _end(
        self,
        connection: sa.Connection,
        workflow: Row,
        status: TaskStatus,
        error: str,
        culprit: str | None,
        now: int,
    ) -> list[Errand]:
        """Ends the workflow before its time: what waits will never run, what runs is told to stop."""
        nodes = self._nodes(connection, workflow["id"])
        left = [row for row in nodes if not TaskStatus(row["status"]).final]
        running = [row for row in left if row["status"] == TaskStatus.IN_PROGRESS]
        waiting = [row for row in left if row["status"] != TaskStatus.IN_PROGRESS]
        why = (
            f"{culprit} {'failed' if status is TaskStatus.FAILED else 'was cancelled'}" if culprit else error
        )
        self._store.take(
            connection,
            [
                StatusUpdate(
                    task_id=row["id"],
                    status=TaskStatus.CANCELLED,
                    attempt=max(1, row["attempt"]),
                    error=f"{'not run again' if row['attempt'] else 'never run'}: {why}",
                )
                for row in waiting
            ],
            now,
        )
        self._store.mark_cancelled(connection, running, now)
        connection.execute(outbox.delete().where(outbox.c.num.in_([row["num"] for row in waiting])))
        self._set(connection, workflow, status=status.value, error=error[:2000], finished_us=now)
        method = workflow["method"]
        errands: list[Errand] = [partial(self._relay.cancel, method, row["id"]) for row in running]
        # A message that is still to come says itself that it will not be run; these, and what follows them in
        # their branches, may have none any more.
        silent = ended = {row["node"] for row in running} | ({culprit} if culprit else set())
        with suppress(ValueError):  # a plan that cannot be read has nothing behind them
            plan = WorkflowPlan.model_validate(workflow["plan"])
            silent = ended.union(*(plan.behind(name) for name in ended))
        theirs = [row["id"] for row in nodes if row["node"] in silent]
        return [*errands, partial(self._relay.give_up, method, theirs)]

    def _insert(
        self, connection: sa.Connection, workflow: Row, steps: Sequence[Step], now: int, *, waits: bool
    ) -> list[Row]:
        first = self._store.next(connection, "num", len(steps))
        news = [new_task(step, workflow["method"], waits=waits) for step in steps]
        return self._store.insert(connection, news, first, now, relay="", workflow_id=workflow["id"])

    def _nodes(self, connection: sa.Connection, workflow_id: str) -> list[Row]:
        query = sa.select(tasks).where(tasks.c.workflow_id == workflow_id).order_by(tasks.c.num)
        return [dict(row) for row in connection.execute(query).mappings()]

    def _left(self, connection: sa.Connection, workflow: Row) -> int:
        mine = sa.and_(tasks.c.workflow_id == workflow["id"], tasks.c.status != TaskStatus.DONE.value)
        query = sa.select(sa.func.count()).select_from(tasks).where(mine)
        return connection.execute(query).scalar_one()

    def _results(self, connection: sa.Connection, workflow: Row, plan: WorkflowPlan, place: int) -> Any:
        """What the stage at `place` returned: a list where it is parallel."""
        query = (
            sa.select(tasks.c.node, tasks.c.result)
            .where(tasks.c.workflow_id == workflow["id"])
            .order_by(tasks.c.num)
        )
        found = {row.node: row.result for row in connection.execute(query)}
        made = [name for name in found if plan.stage_of(name) == place]
        results = [found[branch[-1]] for branch in plan.branches(place, made)]
        return results if plan.stages[place].parallel else results[0]

    def _set(self, connection: sa.Connection, workflow: Row, **values: Any) -> None:
        connection.execute(workflows.update().where(workflows.c.id == workflow["id"]).values(values))
