"""The Celery guide and the README, tried: what they tell people to type works as it stands."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.lab import ROOT, Lab
from harness.node import RabbitNode
from harness.processes import ManagedProcess
from lab.settings import Settings
from tests.vhosts import make_vhost

GUIDE, GUIDE_RU = "docs/celery-guide.md", "docs/celery-guide.ru.md"
README, README_RU = "README.md", "README.ru.md"
EXEC = "docker compose exec celery_worker "
# How each command of the guide is tried: by a test below, by hand with containers, or by everybody.
KNOWN = (
    "docker compose ", "celery -A celery_app ", "curl ", "export ",
    "python3 -m venv .venv", ". .venv/bin/activate", "pip install -r requirements.txt",
)  # fmt: skip


def blocks(name: str, *languages: str) -> list[str]:
    """The fenced blocks of a document in these languages, without the indentation of a list."""
    found = re.findall(r"^ *```(\w+)\n(.*?)^ *```$", (ROOT / name).read_text(), re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(text) for language, text in found if language in languages]


def without_comments(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def commands(name: str) -> list[str]:
    """The commands of a document, each on one line."""
    shell = "\n".join(blocks(name, "bash")).replace("\\\n", " ")
    return [" ".join(line.split()) for line in without_comments(shell)]


def celery_commands(*wanted: str) -> list[str]:
    """The guide's different Celery commands with one of these subcommands, in containers or not."""
    typed = [line.removeprefix(EXEC) for line in commands(GUIDE)]
    return sorted({line for line in typed if line.startswith("celery ") and line.split()[3] in wanted})


@pytest.fixture(scope="module")
def guided(node: RabbitNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab on queues of its own, with the worker that the guide starts."""
    with Lab(tmp_path_factory.mktemp("guide"), make_vhost(node)) as running:
        (command,) = celery_commands("worker")
        worker = running.process("celery_worker", "-m", *shlex.split(command))
        running.workers.append(worker)
        worker.start().wait_for_log("ready.", timeout=60)
        yield running


def run(lab: Lab, *command: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Runs a Python command of the guide in the lab's environment; `typed` is what a person answers."""
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT, env=lab.env, input=typed, capture_output=True, text=True, timeout=90,
    )  # fmt: skip


def ask(lab: Lab, command: str) -> str:
    """What the workers answer to an `inspect` command; they are asked again where all are too busy."""
    for _ in range(5):
        done = run(lab, "-m", *shlex.split(command))
        if done.returncode == 0:
            break
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.smoke
@pytest.mark.parametrize(("english", "russian"), [(GUIDE, GUIDE_RU), (README, README_RU)])
def test_both_languages_hold_the_same_commands(english: str, russian: str) -> None:
    languages = ("bash", "python", "json", "text")
    first, second = blocks(english, *languages), blocks(russian, *languages)
    assert len(first) > 4
    assert [without_comments(text) for text in first] == [without_comments(text) for text in second]


def test_every_command_of_the_guide_is_of_a_kind_that_is_tried() -> None:
    assert [line for line in commands(GUIDE) if not line.startswith(KNOWN)] == []


@pytest.mark.parametrize(
    "command", [line for line in dict.fromkeys(commands(GUIDE) + commands(README)) if "compose" in line]
)
def test_a_compose_command_names_services_that_exist(command: str) -> None:
    compose = (ROOT / "docker-compose.yml").read_text().partition("\nservices:\n")[2]
    services = set(re.findall(r"^  (\w+):", compose.partition("\nvolumes:")[0], re.MULTILINE))
    verb, *arguments = shlex.split(command)[2:]
    assert verb in {"build", "up", "logs", "exec", "ps", "stop", "down"}
    named = [argument for argument in arguments[: 1 if verb == "exec" else None] if argument[0] != "-"]
    assert {argument.partition("=")[0] for argument in named} <= services


def test_the_container_runs_the_worker_that_the_guide_starts() -> None:
    compose = (ROOT / "docker-compose.yml").read_text()
    # On one machine the second worker needs a name of its own; a container has a host's name of its own.
    words = shlex.split(celery_commands("worker")[0].removesuffix(" -n dev@%h"))
    assert json.dumps(words) in compose


def test_what_the_guide_exports_are_the_defaults() -> None:
    exported = dict(
        line.removeprefix("export ").split("=", 1) for line in commands(GUIDE) if "export" in line
    )
    defaults = Settings.from_env({})
    assert exported == {"RMQ_URL": defaults.rmq_url, "API_URL": defaults.api_url}


@pytest.mark.parametrize("command", celery_commands("inspect"))
def test_the_workers_answer_what_the_guide_asks(guided: Lab, command: str) -> None:
    said = ask(guided, command)
    assert "1 node online." in said
    shown = {
        "active": "- empty -",
        "registered": "* process_data\n    * process_image\n    * process_task",
        "stats": '"pool": {',
    }
    assert shown[command.split()[-1]] in said


@pytest.mark.parametrize(
    "text", [text for text in blocks(GUIDE, "python") if text.startswith("from ")], ids=str.splitlines
)
def test_a_snippet_of_the_guide_runs(guided: Lab, text: str) -> None:
    done = run(guided, "-c", text)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("text", [text for text in blocks(GUIDE, "python") if text.startswith("# celery_")])
def test_an_excerpt_stands_in_its_file(text: str) -> None:
    title, *lines = text.splitlines()
    file = iter((ROOT / title.removeprefix("# ")).read_text().splitlines())
    for line in lines:
        assert line in file, line  # goes on where the line before was found


def test_what_the_guide_adds_to_the_two_files_works(guided: Lab, tmp_path: Path) -> None:
    additions = [text for text in blocks(GUIDE, "python") if not text.startswith(("from ", "# "))]
    assert len(additions) == 2
    task, schedule = sorted(additions)
    for name, text in (("celery_tasks.py", task), ("celery_app.py", schedule)):
        (tmp_path / name).write_text(f"{(ROOT / name).read_text()}\n\n{text}")
    (tmp_path / "var").mkdir()
    env = guided.env | {"PYTHONPATH": str(ROOT)}
    (command,) = celery_commands("beat")
    worker = "celery -A celery_app worker --loglevel=info --concurrency=1 -n own@%h -Q own"
    beat, own = (
        ManagedProcess(
            [sys.executable, "-m", *shlex.split(line)],
            env=env,
            log=guided.base / "log" / f"{name}.log",
            cwd=tmp_path,
        )
        for name, line in (("beat", command), ("own", worker))
    )
    try:
        beat.start().wait_for_log("beat: Starting", timeout=30)
        own.start().wait_for_log("ready.", timeout=60)
        text = (
            "from celery_tasks import my_task\n"
            "assert my_task.apply_async((6, 3), queue='own').get(timeout=30) == 2\n"
            "import time\n"
            "again = my_task.apply_async((1, 0), queue='own')\n"
            "end = time.monotonic() + 20\n"
            "while again.state != 'RETRY': assert time.monotonic() < end; time.sleep(0.1)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", text], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=90
        )
        assert done.returncode == 0, done.stderr
    finally:
        beat.kill_group()
        own.kill_group()


def test_another_worker_beside_the_first_one_answers_too(guided: Lab) -> None:
    (command,) = set(re.findall(r"`(celery -A celery_app worker [^`]*-n [^`]*)`", (ROOT / GUIDE).read_text()))
    second = guided.process("second", "-m", *shlex.split(command)).start()
    try:
        second.wait_for_log("ready.", timeout=60)
        deadline = time.monotonic() + 30
        while "2 nodes online." not in ask(guided, celery_commands("inspect")[0]):
            assert time.monotonic() < deadline
    finally:
        second.terminate(timeout=30)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("command", [line for line in commands(README) if line.startswith("curl")])
def test_the_readme_shows_the_answer_that_curl_gets(lab: Lab, command: str) -> None:
    typed = shlex.split(command.replace("http://localhost:8080", lab.url))
    answer = json.loads(subprocess.run([*typed, "-sS"], capture_output=True, text=True, timeout=30).stdout)
    (shown,) = [
        example["tasks"][0]
        for example in map(json.loads, blocks(README, "json"))
        if example["tasks"][0]["method"] in command
    ]
    (task,) = answer["tasks"]
    assert list(task) == list(shown)
    for name in ("method", "kind", "timeout", "status", "attempt", "progress", "worker", "error"):
        assert task[name] == shown[name]
    lab.wait_for([task["id"]])


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_guides_load_is_taken_and_its_purge_throws_the_rest_away(guided: Lab) -> None:
    (load,) = [line for line in commands(GUIDE) if line.startswith("curl")]
    typed = shlex.split(load.replace("http://localhost:8080", guided.url))
    answer = json.loads(subprocess.run([*typed, "-sS"], capture_output=True, text=True, timeout=30).stdout)
    assert len(answer["tasks"]) == 10
    guided.wait_for([task["id"] for task in answer["tasks"][:3]], "IN_PROGRESS")
    deadline = time.monotonic() + 20
    while not all(guided.task(task["id"])["published_at"] for task in answer["tasks"]):
        assert time.monotonic() < deadline
    (purge,) = celery_commands("purge")
    assert "Aborted" in run(guided, "-m", *shlex.split(purge), typed="n\n").stderr
    done = run(guided, "-m", *shlex.split(purge), typed="y\n")
    assert "Purged 7 messages from 3 known task queues" in done.stdout, done.stdout + done.stderr
    assert guided.task(answer["tasks"][-1]["id"])["status"] == "PENDING"
