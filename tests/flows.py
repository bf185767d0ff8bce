"""Workflows of a running lab for the tests, and the same work done plainly."""

import hashlib
import re
import time
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

from harness.lab import Lab
from harness.node import RabbitNode
from tests.vhosts import depths

Workflow = dict[str, Any]


def send(lab: Lab, pattern: str, method: str, **fields: Any) -> Workflow:
    """Sends a workflow; raises requests.HTTPError."""
    body = {"pattern": pattern, "method": method, **fields}
    answer = lab.session.post(f"{lab.url}/api/workflows", json=body, timeout=120)
    answer.raise_for_status()
    workflow: Workflow = answer.json()
    return workflow


def look(lab: Lab, workflow_id: str) -> Workflow:
    """The workflow as it stands."""
    answer = lab.session.get(f"{lab.url}/api/workflows/{workflow_id}", timeout=60)
    answer.raise_for_status()
    workflow: Workflow = answer.json()
    return workflow


def wait_for(lab: Lab, workflow_id: str, status: str = "DONE", timeout: float = 60.0) -> Workflow:
    """Waits until the workflow stands at `status`; raises TimeoutError, or AssertionError where it ended as
    another."""
    deadline = time.monotonic() + timeout
    while (workflow := look(lab, workflow_id))["status"] != status:
        assert workflow["finished_at"] is None, workflow["error"]
        if time.monotonic() > deadline:
            raise TimeoutError(f"{workflow['status']} {workflow['counts']}")
        time.sleep(0.1)
    return workflow


def wait_for_node(lab: Lab, workflow_id: str, name: str, status: str, timeout: float = 60.0) -> Workflow:
    """Waits until the node `name` stands at `status`; returns it."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        node = node_of(look(lab, workflow_id), name)
        if node is not None and node["status"] == status:
            return node
        time.sleep(0.005)
    raise TimeoutError(f"{name} is never {status}")


def node_of(workflow: Workflow, name: str) -> dict[str, Any] | None:
    """The node of that name, where it has been made."""
    return next((node for node in workflow["nodes"] if node["name"] == name), None)


def file_of(lab: Lab, workflow: Workflow) -> str:
    """The file that the workflow made."""
    answer = lab.session.get(f"{lab.url}{workflow['result_url']}", timeout=60)
    answer.raise_for_status()
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    return answer.content.decode()


def assert_queues_empty(node: RabbitNode, timeout: float = 20.0, vhost: str = "/") -> None:
    """Waits until no queue of the virtual host holds a message, ready or under way, for two seconds: what
    Celery sends later is for a moment in none."""
    deadline = time.monotonic() + timeout
    since = None
    while since is None or time.monotonic() < since + 2:
        full = {name: count for name, count in depths(node, vhost).items() if count}
        since = None if full else since or time.monotonic()
        assert time.monotonic() < deadline, full
        time.sleep(0.2)


def times_run(base: Path, num: int) -> int:
    """How often workers of the lab at `base` say that they began the task `num`."""
    logs = (path.read_text() for path in (base / "log").glob("*.log"))
    return sum(len(re.findall(rf"Started task {num}$", log, re.MULTILINE)) for log in logs)


def fetched(path: str, raw: bytes) -> dict[str, Any]:
    """What a download says of `raw`, but for its task."""
    return {"path": path, "bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}


def normalised(raw: bytes) -> str:
    """The text as the steps normalise it."""
    lines = unicodedata.normalize("NFC", raw.decode()).splitlines()
    return "".join(line.rstrip() + "\n" for line in lines)


def counted(path: str, raw: bytes) -> dict[str, Any]:
    """What counting says of `raw`, but for its task."""
    text = normalised(raw)
    words = re.findall(r"\w+", text.casefold())
    top = sorted(Counter(words), key=lambda word: (-words.count(word), word))[:5]
    return {
        **fetched(path, text.encode()),
        "lines": len(text.splitlines()),
        "words": len(words),
        "top": top,
    }


def listing(files: list[dict[str, Any]]) -> str:
    """The file that `write_paths` makes."""
    return "".join(f"{one['sha256']}  {one['bytes']:>9}  {one['path']}\n" for one in files)


def merged(files: list[tuple[str, bytes]]) -> str:
    """The file that `merge_files` makes."""
    return "".join(f"==> {path} <==\n{normalised(raw)}" for path, raw in files)


def without_task(told: Any) -> Any:
    """A result without the ids of the tasks that hold its files."""
    if isinstance(told, list):
        return [without_task(one) for one in told]
    return {name: value for name, value in told.items() if name != "task"}
