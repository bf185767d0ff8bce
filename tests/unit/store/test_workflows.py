"""How the store leads a workflow on, without broker or workers: each update is applied as a worker sends it."""

from typing import Any

import pytest
import sqlalchemy as sa

from api.services import Services
from api.workflows.schemas import WorkflowRequest
from lab.status import StatusUpdate, TaskStatus
from store.tables import outbox, tasks, workflows
from store.tasks import NewTask

Row = dict[str, Any]


class Run:
    """A workflow whose nodes are reported on by the test."""

    def __init__(self, parts: Services, pattern: str, method: str = "rabbitmq", **fields: Any) -> None:
        self.parts = parts
        request = WorkflowRequest.model_validate({"pattern": pattern, "method": method, **fields})
        self.id = parts.workflows.send(request)

    @property
    def row(self) -> Row:
        found = self.parts.workflows.rows.get(self.id)
        assert found is not None
        return found

    def nodes(self) -> dict[str, Row]:
        return {row["node"]: row for row in self.parts.workflows.rows.nodes(self.id)}

    def report(self, name: str, *statuses: TaskStatus, **fields: Any) -> None:
        task_id = self.nodes()[name]["id"]
        self.parts.store.apply(
            [StatusUpdate(task_id=task_id, status=status, **fields) for status in statuses]
        )

    def done(self, name: str, result: Any) -> None:
        self.report(name, TaskStatus.IN_PROGRESS, TaskStatus.DONE, result=result)

    def outbox(self) -> list[str]:
        """The names of the nodes that wait to be published."""
        query = (
            sa.select(tasks.c.node)
            .join(outbox, outbox.c.num == tasks.c.num)
            .where(tasks.c.workflow_id == self.id)
            .order_by(tasks.c.num)
        )
        with self.parts.store.engine.connect() as connection:
            return [str(name) for name in connection.scalars(query)]

    def publish(self) -> None:
        """Empties the outbox, as a relay does."""
        with self.parts.store.engine.begin() as connection:
            connection.execute(outbox.delete())


def test_by_hand_what_waits_for_nothing_is_published_and_with_celery_the_first(parts: Services) -> None:
    assert Run(parts, "chord", count=2).outbox() == ["download-1", "download-2"]
    assert Run(parts, "chord", "celery", count=2).outbox() == ["download-1"]
    assert Run(parts, "chain").outbox() == ["list"]


def test_a_workflow_begins_with_its_first_node_and_ends_with_its_last(parts: Services) -> None:
    run = Run(parts, "chain")
    assert run.row["status"] == "PENDING"
    run.report("list", TaskStatus.IN_PROGRESS)
    assert run.row["status"] == "IN_PROGRESS"
    for name in ("list", "download", "count"):
        run.done(name, {"of": name})
        assert run.row["status"] == "IN_PROGRESS"
    run.done("merge", {"task": "x"})
    assert (run.row["status"], run.row["result"], run.row["error"]) == ("DONE", {"task": "x"}, None)
    assert run.row["finished_us"] is not None


def test_the_body_of_a_chord_goes_out_once_with_all_results_in_their_order(parts: Services) -> None:
    run = Run(parts, "chord", count=3)
    run.publish()
    for number in (2, 3):
        run.done(f"download-{number}", {"n": number})
    assert run.outbox() == []
    run.done("download-1", {"n": 1})
    assert run.outbox() == ["write"]
    assert run.nodes()["write"]["params"] == {"files": [{"n": 1}, {"n": 2}, {"n": 3}]}
    run.publish()
    run.done("download-1", {"n": 4})
    assert run.outbox() == []


def test_all_at_once_the_body_goes_out_once_too(parts: Services) -> None:
    run = Run(parts, "chord", count=3)
    run.publish()
    updates = [
        StatusUpdate(task_id=row["id"], status=status, result=name)
        for name, row in run.nodes().items()
        if name != "write"
        for status in (TaskStatus.IN_PROGRESS, TaskStatus.DONE, TaskStatus.DONE)
    ]
    parts.store.apply(updates)
    assert run.outbox() == ["write"]


def test_with_celery_the_store_starts_nothing(parts: Services) -> None:
    run = Run(parts, "chord", "celery", count=2)
    run.publish()
    run.done("download-1", 1)
    run.done("download-2", 2)
    assert run.outbox() == []
    run.done("write", {"files": 2})
    assert run.row["status"] == "DONE"


def test_a_map_makes_a_task_of_each_item_once(parts: Services) -> None:
    run = Run(parts, "conditional_map")
    run.publish()
    paths = ["file:///a", "s3://b/c", "data:,x"]
    run.done("list", paths)
    run.report("list", TaskStatus.IN_PROGRESS, TaskStatus.DONE, result=paths)
    assert run.outbox() == ["item-1", "item-2", "item-3"]
    nodes = run.nodes()
    assert [nodes[f"item-{n}"]["kind"] for n in (1, 2, 3)] == [
        "download_file",
        "download_s3",
        "download_data",
    ]
    run.publish()
    for number in (3, 1, 2):
        run.done(f"item-{number}", {"n": number})
    assert run.outbox() == ["write"]
    assert run.nodes()["write"]["params"] == {"files": [{"n": 1}, {"n": 2}, {"n": 3}]}


def test_a_map_ends_with_its_last_item(parts: Services) -> None:
    run = Run(parts, "map")
    run.done("list", ["data:,1", "data:,2"])
    run.done("item-2", 2)
    assert run.row["status"] == "IN_PROGRESS"
    run.done("item-1", 1)
    assert (run.row["status"], run.row["result"]) == ("DONE", [1, 2])


@pytest.mark.parametrize("method", ["celery", "rabbitmq"])
def test_a_map_of_nothing_returns_an_empty_list(parts: Services, method: str) -> None:
    run = Run(parts, "map", method)
    run.done("list", [])
    if method == "celery":
        assert run.row["status"] == "IN_PROGRESS"
        run.done("map", [])
    assert (run.row["status"], run.row["result"]) == ("DONE", [])


def test_the_callback_of_a_map_of_nothing_gets_an_empty_list(parts: Services) -> None:
    run = Run(parts, "conditional_map")
    run.publish()
    run.done("list", [])
    assert run.outbox() == ["write"]
    assert run.nodes()["write"]["params"] == {"files": []}


def test_a_map_of_what_is_no_list_fails(parts: Services) -> None:
    run = Run(parts, "conditional_map")
    run.done("list", "text")
    assert (run.row["status"], run.row["error"]) == ("FAILED", "a map takes a list of at most 1000 items")
    assert run.nodes()["write"]["status"] == "CANCELLED"


def test_celery_s_map_gets_the_same_tasks_whenever_it_asks(parts: Services) -> None:
    run = Run(parts, "conditional_map", "celery")
    following = parts.workflows.following
    node = run.nodes()["map"]
    made = following.expand(node, ["data:,1", "data:,2"])
    assert [row["node"] for row in made] == ["item-1", "item-2"]
    assert [row["id"] for row in following.expand(node, ["data:,3"])] == [row["id"] for row in made]
    assert run.outbox() == ["list"]
    parts.workflows.cancel(run.id)
    assert len(following.expand(node, [])) == 2


def test_no_task_is_made_of_a_workflow_that_has_ended(parts: Services) -> None:
    run = Run(parts, "map", "celery")
    parts.workflows.cancel(run.id)
    assert parts.workflows.following.expand(run.nodes()["map"], ["data:,1"]) == []


@pytest.mark.parametrize("method", ["celery", "rabbitmq"])
def test_a_node_that_fails_ends_all_that_waits_and_stops_what_runs(parts: Services, method: str) -> None:
    run = Run(parts, "chain_group_chord", method, count=3)
    run.publish()
    run.done("list", ["data:,1"])
    run.report("download-1", TaskStatus.IN_PROGRESS)
    run.report("download-3", TaskStatus.IN_PROGRESS, TaskStatus.RETRYING)
    run.report("download-2", TaskStatus.IN_PROGRESS, TaskStatus.FAILED, error="no")
    assert (run.row["status"], run.row["error"]) == ("FAILED", "download-2 failed: no")
    nodes = run.nodes()
    told = {name: (row["status"], row["error"]) for name, row in nodes.items()}
    never = ("CANCELLED", "never run: download-2 failed")
    assert told == {
        "list": ("DONE", None),
        "download-1": ("IN_PROGRESS", None),
        "count-1": never,
        "download-2": ("FAILED", "no"),
        "count-2": never,
        "download-3": ("CANCELLED", "not run again: download-2 failed"),
        "count-3": never,
        "merge": never,
    }
    assert nodes["download-1"]["cancel_us"] is not None
    assert run.outbox() == []
    run.report("download-1", TaskStatus.DONE, result=1)
    assert run.row["status"] == "FAILED"


def test_a_node_that_failed_first_is_the_one_that_is_told(parts: Services) -> None:
    run = Run(parts, "group", count=2)
    run.report("download-2", TaskStatus.IN_PROGRESS, TaskStatus.FAILED, error="first")
    run.report("download-1", TaskStatus.IN_PROGRESS, TaskStatus.FAILED, error="second")
    assert run.row["error"] == "download-2 failed: first"


def test_cancelling_one_node_cancels_the_rest(parts: Services) -> None:
    run = Run(parts, "chord", count=2)
    parts.submitter.cancel(run.nodes()["write"]["id"])
    assert (run.row["status"], run.row["error"]) == ("CANCELLED", "write was cancelled")
    assert {row["status"] for row in run.nodes().values()} == {"CANCELLED"}


def test_a_stage_that_is_reported_late_holds_nothing_up_for_ever(parts: Services) -> None:
    run = Run(parts, "chain_group_chord", count=1)
    run.publish()
    run.done("download-1", 1)
    run.done("count-1", {"n": 1})
    assert run.outbox() == []
    run.done("list", ["data:,1"])
    assert run.outbox() == ["merge"]


def test_a_workflow_that_takes_too_long_fails(parts: Services) -> None:
    run = Run(parts, "chain")
    parts.workflows.step()
    assert run.row["status"] == "PENDING"
    with parts.store.engine.begin() as connection:
        connection.execute(workflows.update().values(deadline_us=1))
    parts.workflows.step()
    assert (run.row["status"], run.row["error"]) == ("FAILED", "it did not end within 24 hours")
    assert run.nodes()["list"]["error"] == "never run: it did not end within 24 hours"


def test_tasks_without_a_workflow_are_left_alone(parts: Services) -> None:
    run = Run(parts, "chain")
    before = run.row
    rows = parts.store.add(NewTask("rabbitmq", "process_task", {"timeout": 0.0}, 0.0)).rows
    parts.store.apply([StatusUpdate(task_id=rows[0]["id"], status=TaskStatus.FAILED)])
    assert run.row == before
