"""Rows that somebody wrote into the store by hand: each fails by itself, and nothing else notices."""

from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from api.relay import Relay
from api.services import Services
from experiments.plan import Arm, Plan
from store.experiments import conclude
from store.letters import Letter
from store.tables import dead_letters, experiments, task_events, task_groups, tasks, workflows
from store.tasks import NewTask
from tests.unit.api.test_relay import Double
from tests.unit.api.test_values import assert_all_is_well

DOUBLE = NewTask("double", "process_task", {"timeout": 5.0}, 5.0)
ODD: dict[str, dict[str, Any]] = {
    "a time before 1970": {"options": {"not_before_us": -62_135_596_800_000_000}},
    "a time of a number that is none": {"options": {"expires_us": 2**63}},
    "options that are a number": {"options": 5},
    "a follower that is none": {"options": {"callback": {"id": 5}}},
    "a priority of text": {"options": {"priority": "high"}},
    "a delivery that there is not": {"delivery": "pigeon"},
}
UNSHOWABLE: dict[str, dict[str, Any]] = {
    "a creation before all years": {"created_us": -(2**62)},
    "an end after all years": {"finished_us": 2**62, "started_us": 2**62 - 1},
    "parameters that are a number": {"params": 5},
}


def change(parts: Services, num: int, values: dict[str, Any]) -> None:
    with parts.store.engine.begin() as connection:
        connection.execute(tasks.update().where(tasks.c.num == num).values(values))


@pytest.mark.parametrize("values", ODD.values(), ids=ODD)
def test_a_row_that_cannot_be_sent_fails_alone(
    client: FlaskClient, parts: Services, values: dict[str, Any]
) -> None:
    transport = Double()
    relay = Relay(parts.outbox, [transport], parts.secret)
    odd, *others = parts.store.add(DOUBLE, 3, relay=relay.name).rows
    change(parts, odd["num"], values)
    assert relay.publish(transport) is None
    assert [job.task_id for job in transport.got] == [row["id"] for row in others]
    assert parts.outbox.waiting() == 0
    row = parts.store.get(odd["id"])
    assert row is not None
    assert (row["status"], bool(row["error"])) == ("FAILED", True)
    assert_all_is_well(client, parts)
    assert client.get(f"/tasks/{odd['id']}").status_code == 200


@pytest.mark.parametrize("values", [*ODD.values(), *UNSHOWABLE.values()], ids=[*ODD, *UNSHOWABLE])
def test_a_row_that_cannot_be_read_takes_no_list_down(
    client: FlaskClient, parts: Services, values: dict[str, Any]
) -> None:
    odd, other = parts.store.add(NewTask("celery", "process_task", {"timeout": 5.0}, 5.0), 2).rows
    change(parts, odd["num"], values)
    shown = client.get("/api/tasks").json["tasks"]
    assert [task["id"] for task in shown] == [other["id"], odd["id"]]
    assert_all_is_well(client, parts)
    for path in (f"/api/tasks/{odd['id']}", f"/tasks/{odd['id']}"):
        assert client.get(path).status_code == 200


def test_a_column_that_holds_no_json_takes_no_list_down(client: FlaskClient, parts: Services) -> None:
    if parts.store.engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL takes nothing but JSON there")
    transport = Double()
    relay = Relay(parts.outbox, [transport], parts.secret)
    odd, other = parts.store.add(DOUBLE, 2, relay=relay.name).rows
    with parts.store.engine.begin() as connection:
        broken = sa.text("UPDATE tasks SET options = '{', params = '[', result = 'NaN,' WHERE num = :num")
        connection.execute(broken, {"num": odd["num"]})
    assert_all_is_well(client, parts)
    assert relay.publish(transport) is None
    assert other["id"] in [job.task_id for job in transport.got]
    assert parts.outbox.waiting() == 0
    assert client.get(f"/tasks/{odd['id']}").status_code == 200


def test_a_workflow_that_cannot_be_sent_fails_alone(client: FlaskClient, parts: Services) -> None:
    body = {"method": "rabbitmq", "pattern": "chain"}
    first, second = (client.post("/api/workflows", json=body).json["id"] for _ in range(2))
    with parts.store.engine.begin() as connection:
        connection.execute(workflows.update().where(workflows.c.id == first).values(plan={"stages": 5}))
        connection.execute(sa.text("UPDATE outbox SET lease_until_us = 0"))
    transport = Rabbit()
    relay = Relay(parts.outbox, [transport], parts.secret, parts.workflows.rows)
    assert relay.publish(transport) is None
    assert parts.outbox.waiting() == 0
    assert len(transport.got) == 1
    for path in ("/workflows", "/api/workflows", f"/workflows/{second}"):
        assert client.get(path).status_code == 200


def test_a_step_whose_workflow_is_not_there_fails(client: FlaskClient, parts: Services) -> None:
    client.post("/api/workflows", json={"method": "rabbitmq", "pattern": "chain"})
    with parts.store.engine.begin() as connection:
        connection.execute(tasks.update().values(workflow_id="gone"))
        connection.execute(sa.text("UPDATE outbox SET lease_until_us = 0"))
    transport = Rabbit()
    assert Relay(parts.outbox, [transport], parts.secret, parts.workflows.rows).publish(transport) is None
    assert parts.outbox.waiting() == 0
    assert "FAILED" in [task["status"] for task in client.get("/api/tasks").json["tasks"]]


class Rabbit(Double):
    """The same, in the place of the hand-written transport."""

    name = "rabbitmq"

    def submit_workflow(self, plan: Any, jobs: Any, starts: Any) -> Any:
        return self.submit([jobs[name] for name in starts])


ELSEWHERE: dict[str, tuple[sa.Table, dict[str, Any]]] = {
    "a plan that is a number": (workflows, {"plan": 5}),
    "a pattern that there is not": (workflows, {"pattern": "odd"}),
    "an experiment's plan": (experiments, {"plan": 5}),
    "an experiment's setting": (experiments, {"setting": 5}),
    "an experiment's times": (experiments, {"created_us": 2**62}),
    "an operation that is a number": (task_groups, {"operation": 5}),
    "properties that are a number": (dead_letters, {"properties": 5, "at_us": -(2**62)}),
    "an event of another age": (task_events, {"at_us": 2**62, "recorded_us": -(2**62)}),
}


@pytest.mark.parametrize(("table", "values"), ELSEWHERE.values(), ids=ELSEWHERE)
def test_no_row_of_another_table_takes_a_list_down(
    client: FlaskClient, parts: Services, table: sa.Table, values: dict[str, Any]
) -> None:
    client.post("/api/tasks", json={"method": "celery", "timeout": 1})
    client.post("/api/workflows", json={"method": "rabbitmq", "pattern": "chain"})
    client.post("/process_images", json={"images": ["a"]})
    parts.experiments.rows.add(Plan(arms=[Arm(method="sync")], jobs=5))
    parts.dead_letters.keep(Letter("celery", "rejected", None, b"{}", {"headers": {}}))
    with parts.store.engine.begin() as connection:
        assert connection.execute(table.update().values(values)).rowcount
    assert_all_is_well(client, parts)


def test_an_experiment_that_cannot_be_read_fails_and_the_next_one_has_its_turn(parts: Services) -> None:
    rows, plan = parts.experiments.rows, Plan(arms=[Arm(method="sync")], jobs=5)
    odd, other = rows.add(plan), rows.add(plan)
    assert rows.claim() == odd
    with parts.store.engine.begin() as connection:
        connection.execute(experiments.update().where(experiments.c.id == odd).values(plan=5))
    assert conclude(rows, odd, "FAILED", "gone")
    rows.release(odd)
    assert rows.claim() == other
