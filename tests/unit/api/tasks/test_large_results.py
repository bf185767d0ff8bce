"""Large results: their beginning and their size in lists and events, the whole where one task is asked for."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from api.services import Services
from lab.status import StatusUpdate, TaskStatus
from store.tables import workflows
from store.task_queries import LISTED_CHARS
from store.tasks import NewTask
from tests.unit.api.web.test_events import open_stream, read

TIMED = NewTask("celery", "process_task", {"timeout": 5.0}, 5.0)
LARGE = {"text": "ж" * 3_500_000}
SIZE = len(json.dumps(LARGE, ensure_ascii=False, separators=(",", ":")).encode())


def done(parts: Services, result: Any, count: int = 1) -> list[str]:
    """The ids of tasks that are DONE with `result`."""
    ids = [row["id"] for row in parts.store.add(TIMED, count).rows]
    for one in ids:
        parts.store.apply([StatusUpdate(task_id=one, status=TaskStatus.DONE, result=result)])
    return ids


def assert_brief(task: dict[str, Any]) -> None:
    assert (task["result"], task["result_bytes"]) == (None, SIZE)
    assert task["result_preview"].startswith('{"text":"ж')
    assert len(task["result_preview"]) == LISTED_CHARS


def test_a_list_of_ten_large_results_is_small(client: FlaskClient, parts: Services) -> None:
    done(parts, LARGE, 10)
    answer = client.get("/api/tasks")
    assert len(answer.data) < 100_000
    assert len(answer.json["tasks"]) == 10
    for task in answer.json["tasks"]:
        assert_brief(task)
    assert len(client.get("/").data) < 200_000


def test_events_carry_the_beginning_of_a_large_result(client: FlaskClient, parts: Services) -> None:
    seen = parts.store.last_change()
    done(parts, LARGE, 2)
    _, data = read(open_stream(parts.feed, seen), "tasks")
    assert len(data["tasks"]) == 2
    for task in data["tasks"]:
        assert_brief(task)


def test_the_tasks_of_a_workflow_and_the_workflows_are_listed_briefly(
    client: FlaskClient, parts: Services
) -> None:
    body = {"pattern": "chain", "method": "rabbitmq"}
    workflow = client.post("/api/workflows", json=body).json["id"]
    first = client.get(f"/api/workflows/{workflow}").json["nodes"][0]["id"]
    parts.store.apply([StatusUpdate(task_id=first, status=TaskStatus.DONE, result=LARGE)])
    with parts.store.engine.begin() as connection:
        connection.execute(workflows.update().values(result=LARGE))
    (listed,) = client.get("/api/workflows").json["workflows"]
    assert listed["result"] is None
    assert len(listed["result_preview"]) == LISTED_CHARS
    found = client.get(f"/api/workflows/{workflow}").json
    assert_brief(found["nodes"][0])
    assert found["result"] == LARGE


@pytest.mark.parametrize("result", [None, 0, 2**60, "ж" * (LISTED_CHARS - 2), {"a": [1.5, None]}])
def test_a_result_that_is_not_large_is_listed_as_it_is(
    client: FlaskClient, parts: Services, result: Any
) -> None:
    done(parts, result)
    (task,) = client.get("/api/tasks").json["tasks"]
    assert (task["result"], task["result_preview"], task["result_bytes"]) == (result, None, None)


def test_a_task_asked_for_by_its_id_has_its_whole_result(client: FlaskClient, parts: Services) -> None:
    (task,) = done(parts, LARGE)
    found = client.get(f"/api/tasks/{task}").json
    assert (found["result"], found["result_preview"], found["result_bytes"]) == (LARGE, None, None)
    assert client.get(f"/task/{task}").json["result"] == LARGE


def test_a_large_result_is_downloaded_from_the_page_of_its_task(client: FlaskClient, parts: Services) -> None:
    (task,) = done(parts, LARGE)
    page = client.get(f"/tasks/{task}").text
    assert len(page) < 50_000
    assert f'href="/api/tasks/{task}/result" download' in page
    answer = client.get(f"/api/tasks/{task}/result")
    assert (answer.status_code, answer.content_type, len(answer.data)) == (200, "application/json", SIZE)
    assert answer.headers["Content-Disposition"] == "attachment; filename=task-1.json"
    assert answer.json == LARGE


def test_a_task_without_a_result_has_none_to_download(client: FlaskClient, parts: Services) -> None:
    (task,) = done(parts, None)
    assert client.get(f"/api/tasks/{task}/result").status_code == 404
    assert client.get("/api/tasks/unknown/result").status_code == 404
