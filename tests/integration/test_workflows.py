"""Each pattern by each method, with real workers: the result is that of the same work done plainly."""

import base64
import secrets
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import requests

from harness.lab import Lab
from harness.node import RabbitNode
from lab.places import SAMPLES
from tests import flows
from tests.vhosts import make_vhost

METHODS = ("celery", "rabbitmq")
HOST = secrets.token_hex(4)


@pytest.fixture(scope="module")
def flow_lab(tmp_path_factory: pytest.TempPathFactory, node: RabbitNode) -> Iterator[Lab]:
    """A lab with a Celery worker and a consumer of two jobs at once each."""
    env = {"LAB_LOG_LANGUAGE": "en"}
    with Lab(tmp_path_factory.mktemp("lab"), make_vhost(node, HOST), env=env) as running:
        running.start_celery(concurrency=2)
        running.start_consumer(concurrency=2)
        yield running


@pytest.fixture(scope="module")
def samples(flow_lab: Lab) -> list[tuple[str, bytes]]:
    """The lab's own samples: each path, as a workflow lists them, and what it holds."""
    listed = flows.send(flow_lab, "chain", "rabbitmq")
    done = flows.wait_for(flow_lab, listed["id"])
    node = flows.node_of(done, "list")
    assert node is not None
    return [(path, _content(path)) for path in flow_lab.task(node["id"])["result"]]


def _content(path: str) -> bytes:
    if path.startswith("file:///"):
        return (SAMPLES / path.removeprefix("file:///")).read_bytes()
    head, _, text = path.partition(",")
    return base64.b64decode(text) if head.endswith(";base64") else unquote(text).encode()


@pytest.mark.parametrize("method", METHODS)
def test_a_chain_gives_each_node_what_the_one_before_returned(
    flow_lab: Lab, samples: list[tuple[str, bytes]], method: str
) -> None:
    done = flows.wait_for(flow_lab, flows.send(flow_lab, "chain", method)["id"])
    path, raw = samples[0]
    count = flows.node_of(done, "count")
    assert count is not None
    assert flows.without_task(count["result"]) == flows.counted(path, raw)
    assert flows.file_of(flow_lab, done) == flows.merged([(path, raw)])
    assert [node["name"] for node in done["nodes"]] == ["list", "download", "count", "merge"]
    ids = [node["id"] for node in done["nodes"]]
    assert done["edges"] == [list(pair) for pair in pairwise(ids)]
    starts = [node["started_at"] for node in done["nodes"]]
    assert starts == sorted(starts)
    tasks = [flow_lab.task(node["id"]) for node in done["nodes"]]
    # When a step was sent that a worker sends, nobody tells.
    assert [task["waited"] is None for task in tasks] == [False, True, True, True]
    assert all(task["ran"] is not None for task in tasks)


@pytest.mark.parametrize("pattern", ["group", "task_group", "map"])
@pytest.mark.parametrize("method", METHODS)
def test_a_group_returns_a_list_in_the_order_of_its_paths(
    flow_lab: Lab, samples: list[tuple[str, bytes]], method: str, pattern: str
) -> None:
    done = flows.wait_for(flow_lab, flows.send(flow_lab, pattern, method)["id"])
    assert flows.without_task(done["result"]) == [flows.fetched(path, raw) for path, raw in samples]
    assert done["result_url"] is None


@pytest.mark.parametrize("pattern", ["chord", "conditional_map"])
@pytest.mark.parametrize("method", METHODS)
def test_a_callback_gets_the_list_of_all_results(
    flow_lab: Lab, samples: list[tuple[str, bytes]], method: str, pattern: str
) -> None:
    done = flows.wait_for(flow_lab, flows.send(flow_lab, pattern, method)["id"])
    text = flows.listing([flows.fetched(path, raw) for path, raw in samples])
    assert flows.file_of(flow_lab, done) == text
    assert done["result"]["files"] == len(samples)
    kinds = {node["kind"] for node in done["nodes"] if node["name"].startswith(("download", "item"))}
    assert kinds == ({"download"} if pattern == "chord" else {"download_file", "download_data"})
    write = flows.node_of(done, "write")
    assert write is not None
    assert flows.times_run(flow_lab.base, write["num"]) == 1


@pytest.mark.parametrize("method", METHODS)
def test_a_chain_of_a_task_a_group_of_chains_and_a_callback(
    flow_lab: Lab, samples: list[tuple[str, bytes]], method: str
) -> None:
    done = flows.wait_for(flow_lab, flows.send(flow_lab, "chain_group_chord", method)["id"])
    # What is merged are the normalised texts; normalising them once more changes nothing.
    assert flows.file_of(flow_lab, done) == flows.merged(samples)
    assert done["result"]["words"] == sum(flows.counted(path, raw)["words"] for path, raw in samples)
    assert len(done["edges"]) == 3 * len(samples)


@pytest.mark.parametrize("pattern", ["chord", "map", "conditional_map", "chain_group_chord", "task_group"])
@pytest.mark.parametrize("method", METHODS)
def test_of_one_path_the_result_is_still_a_list_of_one(flow_lab: Lab, method: str, pattern: str) -> None:
    done = flows.wait_for(flow_lab, flows.send(flow_lab, pattern, method, count=1)["id"])
    assert len(done["result"]) == 1 if isinstance(done["result"], list) else done["result"]["files"] == 1


FAILING = [
    ("chain", "count", {"merge"}),
    ("group", "download-1", set()),
    ("task_group", "list", {"download-1", "download-2", "download-3"}),
    ("chord", "download-2", {"write"}),
    ("chord", "write", set()),
    ("chain_group_chord", "download-2", {"count-2", "merge"}),
    ("map", "item-2", set()),
    ("conditional_map", "item-1", {"write"}),
]
"""Patterns, the node that fails, and those that are never run then."""


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_a_node_that_fails_ends_the_workflow_and_leaves_no_message_behind(
    flow_lab: Lab, node: RabbitNode, method: str
) -> None:
    ids = []
    for pattern, fail_at, never_run in FAILING:
        sent = flows.send(flow_lab, pattern, method, count=3, fail_at=fail_at)
        ids.append(sent["id"])
        failed = flows.wait_for(flow_lab, sent["id"], "FAILED", timeout=10)
        assert failed["error"] == f"{fail_at} failed: StepFailed: this step was asked to fail"
        assert failed["result"] is None
        for name in never_run:
            left = flows.node_of(failed, name)
            assert left is not None
            assert (left["status"], left["error"]) == ("CANCELLED", f"never run: {fail_at} failed")
            assert left["started_at"] is None
    flows.assert_queues_empty(node, vhost=HOST)
    for workflow_id, (pattern, _, never_run) in zip(ids, FAILING, strict=True):
        after = flows.look(flow_lab, workflow_id)
        assert after["status"] == "FAILED", pattern
        assert {one["status"] for one in after["nodes"]} <= {"DONE", "FAILED", "CANCELLED"}, pattern
        for name in never_run:
            left = flows.node_of(after, name)
            assert left is not None
            assert flows.times_run(flow_lab.base, left["num"]) == 0, pattern


@pytest.mark.parametrize("method", METHODS)
def test_a_callback_is_not_made_to_wait_by_a_second_workflow_beside_it(flow_lab: Lab, method: str) -> None:
    both = [flows.send(flow_lab, "chord", method, count=20) for _ in range(3)]
    for sent in both:
        assert flows.wait_for(flow_lab, sent["id"])["result"]["files"] == 20


def test_the_same_idempotency_key_makes_one_workflow(flow_lab: Lab) -> None:
    body = {"pattern": "chain", "method": "rabbitmq"}
    headers = {"Idempotency-Key": "once"}
    answers = [
        flow_lab.session.post(f"{flow_lab.url}/api/workflows", json=body, headers=headers, timeout=30)
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    other = {**body, "count": 2}
    again = flow_lab.session.post(f"{flow_lab.url}/api/workflows", json=other, headers=headers, timeout=30)
    assert again.status_code == 409


def test_open_pages_hear_of_each_node(flow_lab: Lab) -> None:
    with requests.get(f"{flow_lab.url}/events", stream=True, timeout=30) as stream:
        lines = stream.iter_lines(decode_unicode=True)
        next(lines)
        sent = flows.send(flow_lab, "chain", "rabbitmq")
        told: Any = ""
        while f'"workflow_id":"{sent["id"]}"' not in told.replace(" ", "") or '"node"' not in told:
            told = next(lines)


@pytest.mark.parametrize("method", METHODS)
def test_a_folder_is_listed_by_a_worker_and_a_missing_one_fails(flow_lab: Lab, method: str) -> None:
    sent = flows.send(flow_lab, "conditional_map", method, source={"folder": "deutsch"})
    raw = Path(SAMPLES / "deutsch/quittung.txt").read_bytes()
    text = flows.listing([flows.fetched("file:///deutsch/quittung.txt", raw)])
    assert flows.file_of(flow_lab, flows.wait_for(flow_lab, sent["id"])) == text
    none = flows.send(flow_lab, "map", method, source={"folder": "nowhere"})
    failed = flows.wait_for(flow_lab, none["id"], "FAILED", timeout=10)
    assert failed["error"].startswith("list failed: NothingFound")
