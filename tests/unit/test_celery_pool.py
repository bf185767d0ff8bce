"""What the pool does with answers and ends, without processes: `tests/integration/test_celery_pool.py` has them."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery
from celery.concurrency.prefork import TaskPool
from celery.exceptions import SoftTimeLimitExceeded

import celery_reporting
from celery_pool import Pool, Request
from lab.forwarder import Wish
from lab.lines import Line
from lab.reporter import ReportFailed
from lab.status import TaskStatus, Verdict

app = Celery(set_as_current=False)


@app.task(name="some", acks_late=True)  # type: ignore[untyped-decorator]
def some() -> None:
    """A task."""


class Link:
    """Stands in for the forwarder: keeps what is sent for it, until somebody answers."""

    alive = True

    def __init__(self) -> None:
        self.sent: list[tuple[Wish, Line, Callable[[Any], object]]] = []

    def send(self, wish: Wish, line: Line, on_answer: Callable[[Any], object]) -> None:
        self.sent.append((wish, line, on_answer))

    def drain(self, seconds: float) -> None:
        return None


class Stage:
    """A pool, the jobs that went to its processes, and what became of one request's message."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ran: list[tuple[Any, Any, dict[str, Any]]] = []
        self.fate: list[str] = []

        def apply_async(_: Any, target: Any, args: Any = None, kwargs: Any = None, **options: Any) -> None:
            self.ran.append((target, args, options))

        monkeypatch.setattr(TaskPool, "apply_async", apply_async)
        self.pool = Pool(limit=1, app=app)
        self.link = self.pool._link = Link()  # type: ignore[assignment]

    def request(self, **headers: Any) -> Request:
        message = SimpleNamespace(
            headers={"id": "x", "task": "some", "lab_token": "t", "ignore_result": True, **headers},
            body=b"",
            payload=([], {}, {}),
            content_type="application/json",
            content_encoding="utf-8",
            delivery_info={"redelivered": headers.get("redelivered", False)},
            properties={},
        )
        return Request(
            message,
            app=app,
            task=app.tasks["some"],
            hostname="worker@host",
            on_ack=lambda *_: self.fate.append("acknowledged"),
            on_reject=lambda *_: self.fate.append("rejected"),
        )

    def begin(self, request: Request) -> None:
        callbacks = {"callback": request.on_success, "error_callback": request.on_failure}
        self.pool.apply_async("trace", ("some", "x"), **callbacks)

    def answer(self, answer: Verdict | ReportFailed | None) -> None:
        self.link.sent.pop(0)[2](answer)


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(monkeypatch)


def test_a_job_goes_to_its_process_when_the_answer_is_there(stage: Stage) -> None:
    stage.begin(stage.request())
    ((wish, line, _),) = stage.link.sent
    assert (wish, stage.ran) == (Wish.ASK, [])
    assert b'"status":"IN_PROGRESS"' in line.json
    stage.answer(Verdict(task_id="x"))
    ((target, (run, answer, trace, args), _options),) = stage.ran
    assert (target, answer, trace, args) == (celery_reporting.run, b"", "trace", ("some", "x"))
    assert run.encode() in line.json


def test_what_there_is_more_to_an_answer_goes_with_the_job(stage: Stage) -> None:
    stage.begin(stage.request())
    stage.answer(Verdict(task_id="x", status=TaskStatus.DONE, result=7))
    answer = stage.ran[0][1][1]
    assert Verdict.model_validate_json(answer) == Verdict(task_id="x", status=TaskStatus.DONE, result=7)


def test_without_an_answer_the_jobs_process_asks_again_for_the_same_run(stage: Stage) -> None:
    stage.begin(stage.request())
    run = stage.link.sent[0][1].json
    stage.answer(None)
    name, answer = stage.ran[0][1][:2]
    assert answer is None
    assert name.encode() in run


@pytest.mark.parametrize(
    "headers", [{"redelivered": True}, {"x-delivery-count": 1}, {"lab_token": ""}, {"lab_token": "\ud800"}]
)
def test_a_job_that_came_before_or_is_nobodys_is_asked_for_by_its_own_process(
    stage: Stage, headers: dict[str, Any]
) -> None:
    stage.begin(stage.request(**headers))
    assert [(target, args) for target, args, _ in stage.ran] == [("trace", ("some", "x"))]
    assert not stage.link.sent


def test_when_the_brokers_connection_is_lost_while_a_job_is_asked_for_it_comes_again(stage: Stage) -> None:
    stage.begin(stage.request())
    stage.pool._connection += 1
    stage.answer(Verdict(task_id="x"))
    assert not stage.ran


def test_a_message_is_acknowledged_when_its_jobs_end_was_taken(stage: Stage) -> None:
    stage.begin(stage.request())
    stage.answer(Verdict(task_id="x"))
    stage.ran[0][2]["callback"]((0, ("None", b',"status":"DONE"}'), 0.1))
    assert stage.fate == []
    assert stage.link.sent[0][1].json.endswith(b',"status":"DONE"}')
    stage.answer(Verdict(task_id="x"))
    assert stage.fate == ["acknowledged"]


def test_a_message_whose_jobs_end_nobody_took_goes_back(stage: Stage) -> None:
    stage.begin(stage.request())
    stage.answer(Verdict(task_id="x"))
    stage.ran[0][2]["callback"]((0, ("None", b',"status":"DONE"}'), 0.1))
    stage.answer(ReportFailed("the disk is full"))
    assert stage.fate == ["rejected"]


def test_without_its_forwarder_the_worker_tells_an_end_by_itself(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Line] = []
    stage.begin(stage.request())
    stage.answer(Verdict(task_id="x"))
    stage.link.alive = False

    def settle(line: Line) -> None:
        told.append(line)
        if len(told) > 1:
            raise ReportFailed("nobody")

    monkeypatch.setattr(celery_reporting, "settle", settle)
    for _ in range(2):
        request = stage.request()
        lines = request.lines()
        assert lines is not None
        stage.pool._on_result(request, lines, (0, ("None", b',"status":"DONE"}'), 0.1))
    assert (len(told), stage.fate) == (2, ["acknowledged", "rejected"])


def test_a_job_that_the_time_limit_struck_at_its_very_end_is_told_of_as_failed(stage: Stage) -> None:
    stage.begin(stage.request())
    stage.answer(Verdict(task_id="x"))
    error = SoftTimeLimitExceeded()
    info = SimpleNamespace(
        exception=error, exc_info=(type(error), error, None), traceback="", tb=None, type=type(error)
    )
    stage.ran[0][2]["error_callback"](info)
    assert b'"status":"FAILED"' in stage.link.sent[0][1].json
    assert stage.fate == []
    stage.answer(Verdict(task_id="x"))
    assert stage.fate == ["acknowledged"]


def test_a_job_without_anything_left_to_tell_is_acknowledged_at_once(stage: Stage) -> None:
    stage.begin(stage.request())
    stage.answer(Verdict(task_id="x"))
    stage.ran[0][2]["callback"]((0, "None", 0.1))
    assert (stage.fate, stage.link.sent) == (["acknowledged"], [])
