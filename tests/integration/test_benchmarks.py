"""The contenders themselves, with few jobs, over a real broker."""

from collections.abc import Iterator

import pytest

from benchmarks import outside
from benchmarks.__main__ import CONTENDERS
from benchmarks.clients import Ticks, Trouble
from benchmarks.contender import Contender
from benchmarks.stand import Stand
from benchmarks.turns import FOREIGN
from harness.node import RabbitNode
from lab.delivery import Delivery

pytestmark = pytest.mark.slow
BY_KEY = {one.key: one for one in CONTENDERS}


@pytest.fixture(scope="module")
def stand(node: RabbitNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    yield Stand(node, tmp_path_factory.mktemp("bench"))
    node.ctl("delete_vhost", "lab")


def measure(stand: Stand, key: str, jobs: int) -> float:
    contender: Contender = BY_KEY[key]
    if contender.c_only and stand.ceiling is None:
        pytest.skip(stand.why_no_ceiling)
    return contender.measure(stand, jobs).value


@pytest.mark.parametrize(
    "key", ["ceiling_quorum", "ceiling_classic", "pika_quorum", "ceiling_publish", "pika_publish"]
)
def test_clients_that_do_nothing_else_publish_and_take_every_message(stand: Stand, key: str) -> None:
    assert measure(stand, key, 3_000) > 0


@pytest.mark.parametrize(
    "key",
    ["consumer_untracked", "consumer_beside", "tutorial_beside", "celery_safe_equal", "celery_naive_beside"],
)
def test_workers_run_every_job_of_a_filled_queue(stand: Stand, key: str) -> None:
    assert measure(stand, key, 200) > 0
    assert stand.ticks.count == 200


@pytest.mark.parametrize("key", ["consumer_stored", "consumer_in_path", "celery_in_path"])
def test_tracked_jobs_all_come_to_stand_in_the_store(stand: Stand, key: str) -> None:
    measured = BY_KEY[key].measure(stand, 100)
    assert measured.more["all_done"] == 1.0


@pytest.mark.timeout(900)
@pytest.mark.parametrize("delivery", list(Delivery))
@pytest.mark.parametrize("method", ["celery", "rabbitmq"])
def test_an_experiment_agrees_with_the_same_contender_outside(
    stand: Stand, method: str, delivery: Delivery
) -> None:
    tries = []
    for _ in range(3):
        ratio = outside.compare(method, delivery, stand, 3_000).value
        foreign = stand.busy.foreign or 0.0
        # Beside other programs the two halves of a turn do not get the same share of the processors.
        if abs(ratio - 1.0) <= (0.1 if foreign <= FOREIGN else 0.5):
            return
        tries.append((ratio, foreign))
    pytest.fail(f"ratios, and what others took of the machine meanwhile: {tries}")


def test_the_relay_empties_the_outbox(stand: Stand) -> None:
    assert measure(stand, "relay_consumer", 600) > 0
    assert measure(stand, "delay_confirmed", 300) > 0


def test_the_time_to_a_jobs_start_is_noted_for_each(stand: Stand) -> None:
    for key in ("latency_pika", "latency_consumer", "idle_consumer"):
        assert measure(stand, key, 20) > 0


def test_jobs_that_do_not_run_are_told_of(stand: Stand) -> None:
    ticks = Ticks(stand.folder / "none")
    with pytest.raises(Trouble, match="0 of 1 jobs"):
        ticks.expect(1, seconds=0.05)
