"""The asking side of both methods, without a broker; with one: tests/integration/test_control.py."""

from pathlib import Path

import pika
import pytest

from lab.delivery import Delivery
from lab.settings import Settings
from transports import TRANSPORTS, create_transport, transport_class
from transports.celery.control import _plain
from transports.configuration import SAMPLE
from transports.control import CONTROLS, Control, ControlError, create_control, read_picture, read_usage
from transports.rabbitmq.control import tutorial_picture

NOWHERE = Settings.from_env({"RMQ_URL": "amqp://student:qwerty@127.0.0.1:1/"})


@pytest.fixture(params=CONTROLS)
def control(request: pytest.FixtureRequest) -> Control:
    return create_control(request.param, NOWHERE)


def test_each_method_with_a_broker_has_a_control_of_its_name() -> None:
    assert list(CONTROLS) == [name for name in TRANSPORTS if not transport_class(name).in_request]
    for name in CONTROLS:
        made, transport = create_control(name, NOWHERE), transport_class(name)
        assert (made.name, made.label) == (transport.name, transport.label) == (name, made.label)


def test_a_broker_that_is_away_is_one_error_whatever_is_asked(control: Control) -> None:
    for ask in (
        control.pictures,
        control.ping,
        control.usage,
        lambda: control.grow("x", 1),
        lambda: control.shrink("x", 1),
        lambda: control.rate_limit("process_task", "1/m"),
    ):
        with pytest.raises(ControlError):
            ask()
    control.close()


def test_a_worker_that_tells_nonsense_is_known_by_name_only() -> None:
    picture = read_picture("rabbitmq", "odd", {"active": 7, "concurrency": "many"})
    assert (picture.name, picture.method, picture.concurrency, picture.active) == (
        "odd",
        "rabbitmq",
        None,
        None,
    )


def test_a_worker_by_the_tutorial_is_known_by_what_all_of_them_are() -> None:
    picture = tutorial_picture(2)
    assert (picture.method, picture.name, picture.delivery) == ("rabbitmq", "tutorial-2", "naive")
    assert (picture.concurrency, picture.prefetch, picture.acknowledgement) == (1, 1, "after_job")
    assert (picture.pid, picture.active) == (None, None)


def test_usage_that_makes_no_sense_is_none() -> None:
    assert read_usage("odd", {"cpu_seconds": "much", "error": "?"}).cpu_seconds is None
    assert read_usage("even", {"cpu_seconds": 1.5, "ok": True}).cpu_seconds == 1.5


def test_a_configuration_is_that_of_the_mode(control: Control) -> None:
    safe, naive = control.configuration(Delivery.SAFE), control.configuration(Delivery.NAIVE)
    assert (safe.queue_type, naive.queue_type) == ("quorum", "classic")
    assert safe.acknowledgement == "after the job"
    assert (naive.acknowledgement == safe.acknowledgement) is (control.name == "rabbitmq")
    assert (safe.confirms, naive.confirms)[1] == "none"
    assert safe.confirms != "none"
    assert safe.durability == "queue and messages"
    assert safe.redelivery == "5 times"
    assert safe.message_bytes > 200
    assert safe.versions


def test_the_message_that_is_sized_is_the_one_that_is_sent(broker_url: str, control: Control) -> None:
    settings = NOWHERE.with_(rmq_url=broker_url, celery_broker_url=broker_url)
    transport = create_transport(control.name, settings, lambda job, attempt: None)  # type: ignore[arg-type, return-value]
    delivery = Delivery.NAIVE
    assert transport.submit([SAMPLE], delivery).error is None
    connection = pika.BlockingConnection(pika.URLParameters(broker_url))
    queue = delivery.queue(transport_class(control.name).queue or "")
    channel, found = connection.channel(), None
    while found != SAMPLE.task_id:  # other tests may have left something
        _, properties, body = channel.basic_get(queue, auto_ack=True)
        assert properties is not None
        found = properties.message_id or properties.correlation_id
    connection.close()
    transport.close()
    sent = len(body) + sum(map(len, properties.encode()))
    assert abs(control.configuration(delivery).message_bytes - sent) <= 0.1 * sent


def test_over_another_broker_celery_says_which(tmp_path: Path) -> None:
    settings = NOWHERE.with_(celery_broker_url="redis://127.0.0.1:1/0", var=tmp_path)
    found = create_control("celery", settings).configuration(Delivery.SAFE)
    assert (found.queue_type, found.confirms) == ("redis", "none")
    assert "redis" in found.versions


def test_a_worker_of_another_project_is_known_by_name_only() -> None:
    assert _plain({"error": "KeyError('lab_picture')"}) == {}


def test_celerys_figures_become_those_of_the_page() -> None:
    told = {
        "started_at": "2026-01-31T12:00:00.5+00:00",
        "active": [{"id": "x", "kind": "process_task", "num": 7, "since_s": 1769860800.25}],
        "begun": 5,
        "concurrency": 3,
    }
    picture = read_picture("celery", "me", _plain(told))
    assert picture.started_at == "2026-01-31T12:00:00.500000Z"
    assert picture.active
    assert picture.active[0].since == "2026-01-31T12:00:00.250000Z"
    assert picture.done == 4
