"""A message made like another one is the message that Celery would have made."""

from collections.abc import Iterator
from typing import Any

import pytest
from celery.signals import before_task_publish

from celery_app import create_celery
from lab.delivery import Delivery
from lab.job import Job
from lab.options import Options
from lab.settings import Settings
from transports.celery_samples import Published, Samples
from transports.celery_transport import CeleryTransport, task_arguments
from transports.celery_window import CeleryWindow

FIRST = Job(task_id="first", num=1, params={"timeout": 1.0}, token="one")
OTHERS = [
    Job(task_id="other", num=123456, params={"timeout": 0.25}, token="another"),
    Job(task_id="ü", num=2, kind="process_data", params={"numbers": [1.0, 2.5]}, token="t"),
    Job(task_id="x", num=3, kind="add", params={"x": 1.0, "y": -2.0}, token="t", max_retries=0),
    Job(task_id="y", num=4, params={"timeout": 9.0}, token="t", time_limit=7.5),
    Job(task_id="z", num=5, kind="word_count", params={"text": "wörter " * 300}, token="t"),
]


@pytest.fixture
def transport(brokered: Settings) -> Iterator[CeleryTransport]:
    made = CeleryTransport(brokered, lambda job, attempt: pytest.fail("no report"))
    yield made
    made.close()


@pytest.fixture
def window(brokered: Settings) -> Iterator[CeleryWindow]:
    app = create_celery(brokered, Delivery.SAFE)
    made = CeleryWindow(app)
    yield made
    made.wait(made.batch)
    made.producer.channel.queue_purge("celery")
    made.close()
    app.close()


def sent(transport: CeleryTransport, window: CeleryWindow, job: Job) -> Published:
    """What Celery's own send_task publishes for `job`."""
    transport._send(window.app, window.producer, job, Delivery.SAFE)
    assert window.last is not None
    return window.last


@pytest.mark.parametrize("other", OTHERS, ids=lambda job: job.task_id)
def test_every_property_and_header_is_as_celery_has_it(
    transport: CeleryTransport, window: CeleryWindow, other: Job
) -> None:
    alike = ("kind", "params", "max_retries", "time_limit")
    first = FIRST.model_copy(update={name: getattr(other, name) for name in alike})
    samples = Samples(window.app)
    samples.keep(first, sent(transport, window, first))
    like, own = samples.like(other, *task_arguments(other)), sent(transport, window, other)
    assert like is not None
    assert (like.exchange, like.routing_key, like.mandatory) == ("celery", "celery", True)
    assert (own.exchange, own.routing_key, own.mandatory) == ("celery", "celery", True)
    assert like.message.body == own.message.body
    assert on_the_wire(like) == on_the_wire(own)


def on_the_wire(published: Published) -> dict[str, Any]:
    """The properties that are sent, with the headers as what they are."""
    names = [name for name, _ in type(published.message).PROPERTIES]
    properties = published.message.properties
    return {name: properties[name] for name in names if name in properties}


def test_there_is_a_sample_for_each_kind_and_its_limits(
    transport: CeleryTransport, window: CeleryWindow
) -> None:
    samples = Samples(window.app)
    samples.keep(FIRST, sent(transport, window, FIRST))
    assert samples.like(OTHERS[0], *task_arguments(OTHERS[0])) is not None
    for other in OTHERS[1:]:
        assert samples.like(other, *task_arguments(other)) is None


@pytest.mark.parametrize(
    "more",
    [
        {"options": Options(keep_result=True)},
        {"options": Options(priority=3)},
        {"options": Options(not_before_us=1)},
        {"link": FIRST},
        {"link_error": FIRST},
        {"group_id": "g"},
    ],
)
def test_what_more_goes_with_a_job_celery_makes_anew(more: dict[str, Any]) -> None:
    assert Samples.fits(FIRST)
    assert not Samples.fits(FIRST.model_copy(update=more))


def test_who_listens_to_celerys_signals_gets_them_for_each_message() -> None:
    def listen(**_: object) -> None:
        """Does nothing."""

    before_task_publish.connect(listen)
    try:
        assert not Samples.fits(FIRST)
    finally:
        before_task_publish.disconnect(listen)
    assert Samples.fits(FIRST)
