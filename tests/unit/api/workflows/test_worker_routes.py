"""What the steps ask of the API, and what each task's token opens."""

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from api.services import Services
from lab.status import StatusUpdate, TaskStatus
from lab.token import sign


def send(client: FlaskClient, pattern: str, method: str = "celery") -> dict[str, dict[str, Any]]:
    told = client.post("/api/workflows", json={"pattern": pattern, "method": method}).json
    return {node["name"]: node for node in told["nodes"]}


def token(parts: Services, node: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {sign(parts.secret, node['id'])}"}


def done(parts: Services, node: dict[str, Any]) -> None:
    with parts.image_files.incoming() as file:
        file.write(b"made")
        file.flush()
        parts.image_files.replace(Path(file.name), node["id"], "result")
    update = StatusUpdate(task_id=node["id"], status=TaskStatus.DONE)
    parts.store.apply([update])


def test_a_step_fetches_what_an_earlier_one_of_its_workflow_made(
    client: FlaskClient, parts: Services
) -> None:
    nodes = send(client, "chain")
    url = f"/api/tasks/{nodes['count']['id']}/files/{nodes['download']['id']}"
    assert client.get(url, headers=token(parts, nodes["count"])).status_code == 403  # it is not done
    done(parts, nodes["download"])
    with client.get(url, headers=token(parts, nodes["count"])) as answer:
        assert (answer.status_code, answer.data) == (200, b"made")
    assert client.get(url).status_code == 403
    assert client.get(url, headers=token(parts, nodes["merge"])).status_code == 403


def test_a_token_opens_no_file_of_another_workflow(client: FlaskClient, parts: Services) -> None:
    mine, other = send(client, "chain"), send(client, "chain")
    done(parts, other["download"])
    url = f"/api/tasks/{mine['count']['id']}/files/{other['download']['id']}"
    assert client.get(url, headers=token(parts, mine["count"])).status_code == 403


def test_a_step_that_made_no_file_has_none(client: FlaskClient, parts: Services) -> None:
    nodes = send(client, "chain")
    parts.store.apply([StatusUpdate(task_id=nodes["list"]["id"], status=TaskStatus.DONE)])
    url = f"/api/tasks/{nodes['count']['id']}/files/{nodes['list']['id']}"
    assert client.get(url, headers=token(parts, nodes["count"])).status_code == 404


def test_the_table_of_samples_is_told_to_whoever_has_a_task(client: FlaskClient, parts: Services) -> None:
    node = send(client, "chain")["list"]
    url = f"/api/tasks/{node['id']}/paths"
    told = client.post(url, json={"table": "samples"}, headers=token(parts, node))
    assert told.json["paths"] == parts.workflows.rows.paths()
    assert len(told.json["paths"]) == 6
    assert client.post(url, json={"table": "samples"}).status_code == 403
    assert client.post(url, json={"table": "tasks"}, headers=token(parts, node)).status_code == 422


def test_a_map_is_given_its_tasks_with_their_tokens(client: FlaskClient, parts: Services) -> None:
    node = send(client, "map")["map"]
    url = f"/api/tasks/{node['id']}/nodes"
    items = {"items": ["data:,1", "data:,2"]}
    made = client.post(url, json=items, headers=token(parts, node)).json["nodes"]
    assert [one["node"] for one in made] == ["item-1", "item-2"]
    for one in made:
        assert one["job"]["token"] == sign(parts.secret, one["job"]["task_id"])
    assert client.post(url, json=items, headers=token(parts, node)).json["nodes"] == made
    assert client.post(url, json=items).status_code == 403


@pytest.mark.parametrize("name", ["list", "write"])
def test_only_a_map_makes_tasks(client: FlaskClient, parts: Services, name: str) -> None:
    node = send(client, "conditional_map")[name]
    url = f"/api/tasks/{node['id']}/nodes"
    assert client.post(url, json={"items": ["x"]}, headers=token(parts, node)).status_code == 404


def test_a_list_that_is_too_long_is_refused(client: FlaskClient, parts: Services) -> None:
    node = send(client, "map")["map"]
    url = f"/api/tasks/{node['id']}/nodes"
    answer = client.post(url, json={"items": ["x"] * 1001}, headers=token(parts, node))
    assert answer.status_code == 422
