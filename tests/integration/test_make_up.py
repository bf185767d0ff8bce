"""`make up`'s own command, for real: everything starts, everything ends."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from harness import proc
from harness.plan import MARK
from harness.ports import free_port

# Skips, or fails in CI, where RabbitMQ is missing; each lab here starts a node of its own.
pytestmark = [pytest.mark.usefixtures("node"), pytest.mark.timeout(240)]

ROOT = Path(__file__).resolve().parents[2]
OWN = (
    "RMQ_URL",
    "DATABASE_URL",
    "CELERY_BROKER_URL",
    "RESULT_BACKEND",
    "API_URL",
    "LAB_HOST",
    "LAB_USER",
    "LAB_PASSWORD",
    "RMQ_PASSWORD",
)
UP = [sys.executable, "-m", "harness", "up"]


def await_(done: Callable[[], Any], timeout: float, what: Callable[[], str] = str) -> Any:
    deadline = time.monotonic() + timeout
    while not (found := done()):
        assert time.monotonic() < deadline, what()
        time.sleep(0.1)
    return found


class RunningLab:
    """A lab below a folder; it can be started there again and again."""

    def __init__(self, folder: Path) -> None:
        self.var = folder / "var"
        self.out = folder / "out"
        self.page = f"http://127.0.0.1:{free_port()}"
        self.env = {name: value for name, value in os.environ.items() if name not in OWN} | {
            "LAB_VAR": str(self.var),
            "PORT": self.page.rpartition(":")[2],
            "LAB_RABBITMQ_PORT": str(free_port()),
            "LAB_RABBITMQ_MANAGEMENT_PORT": str(free_port()),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, command: list[str] = UP, **changes: str) -> "RunningLab":
        with self.out.open("wb") as out:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=self.env | changes, stdout=out, stderr=out, start_new_session=True
            )
        return self

    def said(self) -> str:
        return self.out.read_text()

    def wait_up(self) -> "RunningLab":
        def is_up() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, self.said()
            return "Ctrl-C ends all of it" in self.said()

        await_(is_up, 90, self.said)
        return self

    def send(self, sig: signal.Signals, timeout: float = 60.0) -> int:
        assert self.process is not None
        self.process.send_signal(sig)
        return self.process.wait(timeout)

    def left(self) -> list[int]:
        return proc.with_environment(MARK, str(self.var))

    def pid(self, program: str) -> int:
        found = [line.split() for line in self.supervisorctl("status").splitlines() if program in line]
        return int(found[0][3].rstrip(",")) if found and found[0][1] == "RUNNING" else 0

    def supervisorctl(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "supervisor.supervisorctl", "-c", str(self.var / "supervisord.conf")]
        return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=30).stdout

    def submit(self, method: str) -> str:
        answer = requests.post(f"{self.page}/api/tasks", json={"method": method, "timeout": 0.1}, timeout=10)
        answer.raise_for_status()
        return str(answer.json()["tasks"][0]["id"])

    def status(self, task: str) -> str:
        return str(requests.get(f"{self.page}/api/tasks/{task}", timeout=10).json()["status"])

    def wait_done(self, task: str) -> None:
        await_(lambda: self.status(task) == "DONE", 30, lambda: f"{task} is {self.status(task)}")

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.send(signal.SIGTERM, 60)
        proc.send(self.left(), signal.SIGKILL)


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[RunningLab]:
    lab = RunningLab(tmp_path)
    yield lab
    lab.end()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    lab = RunningLab(tmp_path_factory.mktemp("up"))
    try:
        yield lab.start().wait_up()
    finally:
        lab.end()


@pytest.mark.smoke
def test_the_lab_answers_and_says_where_everything_is(running: RunningLab) -> None:
    assert requests.get(f"{running.page}/healthz", timeout=5).ok
    for text in (running.page, f"http://127.0.0.1:{running.env['LAB_RABBITMQ_MANAGEMENT_PORT']}/", "qwerty"):
        assert text in running.said()
    assert str(running.var / "log") in running.said()
    assert "\033" not in running.said()


@pytest.mark.parametrize("method", ["celery", "rabbitmq", "sync"])
def test_a_job_of_each_method_is_done(running: RunningLab, method: str) -> None:
    running.wait_done(running.submit(method))


def test_what_the_lab_keeps_is_its_owners_alone(running: RunningLab) -> None:
    running.wait_done(running.submit("celery"))
    open_ones = [
        str(path.relative_to(running.var))
        for path in [running.var, *running.var.rglob("*")]
        if "rmq" not in path.parts and not path.is_symlink() and path.stat().st_mode & 0o077
    ]
    assert open_ones == []


def test_supervisorctl_lists_the_programs(running: RunningLab) -> None:
    lines = running.supervisorctl("status").splitlines()
    assert [line.split()[:2] for line in lines] == [
        [name, "RUNNING"] for name in ("api", "celery_beat", "celery_worker", "consumer", "epmd", "rmq")
    ]


@pytest.mark.parametrize(("program", "method"), [("celery_worker", "celery"), ("consumer", "rabbitmq")])
def test_a_killed_worker_is_started_again_and_reported(
    running: RunningLab, program: str, method: str
) -> None:
    former = running.pid(program)
    os.kill(former, signal.SIGKILL)
    new = await_(lambda: (pid := running.pid(program)) != former and pid, 20)
    await_(lambda: f"{program} ended and was started again (pid {new})." in running.said(), 5, running.said)
    running.wait_done(running.submit(method))


def test_a_second_lab_on_the_same_folder_is_refused(running: RunningLab) -> None:
    second = subprocess.run(UP, cwd=ROOT, env=running.env, capture_output=True, text=True, timeout=30)
    assert second.returncode == 1
    assert second.stdout == (
        f"A lab is running on {running.var} already: end it first, or set LAB_VAR to another folder.\n"
    )
    assert second.stderr == ""


# One lab, ended in every way: each start takes a quarter of a minute.
@pytest.mark.timeout(400)
def test_whatever_ends_a_lab_leaves_nothing_and_the_next_start_has_all_history(fresh: RunningLab) -> None:
    fresh.start(RMQ_PASSWORD="first").wait_up()
    tasks = [fresh.submit(method) for method in ("celery", "rabbitmq", "sync")]
    for task in tasks:
        fresh.wait_done(task)
    # Ctrl-C
    assert fresh.send(signal.SIGINT) == 0
    assert fresh.left() == []
    fresh.start(RMQ_PASSWORD="first").wait_up()
    assert [fresh.status(task) for task in tasks] == ["DONE"] * 3
    # killed
    assert fresh.send(signal.SIGKILL) == -signal.SIGKILL
    assert proc.wait_gone(fresh.left(), 40) == []
    fresh.start(RMQ_PASSWORD="first").wait_up()
    assert [fresh.status(task) for task in tasks] == ["DONE"] * 3
    # Ctrl-C twice
    assert fresh.process is not None
    fresh.process.send_signal(signal.SIGINT)
    await_(lambda: "Ending the lab" in fresh.said(), 5)
    assert fresh.send(signal.SIGINT) == 0
    assert fresh.left() == []
    # Another password than the broker's data have ends the next start, with what to do.
    fresh.start(RMQ_PASSWORD="second")
    assert fresh.process is not None
    assert fresh.process.wait(60) == 1
    assert (
        f"The data of RabbitMQ in {fresh.var / 'rmq'} were made with another user or password" in fresh.said()
    )
    assert "second" not in fresh.said()
    assert fresh.left() == []


def test_ctrl_c_while_starting_ends_everything(fresh: RunningLab) -> None:
    fresh.start()
    await_(lambda: "RabbitMQ is starting" in fresh.said() and fresh.left(), 30)
    assert fresh.send(signal.SIGINT) == 0
    assert fresh.left() == []


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_a_lab_under_make_ends_with_a_signal_to_make_alone(fresh: RunningLab, tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text(f"up:\n\t@cd {ROOT} && exec {' '.join(UP)}\n")
    fresh.start(["make", "-f", str(tmp_path / "Makefile"), "up"]).wait_up()
    fresh.send(signal.SIGINT)
    assert fresh.left() == []


@pytest.mark.parametrize("name", ["PORT", "LAB_RABBITMQ_PORT", "LAB_RABBITMQ_MANAGEMENT_PORT"])
def test_a_taken_port_that_was_asked_for_is_one_sentence(fresh: RunningLab, name: str) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", int(fresh.env[name])))
        listener.listen()
        fresh.start()
        assert fresh.process is not None
        assert fresh.process.wait(30) == 1
    assert fresh.said() == (
        f"Port {fresh.env[name]} is taken by another program: set {name} to a free one, or unset it.\n"
    )
    assert fresh.left() == []


@pytest.mark.slow
def test_a_store_that_cannot_be_prepared_ends_the_start_with_its_reason(fresh: RunningLab) -> None:
    fresh.start(DATABASE_URL="no-such-kind://x")
    assert fresh.process is not None
    assert fresh.process.wait(60) == 1
    assert "The store could not be prepared (store.migrate):" in fresh.said()
    assert fresh.left() == []


def test_a_second_lab_on_the_same_virtual_host_is_refused_and_the_first_goes_on(
    running: RunningLab, fresh: RunningLab
) -> None:
    broker = f"amqp://student:qwerty@127.0.0.1:{running.env['LAB_RABBITMQ_PORT']}//"
    fresh.start(RMQ_URL=broker)
    assert fresh.process is not None
    assert fresh.process.wait(60) == 1
    assert "Another lab uses the virtual host that RMQ_URL names" in fresh.said()
    assert "is up" not in fresh.said()
    assert fresh.left() == []
    for method in ("celery", "rabbitmq"):
        running.wait_done(running.submit(method))


@pytest.mark.slow
def test_a_wrong_password_ends_the_start_with_a_sentence_that_does_not_show_it(
    running: RunningLab, fresh: RunningLab
) -> None:
    fresh.start(RMQ_URL=f"amqp://student:guessed@127.0.0.1:{running.env['LAB_RABBITMQ_PORT']}/")
    assert fresh.process is not None
    assert fresh.process.wait(60) == 1
    assert "takes no such user and password: correct RMQ_URL." in fresh.said()
    assert "guessed" not in fresh.said()
    assert fresh.left() == []
