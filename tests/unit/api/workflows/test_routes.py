"""The JSON API of workflows: what it takes, what it refuses, what it tells."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from api import LabAPI
from api.services import Services
from api.workflows.schemas import PATTERNS
from lab.plan import WorkflowPlan
from lab.status import StatusUpdate, TaskStatus


def send(client: FlaskClient, **fields: Any) -> Any:
    body = {"pattern": "chain", "method": "rabbitmq", **fields}
    return client.post("/api/workflows", json=body)


@pytest.mark.parametrize("method", ["celery", "rabbitmq"])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_pattern_and_method_are_enough(client: FlaskClient, pattern: str, method: str) -> None:
    answer = send(client, pattern=pattern, method=method)
    assert answer.status_code == 202
    told = answer.json
    assert (told["pattern"], told["method"], told["status"]) == (pattern, method, "PENDING")
    assert told["params"]["source"] == {"table": "samples"}
    assert {node["status"] for node in told["nodes"]} == {"PENDING"}
    assert {node["workflow_id"] for node in told["nodes"]} == {told["id"]}
    ids = {node["id"] for node in told["nodes"]}
    assert all(set(edge) <= ids for edge in told["edges"])
    assert client.get(f"/api/workflows/{told['id']}").json["nodes"][0]["name"] == told["nodes"][0]["name"]


def test_a_map_has_a_node_of_its_own_with_celery_only(client: FlaskClient) -> None:
    names = {
        method: [
            node["name"] for node in send(client, pattern="conditional_map", method=method).json["nodes"]
        ]
        for method in ("celery", "rabbitmq")
    }
    assert names == {"celery": ["list", "map", "write"], "rabbitmq": ["list", "write"]}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"pattern": "tree"}, "pattern"),
        ({"method": "sync"}, "method"),
        ({"count": 0}, "count"),
        ({"count": 1001}, "count"),
        ({"count": 2.5}, "count"),
        ({"source": {}}, "source"),
        ({"source": {"table": "samples", "folder": "x"}}, "source"),
        ({"source": {"table": "tasks"}}, "source.table"),
        ({"source": {"bucket": "bucket"}}, "source.bucket"),
        ({"source": {"paths": []}}, "source.paths"),
        ({"source": {"paths": ["ftp://x/y"]}}, "source.paths"),
        ({"pattern": "chord", "source": {"folder": "x"}}, "source"),
        ({"pattern": "group", "source": {"bucket": "s3://x/y"}}, "source"),
        ({"fail_at": "nowhere"}, "fail_at"),
        ({"fail_at": "item-1"}, "fail_at"),
        ({"fail_at": "../x"}, "fail_at"),
        ({"more": 1}, "more"),
    ],
)
def test_what_does_not_fit_is_refused_and_named(
    client: FlaskClient, fields: dict[str, Any], field: str
) -> None:
    answer = send(client, **fields)
    assert answer.status_code == 422
    assert answer.content_type == "application/problem+json"
    assert answer.json["errors"][0]["field"] == field
    assert client.get("/api/workflows").json["workflows"] == []


def test_the_same_key_makes_the_workflow_once(client: FlaskClient) -> None:
    headers = {"Idempotency-Key": "k"}
    body = {"pattern": "map", "method": "celery"}
    answers = [client.post("/api/workflows", json=body, headers=headers) for _ in range(2)]
    assert answers[0].json["id"] == answers[1].json["id"]
    other = client.post("/api/workflows", json={**body, "count": 4}, headers=headers)
    assert other.status_code == 409
    assert len(client.get("/api/workflows").json["workflows"]) == 1


@pytest.mark.parametrize("pattern", ["task_group", "chord", "chain_group_chord", "map", "conditional_map"])
def test_a_result_backend_without_chords_is_refused(make_app: Callable[..., LabAPI], pattern: str) -> None:
    client = make_app(result_backend="rpc://").test_client()
    refused = send(client, pattern=pattern, method="celery")
    assert refused.status_code == 409
    assert "RESULT_BACKEND is rpc://" in refused.json["detail"]
    assert send(client, pattern=pattern, method="rabbitmq").status_code == 202


def test_a_chain_needs_no_chords(make_app: Callable[..., LabAPI]) -> None:
    client = make_app(result_backend="rpc://").test_client()
    assert send(client, pattern="chain", method="celery").status_code == 202


def test_workflows_are_listed_newest_first(client: FlaskClient) -> None:
    ids = [send(client, pattern=pattern).json["id"] for pattern in ("chain", "map", "chord")]
    assert [row["id"] for row in client.get("/api/workflows").json["workflows"]] == ids[::-1]
    listed = client.get("/api/workflows?limit=1").json["workflows"]
    assert [row["id"] for row in listed] == ids[:1:-1]
    assert listed[0]["counts"]["PENDING"] == 7


def test_a_cancelled_workflow_has_nothing_left_to_run(client: FlaskClient, parts: Services) -> None:
    workflow_id = send(client, pattern="chord").json["id"]
    told = client.post(f"/api/workflows/{workflow_id}/cancel")
    assert told.status_code == 202
    assert told.json["status"] == "CANCELLED"
    assert {node["error"] for node in told.json["nodes"]} == {"never run: the workflow was cancelled"}
    assert parts.outbox.waiting() == 0
    again = client.post(f"/api/workflows/{workflow_id}/cancel")
    assert again.status_code == 409
    assert "CANCELLED" in again.json["detail"]


@pytest.mark.parametrize("path", ["", "/result"])
def test_an_unknown_workflow_is_not_found(client: FlaskClient, path: str) -> None:
    assert client.get(f"/api/workflows/nowhere{path}").status_code == 404


def test_an_unknown_workflow_cannot_be_cancelled(client: FlaskClient) -> None:
    assert client.post("/api/workflows/nowhere/cancel").status_code == 404


def test_a_workflow_that_made_no_file_has_none(client: FlaskClient) -> None:
    workflow_id = send(client, pattern="group").json["id"]
    assert client.get(f"/api/workflows/{workflow_id}/result").status_code == 404


def test_a_node_that_is_asked_for_again_after_its_end_tells_its_result(
    client: FlaskClient, parts: Services
) -> None:
    node = send(client).json["nodes"][0]
    begun = StatusUpdate(task_id=node["id"], status=TaskStatus.IN_PROGRESS)
    parts.store.apply([begun, begun.model_copy(update={"status": TaskStatus.DONE, "result": ["x"]})])
    (verdict,) = parts.store.apply([begun])
    assert (verdict.run, verdict.status, verdict.result) == (False, TaskStatus.DONE, ["x"])


def test_the_plan_that_is_kept_is_whole(client: FlaskClient, parts: Services) -> None:
    workflow_id = send(client, pattern="conditional_map", fail_at="item-2").json["id"]
    row = parts.workflows.rows.get(workflow_id)
    assert row is not None
    each = WorkflowPlan.model_validate(row["plan"]).stages[1].each
    assert each is not None
    assert each.fail_at == "item-2"
    assert each.kinds["s3"] == "download_s3"
