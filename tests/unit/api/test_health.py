from flask.testing import FlaskClient

from api.services import Services
from api.store import NewTask


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
