"""A worker whose queue is deleted, or whose channel the broker closes, consumes again."""

from collections.abc import Iterator

import pytest

from harness.lab import Lab
from harness.node import RabbitNode
from lab.broker import amqp
from tests.vhosts import make_vhost

METHODS = {"rabbitmq": amqp.RABBITMQ_QUEUE, "celery": amqp.CELERY_QUEUE}
AGAIN_SECONDS = 20.0  # ten are promised; the machine may be busy


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def own_lab(tmp_path_factory: pytest.TempPathFactory, node: RabbitNode) -> Iterator[Lab]:
    """A lab with a worker of each method, on queues that are this module's alone."""
    with Lab(tmp_path_factory.mktemp("lost-queues"), make_vhost(node)) as running:
        running.start_consumer(2)
        running.start_celery(2)
        yield running


def _delete(lab: Lab, queue: str) -> None:
    with amqp.connected(lab.env["RMQ_URL"], "test") as connection:
        connection.channel().queue_delete(queue)


def _runs(lab: Lab, method: str, **fields: object) -> None:
    tasks = lab.submit(method, 0, 3, **fields)
    lab.wait_for([task["id"] for task in tasks], timeout=AGAIN_SECONDS)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("urgent", [False, True])
def test_a_worker_whose_queue_was_deleted_consumes_again(own_lab: Lab, method: str, urgent: bool) -> None:
    queue = amqp.priority_queue(METHODS[method]) if urgent else METHODS[method]
    fields = {"priority": 5} if urgent else {}
    _runs(own_lab, method, **fields)
    for _ in range(2):
        _delete(own_lab, queue)
        _runs(own_lab, method, **fields)


def test_celery_tells_of_what_it_breaks_off_when_its_queue_is_deleted(own_lab: Lab) -> None:
    (task,) = own_lab.submit("celery", 60)
    own_lab.wait_for([task["id"]], "IN_PROGRESS")
    _delete(own_lab, amqp.CELERY_QUEUE)
    own_lab.wait_for([task["id"]], "RETRYING", timeout=AGAIN_SECONDS)
    assert own_lab.task(task["id"])["error"].startswith("broken off: ")


@pytest.mark.parametrize("method", METHODS)
def test_a_worker_whose_queue_was_deleted_and_declared_consumes_again(own_lab: Lab, method: str) -> None:
    with amqp.connected(own_lab.env["RMQ_URL"], "test") as connection:
        channel = connection.channel()
        channel.queue_delete(METHODS[method])
        amqp.declare_topology(channel)
    _runs(own_lab, method)
