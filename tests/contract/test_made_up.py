"""A contender that nobody has made: one row of the table, a transport and a worker are all that it needs."""

import inspect
import time
from collections.abc import Callable, Iterator

import pytest

from harness.lab import Lab
from harness.node import RabbitNode
from tests.contract import test_transports
from tests.own_project import copied_project
from tests.vhosts import make_vhost

PIGEON = "pigeon"
ROW = """
PIGEON: Final = Method(
    name="pigeon",
    queue="pigeons",
    transport="transports.pigeon:PigeonTransport",
    control=None,
    colour="#666666",
    in_guide=N_("pigeons"),
    contenders={delivery: Contender(label="Pigeons", about="they find home") for delivery in Delivery},
)
"""
TRANSPORT = '''
"""Publishes as the hand-written transport does, into a queue of its own."""

from transports.methods import PIGEON
from transports.rabbitmq.transport import RabbitMQTransport


class PigeonTransport(RabbitMQTransport):
    name = PIGEON.name
    label = "Pigeons"
    queue = PIGEON.queue
'''
WORKER = """
from lab.broker import amqp

amqp.RABBITMQ_QUEUE = "pigeons"

from consumer.__main__ import main

main()
"""
PROMISES = [
    promise
    for name, promise in vars(test_transports).items()
    if name.startswith("test_") and "method" in inspect.signature(promise).parameters
]


@pytest.fixture(scope="module")
def pigeons(tmp_path_factory: pytest.TempPathFactory, node: RabbitNode) -> Iterator[Lab]:
    """A lab with that contender in its table, and its worker."""
    root = copied_project(tmp_path_factory.mktemp("pigeons") / "project")
    table = root / "transports" / "methods.py"
    before, all_of_them, after = table.read_text().partition("METHODS: Final")
    after = after.replace("(CELERY, RABBITMQ, SYNC)", "(CELERY, RABBITMQ, SYNC, PIGEON)", 1)
    table.write_text(f"{before}{ROW}{all_of_them}{after}")
    (root / "transports" / "pigeon.py").write_text(TRANSPORT)
    (root / "pigeon_worker.py").write_text(WORKER)
    base = tmp_path_factory.mktemp("lab")
    with Lab(base, make_vhost(node), management_url=node.management_url, root=root) as lab:
        worker = lab.process("pigeons", "-m", "pigeon_worker")
        lab.workers.append(worker)
        worker.start().wait_for_log("waiting for tasks", timeout=60)
        yield lab


@pytest.mark.slow
@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_it_keeps_what_every_method_promises(pigeons: Lab, promise: Callable[[Lab, str], None]) -> None:
    promise(pigeons, PIGEON)


@pytest.mark.slow
def test_an_experiment_compares_it(pigeons: Lab) -> None:
    plan = {"arms": [{"method": PIGEON}, {"method": "sync"}], "jobs": 50, "repetitions": 2}
    answer = pigeons.session.post(f"{pigeons.url}/api/experiments", json=plan, timeout=30)
    assert answer.status_code == 202, answer.text
    url, deadline = f"{pigeons.url}{answer.headers['Location']}", time.monotonic() + 120
    while (told := pigeons.session.get(url, timeout=30).json())["status"] in ("PENDING", "IN_PROGRESS"):
        assert time.monotonic() < deadline, told["step"]
        time.sleep(0.1)
    assert told["status"] == "DONE", told["error"]
    report = pigeons.session.get(f"{url}/report.md", timeout=30).text
    assert "Pigeons" in report


@pytest.mark.slow
@pytest.mark.parametrize("path", ["", "?method=pigeon", "control", "experiments", "metrics", "openapi.json"])
def test_the_pages_know_it(pigeons: Lab, path: str) -> None:
    answer = pigeons.session.get(f"{pigeons.url}/{path}", timeout=30)
    assert answer.ok, answer.text
    assert PIGEON in answer.text.lower()
