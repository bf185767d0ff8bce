"""The Celery side as anybody's Celery project: commands, a Python shell, workers by name."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.lab import ROOT, Lab
from harness.node import RabbitNode
from harness.processes import ManagedProcess
from tests.celery_command import celery
from tests.vhosts import make_vhost


@pytest.fixture(scope="module")
def own_lab(tmp_path_factory: pytest.TempPathFactory, node: RabbitNode) -> Iterator[Lab]:
    """A lab on queues of its own, so that purging hurts nobody."""
    with Lab(tmp_path_factory.mktemp("celery-lab"), make_vhost(node)) as running:
        yield running


@pytest.fixture
def worker(own_lab: Lab) -> ManagedProcess:
    """A worker with two jobs at once; it goes on until a test asks for `nobody`."""
    for running in own_lab.workers:
        if running.running:
            return running
    return own_lab.start_celery(concurrency=2)


def _python(lab: Lab, text: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", text], cwd=ROOT, env=lab.env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_purge_empties_the_queue(own_lab: Lab, nobody: None) -> None:
    tasks = own_lab.submit("celery", 0, count=5)
    own_lab.wait_for([task["id"] for task in tasks], "PENDING")
    said = ""
    for _ in range(50):
        said = celery(own_lab, "purge", "-f")
        if "No messages" not in said:
            break
    assert "Purged" in said


def test_the_commands_of_the_guide_answer(own_lab: Lab, worker: ManagedProcess) -> None:
    registered = json.loads(celery(own_lab, "inspect", "registered", "--json"))
    assert {"process_task", "process_data"} <= set(next(iter(registered.values())))
    task = own_lab.submit("celery", 60.0)[0]["id"]  # on a busy machine the command takes seconds to start
    own_lab.wait_for([task], "IN_PROGRESS")
    active = json.loads(celery(own_lab, "inspect", "active", "--json"))
    assert [entry["id"] for entry in next(iter(active.values()))] == [task]
    stats = json.loads(celery(own_lab, "inspect", "stats", "--json"))
    assert next(iter(stats.values()))["pool"]["max-concurrency"] == 2
    own_lab.session.post(f"{own_lab.url}/api/tasks/{task}/cancel", timeout=30).raise_for_status()
    own_lab.wait_for([task], "CANCELLED")


def test_a_task_from_the_page_tells_its_state_and_its_result(own_lab: Lab, worker: ManagedProcess) -> None:
    done = own_lab.submit("celery", 0.2)[0]["id"]
    failed = own_lab.submit("celery", 0, kind="failing_task", max_retries=0)[0]["id"]
    own_lab.wait_for([done])
    own_lab.wait_for([failed], "FAILED")
    assert "success" in celery(own_lab, "result", done)
    said = _python(
        own_lab,
        "from celery.result import AsyncResult\n"
        "from celery_app import app\n"
        f"for one in ({done!r}, {failed!r}, 'unknown'):\n"
        "    result = AsyncResult(one)\n"
        "    print(result.state, result.result)\n"
        f"print(app.AsyncResult({done!r}).get(timeout=10)['status'])\n",
    )
    first, second, *others = said.splitlines()
    assert first.startswith("SUCCESS {'status': 'success'")
    assert second == "FAILURE TemporaryError: this job always fails"
    assert others == ["PENDING None", "success"]


def test_a_task_from_a_python_shell_runs_and_returns_though_nobody_knows_it(
    own_lab: Lab, worker: ManagedProcess
) -> None:
    said = _python(
        own_lab,
        "from celery_tasks import process_data, process_task\n"
        "task = process_task.delay(7, 0.1, 'celery')\n"
        "print(task.id, task.get(timeout=30))\n"
        "print(process_data.delay([1, 2, 3]).get(timeout=30)['mean'])\n",
    )
    assert "{'status': 'success', 'task_num': 7}" in said
    assert said.splitlines()[-1] == "2.0"
    assert own_lab.session.get(f"{own_lab.url}/api/tasks/{said.split()[0]}", timeout=10).status_code == 404


def test_celerys_own_shell_has_all_tasks_under_their_names(own_lab: Lab, worker: ManagedProcess) -> None:
    typed = "print('sum', add.delay(4, 6).get(timeout=30), multiply.name, word_count.name)\n"
    said = celery(own_lab, "shell", "--python", typed=typed)
    assert "sum 10 multiply word_count" in said


def test_a_worker_logs_arrival_start_and_end_as_the_guide_shows(own_lab: Lab, worker: ManagedProcess) -> None:
    task = own_lab.submit("celery", 0.1)[0]
    own_lab.wait_for([task["id"]])
    number = task["num"]
    line = worker.wait_for_log(f"Received task: process_task[{task['id']}] ({number}, 0.1)")
    assert line.startswith("[20")
    assert "] celery.worker.strategy: " in line
    assert worker.wait_for_log(f"Celery Worker celery: Начало обработки задачи {number}")
    assert worker.wait_for_log(f"Celery Worker celery: Задача {number} завершена успешно")


def test_workers_of_both_modes_run_celerys_own_pool(own_lab: Lab, nobody: None, tmp_path: Path) -> None:
    naive = Lab(tmp_path, own_lab.env["RMQ_URL"], env={"DELIVERY": "naive"})
    workers = own_lab.start_celery(1, "safe"), naive.start_celery(1, "naive")
    told = json.loads(celery(own_lab, "inspect", "stats", "--json"))
    assert {name.split("@")[0]: stats["pool"]["implementation"] for name, stats in told.items()} == {
        "safe": "celery.concurrency.prefork:TaskPool",
        "naive": "celery.concurrency.prefork:TaskPool",
    }
    prefetched = {name.split("@")[0]: stats["prefetch_count"] for name, stats in told.items()}
    assert prefetched == {"safe": 1, "naive": 4}
    for worker in workers:
        worker.terminate(timeout=30)
    naive.stop()


@pytest.mark.slow
def test_three_workers_share_the_jobs(own_lab: Lab, nobody: None) -> None:
    workers = [own_lab.start_celery(concurrency=1, name=f"celery{n}") for n in range(3)]
    tasks = [task["id"] for task in own_lab.submit("celery", 0.3, count=15)]
    told = own_lab.wait_for(tasks, timeout=60)
    assert len({task["worker"] for task in told.values()}) == 3
    for worker in workers:
        worker.terminate(timeout=30)


def test_a_worker_that_is_killed_loses_nothing(own_lab: Lab, nobody: None) -> None:
    victim = own_lab.start_celery(concurrency=2, name="victim")
    tasks = [task["id"] for task in own_lab.submit("celery", 2.0, count=2)]
    own_lab.wait_for(tasks, "IN_PROGRESS")
    victim.kill_group()
    heir = own_lab.start_celery(concurrency=2, name="heir")
    told = own_lab.wait_for(tasks, timeout=60)
    heir.terminate(timeout=30)
    for task in told.values():
        assert (task["attempt"], task["worker"].split("@")[0]) == (2, "heir")


def test_results_are_kept_where_the_setting_says(own_lab: Lab) -> None:
    assert Path(own_lab.env["LAB_VAR"], "results.sqlite3").exists()
