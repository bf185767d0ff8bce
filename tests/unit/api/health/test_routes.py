import threading
import time

import pytest
from flask.testing import FlaskClient

from api.services import Services
from store.tasks import NewTask


def test_alive_needs_neither_store_nor_broker(client: FlaskClient) -> None:
    assert client.get("/healthz").json == {"status": "ok"}


def test_not_ready_names_what_cannot_be_reached(client: FlaskClient) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json["detail"] == "broker cannot be reached"


def test_metrics_tell_tasks_by_method_and_status_and_what_is_up(client: FlaskClient, parts: Services) -> None:
    parts.store.add(NewTask("celery", "process_task", {"timeout": 1.0}, 1.0), 2, relay="r")
    text = client.get("/metrics").text
    assert 'lab_tasks{method="celery",status="PENDING"} 2.0' in text
    assert 'lab_up{part="store"} 1.0' in text
    assert 'lab_up{part="broker"} 0.0' in text
    assert "lab_outbox_tasks 2.0" in text


def test_a_broker_that_is_away_is_shown_with_its_queues_unknown(parts: Services) -> None:
    picture = parts.watch.refresh()
    assert picture["broker"]["up"] is False
    assert picture["workers"] == {"celery": None, "rabbitmq": None}
    assert [queue["ready"] for queue in picture["queues"]] == [None, None]


class Hangs:
    """A part that does not answer until it is let go."""

    def __init__(self) -> None:
        self.asked, self.go_on = threading.Event(), threading.Event()

    def __call__(self, *_: object) -> None:
        self.asked.set()
        self.go_on.wait(30)


@pytest.mark.parametrize(("part", "method"), [("store", "ping"), ("broker", "_open_channel")])
def test_ready_answers_in_time_and_names_what_hangs(
    client: FlaskClient, parts: Services, monkeypatch: pytest.MonkeyPatch, part: str, method: str
) -> None:
    hangs = Hangs()
    monkeypatch.setattr(parts.store if part == "store" else parts.watch, method, hangs)
    parts.watch.start()
    try:
        assert hangs.asked.wait(10)
        begin = time.monotonic()
        answer = client.get("/readyz")
        assert time.monotonic() - begin < 2
    finally:
        hangs.go_on.set()
    assert answer.status_code == 503
    assert part in answer.json["detail"]


def _seen(parts: Services, monkeypatch: pytest.MonkeyPatch, **facts: object) -> None:
    """Has the watch see a lab where all is well but for `facts`."""
    well = {
        **parts.watch.snapshot(),
        "store": {"up": True},
        "broker": {"up": True, "since": None},
        "workers": {"celery": 1, "rabbitmq": 1},
    }
    monkeypatch.setattr(parts.watch, "within", lambda *_: {**well, **facts})


@pytest.mark.parametrize(
    ("workers", "detail"),
    [
        ({"celery": 1, "rabbitmq": 0}, "no worker consumes tasks"),
        ({"celery": 0, "rabbitmq": 0}, "no worker consumes celery; no worker consumes tasks"),
        ({"celery": 1, "rabbitmq": None}, "a queue is missing"),
    ],
)
def test_a_lab_whose_queue_nobody_consumes_is_not_ready(
    client: FlaskClient,
    parts: Services,
    monkeypatch: pytest.MonkeyPatch,
    workers: dict[str, int | None],
    detail: str,
) -> None:
    _seen(parts, monkeypatch)
    assert client.get("/readyz").status_code == 200
    _seen(parts, monkeypatch, workers=workers)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["detail"]) == (503, detail)


def test_details_name_alarms_and_tasks_that_are_nowhere(
    client: FlaskClient, parts: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    _seen(parts, monkeypatch, alarms=["memory"], nowhere=12)
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json["details"] == [
        "the broker's memory alarm is on: publishing is blocked",
        "12 tasks are nowhere: in no queue, and with no worker",
    ]
    text = client.get("/metrics").text
    assert "lab_tasks_nowhere 12.0" in text
    assert 'lab_broker_alarm{resource="memory"} 1.0' in text
    assert 'lab_broker_alarm{resource="disk"} 0.0' in text
