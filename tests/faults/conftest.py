"""Stages for faults: real processes on a private node, a virtual host for each test."""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.lab import Lab
from harness.node import RabbitNode
from harness.proxy import TcpProxy
from lab.broker.installed import installed
from tests.conftest import missing
from tests.faults.stage import MakeStage, Stage, host_and_port
from tests.vhosts import make_vhost


@pytest.fixture(params=["celery", "rabbitmq"])
def method(request: pytest.FixtureRequest) -> str:
    """The transport under test."""
    return str(request.param)


@pytest.fixture(scope="session")
def fault_node(node: RabbitNode) -> RabbitNode:
    """The node for the tests that do the broker itself no harm."""
    return node


@pytest.fixture(scope="module")
def own_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitNode]:
    """A node of this module's own, to stop, kill and fill."""
    if not installed():
        missing("RabbitMQ")
    base = tmp_path_factory.mktemp("own-node")
    node = RabbitNode(base)
    # Quorum queues tell their depth every five seconds; the tests wait for it (milliseconds).
    (base / "advanced.config").write_text("[{rabbit, [{quorum_tick_interval, 200}]}].\n")
    with node:
        yield node


@pytest.fixture
def make_stage(tmp_path: Path) -> Iterator[MakeStage]:
    """Makes stages: `make_stage(node, method, delivery="safe", env={}, through=proxy)`, the last for a
    broker that is reached through a proxy."""
    with ExitStack() as stack:

        def make(
            node: RabbitNode,
            method: str,
            *,
            delivery: str = "safe",
            env: dict[str, str] | None = None,
            through: TcpProxy | None = None,
        ) -> Stage:
            vhost = f"t{secrets.token_hex(4)}"
            url = make_vhost(node, vhost)
            if through is not None:
                url = through.url(url)
            lab = Lab(
                tmp_path / vhost,
                url,
                management_url=node.management_url,
                env={"DELIVERY": delivery, **(env or {})},
            )
            stack.enter_context(lab)
            return Stage(lab, node, method, vhost, url, delivery)

        yield make


@pytest.fixture
def proxy_to_broker(fault_node: RabbitNode) -> Iterator[TcpProxy]:
    """A proxy before the shared node."""
    with TcpProxy(*host_and_port(fault_node.url)) as running:
        yield running


@pytest.fixture
def stage(make_stage: MakeStage, fault_node: RabbitNode, method: str) -> Stage:
    """A safe stage on the shared node, for each transport."""
    return make_stage(fault_node, method)


@pytest.fixture
def rough_stage(make_stage: MakeStage, own_node: RabbitNode, method: str) -> Stage:
    """A safe stage on the module's own node, for each transport."""
    return make_stage(own_node, method)
