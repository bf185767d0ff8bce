"""Workflows whose worker is killed, that are cancelled, or that Celery's result backend cannot do."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.lab import Lab
from harness.node import RabbitNode
from harness.processes import ManagedProcess
from tests import flows
from tests.vhosts import make_vhost

FILES = 20

pytestmark = pytest.mark.faults


@dataclass(frozen=True)
class Host:
    """A virtual host of a test's own: what one leaves in a queue is nothing to the next."""

    node: RabbitNode
    name: str
    url: str

    def assert_empty(self) -> None:
        flows.assert_queues_empty(self.node, 40, self.name)


@pytest.fixture
def host(node: RabbitNode) -> Host:
    name = secrets.token_hex(4)
    return Host(node, name, make_vhost(node, name))


@pytest.fixture(params=["celery", "rabbitmq"])
def method(request: pytest.FixtureRequest) -> str:
    """The transport under test."""
    return str(request.param)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Texts of half a megabyte, so that merging them takes a while."""
    made = tmp_path / "files"
    made.mkdir()
    for number in range(FILES):
        (made / f"{number:02}.txt").write_text(f"line of file {number} \n" * 30_000)
    return made


def start(lab: Lab, method: str, name: str) -> ManagedProcess:
    make = lab.start_celery if method == "celery" else lab.start_consumer
    return make(concurrency=2, name=name)


def environment(folder: Path) -> dict[str, str]:
    return {"LAB_LOG_LANGUAGE": "en", "LAB_FILES": str(folder)}


def expected(folder: Path) -> str:
    return flows.merged([(f"file:///{path.name}", path.read_bytes()) for path in sorted(folder.iterdir())])


@contextmanager
def killed(
    tmp_path: Path, host: Host, folder: Path, method: str, node: str, status: str
) -> Iterator[tuple[int, list[str]]]:
    """A chain, group and chord whose worker is killed when `node` stands at `status`, and which another brings to
    its right end; the number of its body, and the statuses that this went through."""
    with Lab(tmp_path, host.url, env=environment(folder)) as lab:
        victim = start(lab, method, "victim")
        source = {"folder": ""}
        sent = flows.send(lab, "chain_group_chord", method, source=source, count=FILES)
        flows.wait_for_node(lab, sent["id"], node, status)
        victim.kill_group()
        start(lab, method, "heir")
        done = flows.wait_for(lab, sent["id"], timeout=90)
        assert flows.file_of(lab, done) == expected(folder)
        body = flows.node_of(done, "merge")
        assert body is not None
        yield body["num"], [event["status"] for event in lab.task(body["id"])["events"]]
        host.assert_empty()


def test_a_worker_killed_among_the_header_s_tasks_spoils_nothing_and_the_body_runs_once(
    tmp_path: Path, host: Host, folder: Path, method: str
) -> None:
    with killed(tmp_path, host, folder, method, "count-1", "DONE") as (body, statuses):
        assert statuses == ["PENDING", "IN_PROGRESS", "DONE"]
        assert flows.times_run(tmp_path, body) == 1


def test_a_worker_killed_in_the_body_leaves_it_to_the_next_which_is_done_once(
    tmp_path: Path, host: Host, folder: Path, method: str
) -> None:
    with killed(tmp_path, host, folder, method, "merge", "IN_PROGRESS") as (body, statuses):
        assert statuses.count("DONE") == 1
        assert flows.times_run(tmp_path, body) == statuses.count("IN_PROGRESS") == 2


def test_a_worker_killed_after_the_list_arrived_makes_no_task_of_the_map_twice(
    tmp_path: Path, host: Host, folder: Path, method: str
) -> None:
    with Lab(tmp_path, host.url, env=environment(folder)) as lab:
        victim = start(lab, method, "victim")
        sent = flows.send(lab, "conditional_map", method, source={"folder": ""}, count=60)
        flows.wait_for_node(lab, sent["id"], "map" if method == "celery" else "list", "DONE")
        victim.kill_group()
        start(lab, method, "heir")
        done = flows.wait_for(lab, sent["id"], timeout=90)
        assert done["result"]["files"] == 60
        assert len([one for one in done["nodes"] if one["name"].startswith("item-")]) == 60
        body = flows.node_of(done, "write")
        assert body is not None
        assert flows.times_run(tmp_path, body["num"]) == 1
        host.assert_empty()


@pytest.mark.parametrize("pattern", ["chain_group_chord", "conditional_map", "chord"])
def test_a_cancelled_workflow_begins_nothing_more_and_leaves_no_message_behind(
    tmp_path: Path, host: Host, method: str, pattern: str
) -> None:
    with Lab(tmp_path, host.url, env={"LAB_LOG_LANGUAGE": "en"}) as lab:
        start(lab, method, "worker")
        sent = flows.send(lab, pattern, method, count=80)
        first = "item-2" if pattern == "conditional_map" else "download-2"
        flows.wait_for_node(lab, sent["id"], first, "DONE")
        told = lab.session.post(f"{lab.url}/api/workflows/{sent['id']}/cancel", timeout=30)
        assert told.status_code == 202
        assert told.json()["status"] == "CANCELLED"
        last = flows.node_of(told.json(), "merge" if pattern == "chain_group_chord" else "write")
        assert last is not None
        assert last["error"] == "never run: the workflow was cancelled"
        host.assert_empty()
        after = flows.look(lab, sent["id"])
        assert after["status"] == "CANCELLED"
        assert {one["status"] for one in after["nodes"]} == {"DONE", "CANCELLED"}
        for one in after["nodes"]:
            if one["status"] == "CANCELLED" and one["error"] is not None:
                assert flows.times_run(tmp_path, one["num"]) == 0, one
        again = lab.session.post(f"{lab.url}/api/workflows/{sent['id']}/cancel", timeout=30)
        assert again.status_code == 409


def test_cancelling_one_node_cancels_the_workflow(tmp_path: Path, host: Host, method: str) -> None:
    with Lab(tmp_path, host.url) as lab:
        sent = flows.send(lab, "chain", method)
        count = flows.node_of(sent, "count")
        assert count is not None
        lab.session.post(f"{lab.url}/api/tasks/{count['id']}/cancel", timeout=30).raise_for_status()
        ended = flows.look(lab, sent["id"])
        assert (ended["status"], ended["error"]) == ("CANCELLED", "count was cancelled")
        start(lab, method, "worker")
        host.assert_empty()
        assert {one["status"] for one in flows.look(lab, sent["id"])["nodes"]} == {"CANCELLED"}


def test_a_backend_without_chords_is_refused_and_does_what_it_can(tmp_path: Path, host: Host) -> None:
    with Lab(tmp_path, host.url, env={"RESULT_BACKEND": "rpc://"}) as lab:
        lab.start_celery(concurrency=2)
        for pattern in ("chord", "map", "conditional_map", "chain_group_chord", "task_group"):
            body = {"pattern": pattern, "method": "celery"}
            refused = lab.session.post(f"{lab.url}/api/workflows", json=body, timeout=30)
            assert refused.status_code == 409
            assert "RESULT_BACKEND is rpc://" in refused.json()["detail"]
        for pattern in ("chain", "group"):
            flows.wait_for(lab, flows.send(lab, pattern, "celery")["id"])


def test_a_chord_may_be_sent_before_the_first_worker_comes(tmp_path: Path, host: Host, method: str) -> None:
    with Lab(tmp_path, host.url) as lab:
        sent = flows.send(lab, "chord", method, count=2)
        start(lab, method, "worker")
        assert flows.wait_for(lab, sent["id"])["result"]["files"] == 2
