"""Celery's side of a job, in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# Imports once, and runs each case in a fork of its own.
PROGRAM = """
import json, os, sys
import celery_tasks
from celery.exceptions import SoftTimeLimitExceeded
from lab.status import UpdateAnswer

def case(request, kwargs, answer, strikes_at, raises):
    told, jobs = [], []

    def report_of(job, worker, attempt, *, redelivered=False):
        jobs.append([attempt, redelivered, job.beside, job.token, job.retries, job.max_retries])
        def report(status, *, error=None, **_):
            told.append([str(status), error])
            if len(told) == strikes_at:
                raise SoftTimeLimitExceeded()
            return UpdateAnswer.model_validate({"task_id": job.task_id} | answer)
        return report

    if raises:
        class Mute(Exception):
            def __str__(self):
                raise KeyboardInterrupt
        def raising(context, **_):
            raise eval(raises, globals() | {"Mute": Mute})
        celery_tasks.KINDS["add"] = raising
    celery_tasks.report_of = report_of
    task = celery_tasks.celery_app.tasks[request.pop("task")]
    task.push_request(
        id="t", hostname="me@here", called_directly=False, ignore_result=True, kwargs=kwargs, **request
    )
    try:
        ended = ["returned", task.run(**kwargs)]
    except BaseException as error:
        ended = [type(error).__name__, str(error)]
    print(json.dumps([ended, told, jobs]), flush=True)

for line in sys.stdin:
    child = os.fork()
    if not child:
        case(*json.loads(line))
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        print("null", flush=True)
"""
ADD = {"x": 1, "y": 2}
Ended = tuple[list[Any], list[list[str | None]], list[list[Any]]]
"""How the task ended, what it told, and of which job."""


class Run:
    """Runs a task as Celery's worker does, case after case."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(
        self,
        request: dict[str, Any] | None = None,
        kwargs: dict[str, Any] = ADD,
        answer: dict[str, Any] | None = None,
        strikes_at: int = 0,
        raises: str = "",
    ) -> Ended:
        case = [{"task": "add", **(request or {})}, kwargs, answer or {}, strikes_at, raises]
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(case), file=self._process.stdin, flush=True)
        ended, statuses, jobs = json.loads(self._process.stdout.readline())
        return ended, statuses, jobs


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """One process for all cases."""
    base = tmp_path_factory.mktemp("celery-tasks")
    env = {**os.environ, "LAB_VAR": str(base), "RMQ_URL": "amqp://nobody:secret@127.0.0.1:1/"}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Run(process)


def test_a_job_is_told_of_as_it_begins_and_as_it_ends(run: Run) -> None:
    ended, told, jobs = run()
    assert ended == ["returned", 3]
    assert told == [["IN_PROGRESS", None], ["DONE", None]]
    assert jobs == [[1, False, False, "", 0, 3]]


@pytest.mark.parametrize("strikes_at", [1, 2], ids=["it asks whether to run", "it tells its end"])
def test_a_job_whose_time_is_over_while_it_reports_ends_failed(run: Run, strikes_at: int) -> None:
    ended, told, _ = run(strikes_at=strikes_at)
    assert ended[0] == "SoftTimeLimitExceeded"
    assert told[-1][0] == "FAILED"
    assert "SoftTimeLimitExceeded" in str(told[-1][1])


@pytest.mark.parametrize(
    ("request_", "job"),
    [
        (
            {"headers": {"lab_token": "t", "lab_max_retries": 1, "lab_attempt": 4}, "retries": 2},
            [4, False, False, "t", 2, 1],
        ),
        ({"headers": {"x-delivery-count": 2}}, [3, True, False, "", 0, 3]),
        ({"delivery_info": {"redelivered": True}}, [2, True, False, "", 0, 3]),
        ({"headers": {"lab_beside": True}}, [1, False, True, "", 0, 3]),
    ],
    ids=["carried on", "counted by a quorum queue", "redelivered by a classic queue", "beside its path"],
)
def test_a_messages_headers_say_which_attempt_it_is_and_how_to_report(
    run: Run, request_: dict[str, Any], job: list[Any]
) -> None:
    assert run(request_)[2] == [job]


@pytest.mark.parametrize(
    "forged",
    [
        {"headers": {"lab_attempt": "first"}},
        {"headers": {"lab_attempt": 10**400}},
        {"headers": {"lab_attempt": [1]}},
        {"headers": {"lab_max_retries": "many"}},
        {"headers": {"lab_max_retries": 10**9}},
        {"headers": {"lab_retry": "soon"}},
        {"headers": {"lab_retry": {"first_seconds": "x"}}},
        {"headers": {"lab_token": {"a": 1}}},
        {"retries": -1},
    ],
    ids=lambda forged: str(forged)[:40],
)
def test_a_message_with_forged_headers_is_rejected_and_runs_nothing(run: Run, forged: dict[str, Any]) -> None:
    ended, told, jobs = run(forged)
    assert ended[0] == "Reject"
    assert ended[1].endswith(", False)")  # not requeued: it becomes a dead letter
    assert (told, jobs) == ([], [])


def test_a_job_that_fails_raises_its_error_after_it_was_told(run: Run) -> None:
    ended, told, _ = run(kwargs={"x": 1, "y": "2"})
    assert ended[0] == "TypeError"
    assert [status for status, _ in told] == ["IN_PROGRESS", "FAILED"]


@pytest.mark.parametrize(
    ("raises", "ended", "text"),
    [
        ("ValueError('no')", ["ValueError", "no"], "ValueError: no"),
        ("SystemExit('bye')", "JobFailed", "SystemExit: bye"),
        ("KeyboardInterrupt()", "JobFailed", "KeyboardInterrupt: "),
        ("GeneratorExit()", "JobFailed", "GeneratorExit: "),
        ("BaseException('own')", "JobFailed", "BaseException: own"),
        ("MemoryError()", "JobFailed", "MemoryError: "),
        ("celery_tasks.Reject('no', True)", "JobFailed", "Reject: ('no', True)"),
        ("celery_tasks.Ignore()", "JobFailed", "Ignore: "),
        ("Mute()", "JobFailed", "Mute: (what it says cannot be told: KeyboardInterrupt)"),
        ("ValueError('x' * 9000)", "JobFailed", "ValueError: " + "x" * 1988),
    ],
)
def test_celery_is_given_no_error_that_it_would_take_for_an_order_or_end_of(
    run: Run, raises: str, ended: str | list[str], text: str
) -> None:
    found, told, _ = run(raises=raises)
    assert found == (ended if isinstance(ended, list) else [ended, text])
    assert told == [["IN_PROGRESS", None], ["FAILED", text]]


@pytest.mark.parametrize(
    "routing_key", ["celery.priority", "0.1.0.1.celery.priority"], ids=["now", "delayed"]
)
def test_a_redelivered_message_of_the_priority_queue_is_not_run_and_stays_while_the_broker_is_away(
    run: Run, routing_key: str
) -> None:
    info = {"redelivered": True, "routing_key": routing_key}
    ended, told, jobs = run({"delivery_info": info})
    assert ended == ["Reject", "('[Errno 111] Connection refused', True)"]  # it is requeued
    assert (told, jobs) == ([], [])


def test_a_message_of_the_priority_queue_that_comes_first_is_run(run: Run) -> None:
    info = {"redelivered": False, "routing_key": "celery.priority"}
    assert run({"delivery_info": info})[0] == ["returned", 3]


DONE = {"status": "DONE", "result": 3}
FAILED = {"status": "FAILED", "result": "ValueError: no"}


@pytest.mark.parametrize(
    ("request_", "answer", "ended"),
    [
        ({}, DONE, ["Ignore", ""]),
        ({"callbacks": [1]}, DONE, ["returned", 3]),
        ({"chain": [1]}, DONE, ["returned", 3]),
        ({"chord": {"task": "x"}}, DONE, ["returned", 3]),
        ({}, FAILED, ["Ignore", ""]),
        ({"errbacks": [1]}, FAILED, ["JobFailed", "ValueError: no"]),
        ({"chord": {"task": "x"}}, FAILED, ["NeverRun", "task t was cancelled"]),
        ({"callbacks": [1]}, {"cancel": True}, ["Ignore", ""]),
        ({"chain": [1]}, {"cancel": True}, ["NeverRun", "task t was cancelled"]),
        ({"chain": [1]}, {"skip": True}, ["Ignore", ""]),
    ],
    ids=lambda forged: str(forged)[:40],
)
def test_a_job_that_is_not_run_ends_as_what_follows_it_needs(
    run: Run, request_: dict[str, Any], answer: dict[str, Any], ended: list[Any]
) -> None:
    found, told, _ = run(request_, answer=answer)
    assert found == ended
    assert told[0] == ["IN_PROGRESS", None]
    assert [status for status, _ in told[1:]] == (["CANCELLED"] if answer.get("cancel") else [])


def shell(tmp_path: Path, *lines: str) -> list[str]:
    """What Python prints of these lines, where neither broker nor API answers."""
    env = {
        **os.environ,
        "LAB_VAR": str(tmp_path),
        "RMQ_URL": "amqp://nobody:secret@127.0.0.1:1/",
        "API_URL": "http://127.0.0.1:1/update_task_status_api/",
    }
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "task_status_api" not in done.stderr
    return done.stdout.splitlines()


def test_a_task_is_called_as_the_function_that_it_is(tmp_path: Path) -> None:
    said = shell(
        tmp_path,
        "from celery_tasks import add, multiply, process_data, process_task, word_count",
        "print(add(4, 5), multiply(x=2, y=3), add(4, 5))",
        "print(process_data([1, 2, 3])['mean'], word_count('a b a'), process_task(7, 0.6)['task_num'])",
        "print(add.map([(1, 2)]).type.name, add.starmap([(1, 2), (3, 4)]).apply().get())",
        "try: add(1, 'x')",
        "except TypeError: print('TypeError')",
    )
    assert said == ["9 6 9", "2.0 {'a': 2, 'b': 1} 7", "celery.map [3, 7]", "TypeError"]


def test_each_task_has_a_name_of_its_own_and_can_be_imported(tmp_path: Path) -> None:
    said = shell(
        tmp_path,
        "import celery_tasks",
        "from celery_app import app, celery_app",
        "from lab.jobs.kinds import KINDS",
        "tasks = {n: t for n, t in app.tasks.items() if not n.startswith('celery.')}",
        "print([n for n, t in tasks.items() if t.__name__ != n])",
        "print([n for n, t in tasks.items() if getattr(celery_tasks, n) != t])",
        "print(app is celery_app, KINDS.keys() - tasks.keys())",
    )
    assert said == ["[]", "[]", "True set()"]


@pytest.mark.parametrize(
    ("call", "refusal"),
    [
        ("add.delay(4)", "add lacks its parameter 'y'"),
        ("add.apply_async(kwargs={'x': 4})", "add lacks its parameter 'y'"),
        ("add.delay(4, 5, 6)", "add takes 2 parameters"),
        ("add.delay(4, 5, z=6)", "add takes no parameter 'z'"),
    ],
)
def test_arguments_that_a_task_does_not_take_are_refused_where_it_is_sent(
    tmp_path: Path, call: str, refusal: str
) -> None:
    said = shell(
        tmp_path, "from celery_tasks import add", f"try: {call}", "except TypeError as error: print(error)"
    )
    assert said == [refusal]


def test_the_names_of_tasks_that_celery_alone_has_are_known_to_the_kinds(tmp_path: Path) -> None:
    said = shell(
        tmp_path,
        "import celery_tasks",
        "from celery_app import app",
        "from lab.jobs.kinds import CELERYS, KINDS",
        "tasks = {n for n in app.tasks if not n.startswith('celery.')}",
        "print(tasks - KINDS.keys() == CELERYS, CELERYS & KINDS.keys())",
    )
    assert said == ["True set()"]
