"""Any Celery client, and any Celery worker, with nothing but the broker's URL: neither imports the lab."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.lab import ROOT, Lab
from harness.node import RabbitNode
from tests.vhosts import make_vhost

GUIDE = (ROOT / "docs" / "celery-guide.md").read_text()
SENDS = """
import sys
from celery import Celery
app = Celery("elsewhere", broker=sys.argv[1])
print(app.send_task(sys.argv[2], args=eval(sys.argv[3]), queue="celery.open").id)
"""


@pytest.fixture(scope="module")
def own_lab(tmp_path_factory: pytest.TempPathFactory, node: RabbitNode) -> Iterator[Lab]:
    base = tmp_path_factory.mktemp("open-lab")
    with Lab(base, make_vhost(node), management_url=node.management_url) as running:
        running.start_celery(concurrency=1)
        yield running


def elsewhere(folder: Path, *command: str) -> str:
    """What a Python program prints that runs in a folder, and with an environment, of its own."""
    env = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def wait_until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def letter_of(lab: Lab, task_id: str, seconds: float = 60.0) -> dict[str, Any]:
    """The dead letter of a task, once there is one."""

    def found() -> list[dict[str, Any]]:
        letters = lab.session.get(f"{lab.url}/api/dead-letters").json()["dead_letters"]
        return [letter for letter in letters if letter["task_id"] == task_id]

    wait_until(lambda: bool(found()), seconds)
    (letter,) = found()
    return letter


def log(lab: Lab) -> str:
    return "\n".join(path.read_text() for path in lab.base.rglob("celery*.log"))


def test_any_client_sends_and_the_labs_worker_runs_it(own_lab: Lab, tmp_path: Path) -> None:
    task = elsewhere(tmp_path, "-c", SENDS, own_lab.env["RMQ_URL"], "process_task", "[2, 0.5]")
    wait_until(lambda: f"process_task[{task}] succeeded" in log(own_lab))
    assert "not tracked" in log(own_lab)
    assert "wrong for this task" not in log(own_lab)


def test_what_the_guide_types_in_any_folder_is_run(own_lab: Lab, tmp_path: Path) -> None:
    (text,) = re.findall(r"```python\n# from any folder\n(.*?)```", GUIDE, re.DOTALL)
    before = log(own_lab).count("succeeded")
    elsewhere(tmp_path, "-c", text.replace("amqp://student:qwerty@localhost:5672/", own_lab.env["RMQ_URL"]))
    wait_until(lambda: log(own_lab).count("succeeded") > before)


@pytest.mark.parametrize(
    ("task", "options", "why"),
    [
        ("make_tea", "", "no task of the name make_tea"),
        ("process_task", ", headers={'stamped_headers': 5}", ""),
    ],
    ids=["an unknown task", "a forged header"],
)
def test_what_no_worker_can_read_there_becomes_a_dead_letter(
    own_lab: Lab, tmp_path: Path, task: str, options: str, why: str
) -> None:
    sends = SENDS.replace('queue="celery.open"', f'queue="celery.open"{options}')
    sent = elsewhere(tmp_path, "-c", sends, own_lab.env["RMQ_URL"], task, "[2, 0.5]")
    assert letter_of(own_lab, sent)["queue"] == "celery.open"
    assert why in own_lab.session.get(f"{own_lab.url}/dead-letters").text


@pytest.mark.slow
def test_a_job_from_there_that_kills_its_process_is_given_up(own_lab: Lab, tmp_path: Path) -> None:
    sent = elsewhere(tmp_path, "-c", SENDS, own_lab.env["RMQ_URL"], "killer_task", "[0]")
    # Celery takes seconds for a new process each time.
    assert "killer_task" in str(letter_of(own_lab, sent, seconds=120))


WORKER = """
from celery import Celery
app = Celery("stock")

@app.task(name="theirs")
def theirs(x):
    return 6 * x
"""


def test_any_worker_can_be_pointed_at_it_and_runs_what_is_sent_to_it(own_lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "stock.py").write_text(WORKER)
    url = own_lab.env["RMQ_URL"]
    said = tmp_path / "said"
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "stock",
        "-b",
        url,
        "worker",
        "-n",
        "stock@%h",
        "-c",
        "1",
    ]
    with said.open("w") as out:
        worker = subprocess.Popen(
            [*command, "-Q", "celery.open,theirs", "--loglevel=info"],
            cwd=tmp_path,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        wait_until(lambda: "ready." in said.read_text())
        elsewhere(tmp_path, "-c", SENDS.replace("celery.open", "theirs"), url, "theirs", "[7]")
        wait_until(lambda: "succeeded in" in said.read_text())
    finally:
        os.killpg(worker.pid, signal.SIGTERM)
        worker.wait(30)
