"""docs/own-tasks.md, followed word by word: its code into its file, a lab started with it, its commands sent."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.lab import ROOT, Lab
from harness.node import RabbitNode
from tests.own_project import own_project
from tests.vhosts import make_vhost

PAGE = (ROOT / "docs" / "own-tasks.md").read_text()
CODE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
REQUESTS = [json.loads(body) for body in re.findall(r"-d '(\{.*?\})'", PAGE)]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as it is, and the page's two functions in the file that it names."""
    code = "\n\n".join(code for code in CODE if "\ndef " in f"\n{code}")
    return own_project(tmp_path_factory.mktemp("project"), code)


@pytest.fixture(scope="module")
def own_lab(project: Path, tmp_path_factory: pytest.TempPathFactory, node: RabbitNode) -> Iterator[Lab]:
    with Lab(tmp_path_factory.mktemp("own-lab"), make_vhost(node), root=project) as running:
        running.start_celery(concurrency=1)
        running.start_consumer(concurrency=1)
        yield running


def send(lab: Lab, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    answer = lab.session.post(f"{lab.url}/api/tasks", json=body, timeout=30)
    found: dict[str, Any] = answer.json()
    return answer.status_code, found


@pytest.mark.parametrize("method", ["celery", "rabbitmq", "sync"])
def test_the_page_shows_a_function_that_runs_by_every_method(own_lab: Lab, method: str) -> None:
    (body,) = (one for one in REQUESTS if one["method"] == method and one["times"] == 2)
    status, answer = send(own_lab, body)
    assert status == (201 if method == "sync" else 202), answer
    task = answer["tasks"][0]["id"]
    own_lab.wait_for([task])
    assert own_lab.task(task)["result"] == "Hello, Ada! Hello, Ada!"


def test_a_wrong_parameter_is_answered_with_its_name(own_lab: Lab) -> None:
    status, answer = send(own_lab, REQUESTS[-1])
    assert status == 422
    assert [error["field"] for error in answer["errors"]] == ["times"]


@pytest.mark.parametrize("method", ["celery", "rabbitmq"])
def test_a_function_with_a_context_tells_its_progress(own_lab: Lab, method: str) -> None:
    body = {"method": method, "kind": "slow_sum", "numbers": [1, 2, 3.5], "seconds_each": 0.1}
    task = send(own_lab, body)[1]["tasks"][0]["id"]
    own_lab.wait_for([task])
    assert own_lab.task(task)["result"] == 6.5


def test_the_line_for_a_python_shell_works(own_lab: Lab) -> None:
    (lines,) = (code for code in CODE if "send_task" in code)
    done = subprocess.run(
        [sys.executable, "-c", lines],
        cwd=own_lab.root,
        env=own_lab.env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_the_forms_have_its_fields_and_the_description_its_parameters(own_lab: Lab) -> None:
    page = own_lab.session.get(own_lab.url, timeout=30).text
    for method in ("celery", "rabbitmq", "sync"):
        assert f'id="{method}-greeting.name"' in page
        assert f'id="{method}-greeting.loud"' in page
    described = own_lab.session.get(f"{own_lab.url}/openapi.json", timeout=30).text
    assert "Says hello to somebody" in described
    assert "Adds numbers up" in described


@pytest.mark.parametrize("method", ["celery", "rabbitmq", "sync"])
def test_a_form_sends_it(own_lab: Lab, method: str) -> None:
    session = own_lab.session
    page = session.get(own_lab.url, timeout=30).text
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert token is not None
    form = {
        "csrf_token": token[1],
        "method": method,
        "kind": "greeting",
        "count": "1",
        "timeout": "5",
        "greeting.name": f"{method} form",
        "greeting.times": "1",
        "greeting.loud": "true",
    }
    assert session.post(f"{own_lab.url}/submit", data=form, timeout=30).ok
    newest = session.get(f"{own_lab.url}/api/tasks?method={method}&limit=1", timeout=30).json()["tasks"][0]
    own_lab.wait_for([newest["id"]])
    assert own_lab.task(newest["id"])["result"] == f"HELLO, {method.upper()} FORM!"
