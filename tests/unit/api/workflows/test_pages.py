"""The pages of workflows, as the server writes them in each of their states."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api import LabAPI
from api.services import Services
from api.workflows.pages import PREVIEW_CHARS, SHOWN_RESULTS
from api.workflows.schemas import PATTERNS, WorkflowRequest
from api.workflows.wording import patterns
from lab.status import TaskStatus
from store.tasks import Row
from tests.unit.api.tasks.test_pages import EVIL, config_of, move, text_of
from transports.methods import QUEUES

FORM = {"pattern": "chain", "method": "rabbitmq", "source": "table", "key": "12345678"}
SHA = "0" * 64


def send(client: FlaskClient, **fields: str) -> TestResponse:
    """The form as a browser without JavaScript sends it."""
    return client.post("/workflows", data={**FORM, **fields})


def sent(client: FlaskClient, **fields: str) -> str:
    """Sends the form and returns the id of the workflow."""
    answer = send(client, **fields)
    assert answer.status_code == 303, answer.text
    return str(answer.location.rpartition("/")[2])


def run(parts: Services, pattern: str = "chain", method: str = "rabbitmq", **more: Any) -> str:
    """A workflow that was sent by the API; its id."""
    return parts.workflows.send(WorkflowRequest(pattern=pattern, method=method, **more))  # type: ignore[arg-type]


def nodes(parts: Services, workflow_id: str) -> dict[str, Row]:
    return {row["node"]: row for row in parts.workflows.rows.nodes(workflow_id)}


def finish(parts: Services, workflow_id: str, name: str, result: Any) -> None:
    """The node begins, and is DONE."""
    row = nodes(parts, workflow_id)[name]
    move(parts, row, TaskStatus.IN_PROGRESS, attempt=1)
    move(parts, row, TaskStatus.DONE, 0.25, attempt=1, result=result)


def finish_chain(parts: Services, workflow_id: str, text: str) -> None:
    """All nodes of a chain are done, and the last one has delivered `text`."""
    merge = nodes(parts, workflow_id)["merge"]["id"]
    parts.image_files.made(merge, "result").write_text(text)
    finish(parts, workflow_id, "list", ["file:///a.txt"])
    for name in ("download", "count"):
        finish(parts, workflow_id, name, {"path": "file:///a.txt", "task": "t", "bytes": 1, "sha256": SHA})
    finish(parts, workflow_id, "merge", {"files": 1, "words": 1234, "task": merge, "bytes": len(text)})


def picture(page: str, look: str = "wide") -> str:
    found = re.search(rf'(?s)<svg class="flow flow-{look}".*?</svg>', page)
    assert found
    return found[0]


def boxes(page: str, look: str = "wide") -> dict[str, str]:
    """The boxes of the picture by key, with the status of each."""
    tags = re.findall(r'data-(?:node|stack)="([^"]+)" data-status="(\w+)"', picture(page, look))
    return dict(tags)


def steps(page: str) -> list[tuple[str, str]]:
    """The names in the list, with the status of each."""
    rows = re.findall(r'(?s)<li class="flow-step" .*?</li>', page)
    return [
        (re.findall(r"step-name[^>]*>([^<]+)", row)[0], re.findall(r'data-status="(\w+)"', row)[0])
        for row in rows
    ]


def test_without_workflows_the_page_says_what_to_do(client: FlaskClient) -> None:
    page = client.get("/workflows").text
    assert "No workflows yet." in text_of(page)
    assert 'id="workflow-list" hidden' in page


def test_the_header_leads_to_the_page_and_says_where_one_is(client: FlaskClient) -> None:
    assert '<a href="/workflows">Workflows</a>' in client.get("/").text
    assert '<a href="/workflows" aria-current="page">Workflows</a>' in client.get("/workflows").text


def test_the_form_offers_every_pattern_with_its_shape_and_its_line(client: FlaskClient) -> None:
    page = client.get("/workflows").text
    assert tuple(re.findall(r'name="pattern" value="(\w+)"', page)) == PATTERNS
    assert len(re.findall(r'<svg class="shape" role="img" aria-label="[^"]+"', page)) == len(PATTERNS)
    with client.application.test_request_context():
        told = patterns()
    assert tuple(told) == PATTERNS
    seen = text_of(page)
    assert all(" ".join(one["canvas"].split()) in seen for one in told.values())
    assert re.findall(r'name="method" value="(\w+)"', page) == list(QUEUES) == ["celery", "rabbitmq"]
    assert re.findall(r'name="source" value="(\w+)"', page) == ["table", "folder", "paths"]
    for field in ("csrf_token", "key", "folder", "paths", "count", "fail"):
        assert f'name="{field}"' in page


def test_a_bucket_is_offered_where_one_is_open(make_app: Callable[..., LabAPI]) -> None:
    client = make_app(s3_buckets=("pictures",), download_hosts=("example.com",)).test_client()
    page = client.get("/workflows").text
    assert 'name="source" value="bucket"' in page
    assert 'value="s3://pictures/"' in page
    assert "Hosts: example.com." in text_of(page)


@pytest.mark.parametrize("method", QUEUES)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_form_becomes_a_workflow(client: FlaskClient, parts: Services, pattern: str, method: str) -> None:
    workflow_id = sent(client, pattern=pattern, method=method)
    row = parts.workflows.rows.get(workflow_id)
    assert row is not None
    assert (row["pattern"], row["method"], row["params"]["source"]) == (pattern, method, {"table": "samples"})
    page = client.get(f"/workflows/{workflow_id}").text
    assert set(boxes(page).values()) == {"PENDING"}
    assert {name for name, _ in steps(page)} == set(nodes(parts, workflow_id))
    assert f'href="/workflows/{workflow_id}"' in client.get("/workflows").text


@pytest.mark.parametrize(
    ("fields", "source"),
    [
        ({"source": "folder", "folder": " deutsch "}, {"folder": "deutsch"}),
        ({"source": "folder", "folder": ""}, {"folder": ""}),
        ({"source": "bucket", "bucket": "s3://b/x"}, {"bucket": "s3://b/x"}),
        ({"source": "paths", "paths": "file:///a\r\n\r\n data:,b "}, {"paths": ["file:///a", "data:,b"]}),
        ({"source": "table", "paths": "ftp://ignored"}, {"table": "samples"}),
    ],
)
def test_only_the_chosen_input_counts(
    client: FlaskClient, parts: Services, fields: dict[str, str], source: dict[str, Any]
) -> None:
    row = parts.workflows.rows.get(sent(client, **fields, count="2"))
    assert row is not None
    assert (row["params"]["source"], row["params"]["count"]) == (source, 2)


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"pattern": "chain", "fail": "first"}, "list"),
        ({"pattern": "chain", "fail": "middle"}, "count"),
        ({"pattern": "chain", "fail": "last"}, "merge"),
        ({"pattern": "chord", "fail": "last", "count": "3"}, "write"),
        ({"pattern": "group", "fail": "last", "count": "3"}, "download-3"),
        ({"pattern": "map", "fail": "last", "count": "3"}, "item-3"),
        ({"pattern": "conditional_map", "fail": "middle", "count": "3"}, "item-2"),
        ({"pattern": "map", "fail": "last", "source": "folder", "folder": ""}, "item-1"),
        ({"pattern": "map", "fail": "first", "method": "celery"}, "list"),
        ({"pattern": "chain", "fail": "nonsense"}, None),
    ],
)
def test_a_step_is_let_fail_by_its_place(
    client: FlaskClient, parts: Services, fields: dict[str, str], name: str | None
) -> None:
    row = parts.workflows.rows.get(sent(client, **fields))
    assert row is not None
    assert row["params"].get("fail_at") == name


@pytest.mark.parametrize(
    ("fields", "field", "text"),
    [
        ({"count": "0"}, "count", "A whole number from 1 to 1,000."),
        ({"count": "two"}, "count", "A whole number from 1 to 1,000."),
        ({"count": "²"}, "count", "A whole number from 1 to 1,000."),
        ({"source": "bucket", "bucket": "pictures"}, "source", "An address such as s3://bucket/prefix."),
        ({"source": "paths", "paths": "  "}, "source", "Paths, one on each line"),
        ({"source": "paths", "paths": "ftp://a"}, "source", "Paths, one on each line"),
        (
            {"source": "folder", "folder": "a", "pattern": "chord"},
            "source",
            "Group and chord are built before",
        ),
        ({"pattern": "circle"}, "form", "One of these: chain, group,"),
        ({"method": "sync"}, "form", "One of these: celery, rabbitmq."),
        ({"source": "folder", "folder": "a" * 1001}, "source", "at most 1,000 characters"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_what_was_typed_stays(
    client: FlaskClient, parts: Services, fields: dict[str, str], field: str, text: str
) -> None:
    answer = send(client, **fields)
    assert answer.status_code == 422
    assert parts.workflows.rows.recent(1) == []
    place = r'data-note[^>]*data-tone="error"' if field == "form" else f'data-error="{field}"'
    said = re.search(rf"<p [^>]*{place}[^>]*>([^<]*)", answer.text)
    assert said
    assert text in said[1]
    if "paths" in fields:
        assert f">{fields['paths']}</textarea>" in answer.text


def test_evil_input_stays_text(client: FlaskClient) -> None:
    answer = send(client, source="paths", paths=EVIL, folder=EVIL, count=EVIL, pattern=EVIL)
    assert answer.status_code == 422
    assert "<script>alert" not in answer.text


def test_pressed_twice_it_is_one_workflow(client: FlaskClient, parts: Services) -> None:
    assert sent(client) == sent(client)
    assert len(parts.workflows.rows.recent(5)) == 1
    other = send(client, pattern="chord")
    assert other.status_code == 409
    assert "This form was sent before, with other values." in text_of(other.text)
    assert sent(client, key="87654321") != parts.workflows.rows.recent(5)[1]["id"]


def test_where_celery_has_no_chords_the_form_says_so(make_app: Callable[..., LabAPI]) -> None:
    app = make_app(result_backend="rpc://")
    app.config["WTF_CSRF_ENABLED"] = False
    answer = send(app.test_client(), pattern="chord", method="celery")
    assert answer.status_code == 409
    assert "rpc://, has no chords" in text_of(answer.text)


def test_a_chain_fills_in_and_ends_with_its_file(client: FlaskClient, parts: Services) -> None:
    workflow_id = run(parts)
    finish(parts, workflow_id, "list", ["file:///a.txt"])
    move(parts, nodes(parts, workflow_id)["download"], TaskStatus.IN_PROGRESS, attempt=1)
    page = client.get(f"/workflows/{workflow_id}").text
    assert [status for _, status in steps(page)] == ["DONE", "IN_PROGRESS", "PENDING", "PENDING"]
    assert list(boxes(page).values()) == list(boxes(page, "narrow").values()) == [s for _, s in steps(page)]
    assert "1 of 4 done" in text_of(page)
    assert "None yet." in text_of(page)
    assert len(re.findall("data-done", picture(page))) == 1


def test_a_finished_chain_shows_the_file_that_it_made(client: FlaskClient, parts: Services) -> None:
    workflow_id = run(parts)
    finish_chain(parts, workflow_id, f"<b>{'x' * PREVIEW_CHARS}")
    page = client.get(f"/workflows/{workflow_id}").text
    assert 'data-status="DONE" data-ended' in page
    assert "4 of 4 done" in text_of(page)
    assert re.search(r'<button class="btn quiet" type="submit" hidden>', page)
    assert f'href="/api/workflows/{workflow_id}/result"' in page
    assert "&lt;b&gt;xxx" in page
    assert "x…</pre>" in page
    assert "1,234" in text_of(page)
    assert "250 ms ran" in text_of(page)
    parts.image_files.made(nodes(parts, workflow_id)["merge"]["id"], "result").unlink()
    assert "The file has expired." in text_of(client.get(f"/workflows/{workflow_id}").text)


def test_a_group_shows_what_it_fetched(client: FlaskClient, parts: Services) -> None:
    n = SHOWN_RESULTS + 2
    workflow_id = run(parts, "group", source={"paths": ["data:,a"]}, count=n)
    for name in nodes(parts, workflow_id):
        finish(parts, workflow_id, name, {"path": "data:,a", "task": "t", "bytes": 1, "sha256": SHA})
    page = client.get(f"/workflows/{workflow_id}").text
    assert page.count('class="fetched-path"') == SHOWN_RESULTS
    assert "And 2 more." in text_of(page)


def test_a_failed_step_is_named_with_those_that_never_ran(client: FlaskClient, parts: Services) -> None:
    workflow_id = run(parts)
    finish(parts, workflow_id, "list", ["file:///a.txt"])
    download = nodes(parts, workflow_id)["download"]
    move(parts, download, TaskStatus.FAILED, attempt=1, error=f"Oops: {EVIL}")
    page = client.get(f"/workflows/{workflow_id}").text
    seen = text_of(page)
    assert 'data-status="FAILED" data-ended' in page
    assert "It failed at download : Oops:" in seen
    assert "Never run: count, merge." in seen
    assert "<script>alert" not in page
    assert [status for _, status in steps(page)] == ["DONE", "FAILED", "CANCELLED", "CANCELLED"]


def test_a_workflow_is_cancelled_by_its_button(client: FlaskClient, parts: Services) -> None:
    workflow_id = run(parts)
    answer = client.post(f"/workflows/{workflow_id}/cancel")
    assert (answer.status_code, answer.location) == (303, f"/workflows/{workflow_id}")
    seen = text_of(client.get(f"/workflows/{workflow_id}").text)
    assert "The workflow was cancelled. Never run: list, download, count, merge." in seen
    assert "Cancelled: what waited will never run" in seen
    again = client.post(f"/workflows/{workflow_id}/cancel", headers={"Accept": "application/json"})
    assert again.json == {"message": "The workflow had ended before.", "ok": False}


def test_a_map_keeps_a_place_for_the_tasks_to_come(client: FlaskClient, parts: Services) -> None:
    workflow_id = run(parts, "map", source={"paths": ["data:,a", "data:,b"]})
    before = client.get(f"/workflows/{workflow_id}").text
    assert "when the list is there" in picture(before)
    finish(parts, workflow_id, "list", ["data:,a", "data:,b"])
    after = client.get(f"/workflows/{workflow_id}").text
    assert 'data-node="awaited"' not in after
    assert [name for name, _ in steps(after)] == ["list", "item-1", "item-2"]
    size = r'width="([\d.]+)" height="([\d.]+)"'
    assert re.findall(size, picture(before))[0] == re.findall(size, picture(after))[0]


def test_a_map_that_failed_before_its_list_says_that_it_made_none(
    client: FlaskClient, parts: Services
) -> None:
    workflow_id = run(parts, "conditional_map", fail_at="list")
    move(parts, nodes(parts, workflow_id)["list"], TaskStatus.FAILED, attempt=1, error="no")
    assert "none was made" in picture(client.get(f"/workflows/{workflow_id}").text)


def test_a_thousand_steps_are_one_stack_with_counters_and_a_closed_list(
    client: FlaskClient, parts: Services
) -> None:
    workflow_id = run(parts, "chord", count=1000)
    rows = nodes(parts, workflow_id)
    finish(parts, workflow_id, "download-1", {"path": "x"})
    move(parts, rows["download-2"], TaskStatus.IN_PROGRESS, attempt=1)
    page = client.get(f"/workflows/{workflow_id}").text
    assert list(boxes(page)) == list(boxes(page, "narrow")) == ["0/download", rows["write"]["id"]]
    assert re.findall(r"</g>|<text x=[^>]*>([^<]*)", picture(page))[::2] == [
        "1 done", "1 running", "errors: 0", "998 waiting",
    ]  # fmt: skip
    assert page.count('class="flow-step"') == 1001
    assert '<details id="steps-0"' in page
    assert "1 of 1,000 done" in text_of(page)


def test_each_stack_leads_to_its_steps(client: FlaskClient, parts: Services) -> None:
    for pattern, count in (("chord", 5), ("chain_group_chord", 13), ("group", 4)):
        page = client.get(f"/workflows/{run(parts, pattern, count=count)}").text
        for target in re.findall(r'href="#(steps-\d+)"', page):
            assert len(re.findall(f'id="{target}"', page)) == 1


def test_a_task_leads_to_its_workflow(client: FlaskClient, parts: Services) -> None:
    workflow_id = run(parts)
    task = nodes(parts, workflow_id)["count"]
    assert f'<a href="/workflows/{workflow_id}">its step count</a>' in client.get(f"/tasks/{task['id']}").text
    front = client.get("/").text
    assert f'<a class="job-kind" href="/workflows/{workflow_id}"><code>count_words</code></a>' in front
    assert config_of(front)["workflowUrl"] == "/workflows/ID"


def test_what_does_not_exist_is_not_found(client: FlaskClient) -> None:
    assert client.get("/workflows/none").status_code == 404
    assert client.post("/workflows/none/cancel").status_code == 404
    assert client.get("/workflows/%00").status_code == 404
    assert client.get("/workflows/none/cancel").location == "/workflows/none"


def test_the_pages_speak_russian(client: FlaskClient, parts: Services) -> None:
    client.set_cookie("lang", "ru")
    workflow_id = run(parts, "chord", count=20)
    page = client.get(f"/workflows/{workflow_id}").text
    assert "Аккорд (chord)" in text_of(page)
    assert "ждут: 20" in picture(page)
    assert config_of(page)["workflows"]["counted"] == "готово {done} из {all}"
    assert "Рабочие процессы" in text_of(client.get("/workflows").text)


def test_the_file_of_a_step_is_not_taken_for_a_picture(client: FlaskClient, parts: Services) -> None:
    workflow_id = run(parts)
    finish_chain(parts, workflow_id, "text")
    page = client.get(f"/tasks/{nodes(parts, workflow_id)['merge']['id']}").text
    assert "task-picture" not in page
    assert "words" in text_of(page)
