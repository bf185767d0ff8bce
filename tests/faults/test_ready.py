"""What `/readyz` says while parts of the lab hang, are gone, or are short of something."""

import time
from collections.abc import Callable, Iterator

import pytest

from harness import faults
from harness.lab import Lab
from harness.node import RabbitNode
from tests.faults.stage import Stage
from tests.vhosts import make_vhost

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def ready_stage(own_node: RabbitNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A stage with a worker of each method."""
    url, base = make_vhost(own_node), tmp_path_factory.mktemp("ready")
    with Lab(base, url, management_url=own_node.management_url) as lab:
        lab.start_consumer(1)
        lab.start_celery(1)
        yield Stage(lab, own_node, "rabbitmq", url.rpartition("/")[2], url)


def _wait_until(stage: Stage, true: Callable[[int, dict[str, object]], bool], seconds: float = 60.0) -> None:
    """Waits until `true` holds for the status and the body of `/readyz`, each answer of which comes in time."""
    deadline = time.monotonic() + seconds
    while True:
        begin = time.monotonic()
        answer = stage.lab.session.get(f"{stage.lab.url}/readyz", timeout=30)
        took = time.monotonic() - begin
        assert took < 3, "it is to answer within two seconds"
        if true(answer.status_code, answer.json()):
            return
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.2)


def _is_ready(status: int, _body: dict[str, object]) -> bool:
    return status == 200


def test_a_broker_that_hangs_is_named_in_time(ready_stage: Stage) -> None:
    _wait_until(ready_stage, _is_ready)
    ready_stage.node.server.pause()
    try:
        _wait_until(ready_stage, lambda status, body: status == 503 and "broker" in str(body["detail"]))
        for _ in range(30):
            _wait_until(ready_stage, lambda status, body: status == 503 and "broker" in str(body["detail"]))
            time.sleep(0.5)
    finally:
        ready_stage.node.server.resume()
    _wait_until(ready_stage, _is_ready)


@pytest.mark.parametrize("alarm", ["memory", "disk"])
def test_an_alarm_is_named_there_and_on_the_page(ready_stage: Stage, alarm: str) -> None:
    _wait_until(ready_stage, _is_ready)
    strike = faults.memory_alarm if alarm == "memory" else faults.disk_alarm
    said = f"the broker's {alarm} alarm is on: publishing is blocked"
    ready_stage.lab.session.cookies.set("lang", "en")
    with strike(ready_stage.node):
        _wait_until(ready_stage, lambda _, body: said in body["details"])  # type: ignore[operator]
        assert (
            f"{alarm} alarm: publishing is blocked" in ready_stage.lab.session.get(ready_stage.lab.url).text
        )
    _wait_until(ready_stage, lambda status, body: status == 200 and not body["details"])


def test_a_queue_that_nobody_consumes_is_named(ready_stage: Stage) -> None:
    _wait_until(ready_stage, _is_ready)
    consumer = next(worker for worker in ready_stage.lab.workers if worker.log.stem == "consumer")
    faults.kill_worker(consumer)
    _wait_until(ready_stage, lambda _, body: body.get("detail") == "no worker consumes tasks")
    consumer.start()
