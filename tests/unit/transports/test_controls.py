"""The asking side of both methods, without a broker; with one: tests/integration/test_control.py."""

import pytest

from lab.settings import Settings
from transports import TRANSPORTS, transport_class
from transports.celery_control import _plain
from transports.control import CONTROLS, Control, ControlError, create_control, read_picture

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
