"""What workers tell of their usage, and setting them alike: real processes, a real broker."""

import time
from collections.abc import Iterator

import pytest

from experiments.equalise import Equaliser
from experiments.fairness import fairness_of
from experiments.plan import Arm, Plan
from experiments.usage import UsageMeter
from harness.lab import Lab
from harness.node import RabbitNode
from lab.settings import Settings
from tests.vhosts import make_vhost
from transports.control import CONTROLS, Control, create_control

pytestmark = pytest.mark.slow

PLAN = Plan(arms=[Arm(method="celery"), Arm(method="rabbitmq"), Arm(method="sync")], jobs=1)


@pytest.fixture(scope="module")
def own_lab(tmp_path_factory: pytest.TempPathFactory, node: RabbitNode) -> Iterator[Lab]:
    """A lab with a Celery worker of three processes, and consumers of two threads and of three."""
    base = tmp_path_factory.mktemp("usage-lab")
    with Lab(base, make_vhost(node), management_url=node.management_url) as running:
        running.start_celery(concurrency=3)
        running.start_consumer(concurrency=2)
        running.start_consumer(concurrency=3, name="other")
        yield running


@pytest.fixture
def settings(own_lab: Lab) -> Settings:
    return Settings.from_env(own_lab.env)


@pytest.fixture
def controls(settings: Settings) -> Iterator[dict[str, Control]]:
    made = {name: create_control(name, settings) for name in CONTROLS}
    yield made
    for control in made.values():
        control.close()


@pytest.mark.parametrize(("method", "workers"), [("celery", 1), ("rabbitmq", 2)])
def test_workers_count_what_they_use(
    own_lab: Lab, settings: Settings, controls: dict[str, Control], method: str, workers: int
) -> None:
    assert {one.delivery for one in controls[method].usage()} == {"safe"}
    meter = UsageMeter(controls, settings)
    meter.begin(Arm(method=method))  # type: ignore[arg-type]
    tasks = own_lab.submit(method, 0.01, count=30)
    own_lab.wait_for([task["id"] for task in tasks])
    used = meter.end()["workers"]
    assert used.cpu_seconds is not None
    assert 0.01 <= used.cpu_seconds < 60
    assert workers * 20_000_000 < (used.memory or 0) < 4_000_000_000
    assert 30 * 200 < (used.bytes_in or 0) < 30 * 5_000  # a message with its headers each
    assert 10 <= (used.bytes_out or 0) < 30 * 1_000


def test_an_answer_is_not_waited_for_when_enough_have_come(controls: dict[str, Control]) -> None:
    begin = time.monotonic()
    assert controls["rabbitmq"].usage(enough=1, timeout=30.0)
    assert controls["celery"].usage(enough=1, timeout=30.0)
    assert time.monotonic() - begin < 30


def test_the_workers_are_set_alike_and_back(controls: dict[str, Control], settings: Settings) -> None:
    def sizes(method: str) -> list[int | None]:
        return sorted(one.concurrency or 0 for one in controls[method].pictures())

    with Equaliser(controls, PLAN):
        pictures = [one for control in controls.values() for one in control.pictures()]
        found = {row.key: row for row in fairness_of(PLAN, pictures, settings, equalised=True)}
        assert found["concurrency"].values == ["3", "3", "3"]
        assert found["concurrency"].done
        assert found["prefetch"].values == ["3", "3", "none"]
        assert found["workers"].values == ["1", "2", "none"]
        assert found["pool"].values == ["processes", "threads", "threads"]
        assert found["acknowledgement"].values == ["after the job", "after the job", "none"]
        celery, pika, _none = found["versions"].values  # the same where they work as where they publish
        assert celery.startswith("celery 5")
        assert pika.startswith("pika 1")
        assert "; " not in celery + pika
        assert sizes("rabbitmq") == [1, 2]
    assert (sizes("celery"), sizes("rabbitmq")) == ([3], [2, 3])


def test_jobs_run_on_workers_that_were_set_alike(own_lab: Lab, controls: dict[str, Control]) -> None:
    with Equaliser(controls, PLAN):
        tasks = [task["id"] for name in CONTROLS for task in own_lab.submit(name, 0.05, count=10)]
        own_lab.wait_for(tasks)
