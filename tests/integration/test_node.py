"""A private RabbitMQ node, for real."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pika
import pytest

from harness import proc
from harness.node import LoginRefused, NodeError, RabbitNode, can_log_in

# Skips, or fails in CI, where RabbitMQ is missing.
pytestmark = [pytest.mark.usefixtures("node"), pytest.mark.slow]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitNode]:
    """A node that may be stopped and killed."""
    with RabbitNode(tmp_path_factory.mktemp("own"), management=False) as running:
        yield running


def keep(node: RabbitNode, queue: str) -> None:
    with pika.BlockingConnection(pika.URLParameters(node.url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
        channel.basic_publish("", queue, b"kept", pika.BasicProperties(delivery_mode=2), mandatory=True)


def take(node: RabbitNode, queue: str) -> bytes | None:
    with pika.BlockingConnection(pika.URLParameters(node.url)) as connection:
        channel = connection.channel()
        channel.queue_declare(queue, passive=True)
        body: bytes | None = channel.basic_get(queue, auto_ack=True)[2]
        return body


def listeners(pids: list[int]) -> set[str]:
    """The addresses on which processes listen, as in /proc/net/tcp and tcp6 (state 0A, proc_pid_net(5))."""
    inodes = set()
    for pid in pids:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            target = os.readlink(descriptor)
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    rows = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    return {row[1].split(":")[0] for row in rows if row[3] == "0A" and row[9] in inodes}


def test_a_node_starts_and_answers_a_login(node: RabbitNode) -> None:
    keep(node, "login")
    assert take(node, "login") == b"kept"
    assert "student\t[administrator]" in node.ctl("list_users")


def test_a_wrong_password_is_no_login(node: RabbitNode) -> None:
    assert can_log_in(node.url)
    with pytest.raises(LoginRefused, match="takes no such user and password"):
        can_log_in(node.url.replace("qwerty", "wrong"))


def test_a_node_listens_on_loopback_only(node: RabbitNode) -> None:
    loopback = {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}
    found = listeners([node.server.pid, node.epmd.pid])
    assert found
    assert found <= loopback


def test_a_stopped_node_leaves_no_process_and_no_epmd_and_its_durable_queues_outlive_it(
    own: RabbitNode,
) -> None:
    keep(own, "stopped")
    family = proc.family(own.server.pid) + proc.family(own.epmd.pid)
    own.ctl("version")
    own.stop()
    assert proc.wait_gone(family, 5) == []
    assert proc.with_environment("RABBITMQ_MNESIA_BASE", str(own.base / "data")) == []
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", own.ports.epmd), 1).close()
    own.start()
    assert take(own, "stopped") == b"kept"


def test_a_durable_queue_outlives_a_kill(own: RabbitNode) -> None:
    keep(own, "killed")
    # RabbitMQ 3.10 writes a quorum queue's registration up to 3 s late (dets(3), delayed_write): killed
    # before, the queue is there afterwards and answers nobody.
    time.sleep(4)
    own.kill()
    own.start()
    assert take(own, "killed") == b"kept"


def test_a_later_node_on_other_ports_finds_the_data_of_an_earlier_one(own: RabbitNode) -> None:
    keep(own, "moved")
    own.stop()
    with RabbitNode(own.base, management=False) as later:
        assert later.url != own.url
        assert take(later, "moved") == b"kept"
    RabbitNode.__init__(own, own.base, amqp_port=own.ports.amqp, management=False)
    own.start()


def test_two_nodes_live_side_by_side(node: RabbitNode, own: RabbitNode) -> None:
    keep(node, "mine")
    assert "mine" in node.ctl("list_queues", "name")
    assert "mine" not in own.ctl("list_queues", "name")
    assert take(node, "mine") == b"kept"


def test_a_node_can_be_started_from_a_thread_that_ends(tmp_path: Path) -> None:
    node = RabbitNode(tmp_path, management=False)
    thread = threading.Thread(target=node.start)
    thread.start()
    thread.join()
    try:
        node.wait_ready(5)
    finally:
        node.stop()


def test_a_refused_command_is_an_error_with_its_output(node: RabbitNode) -> None:
    with pytest.raises(NodeError, match=r"(?s)rabbitmqctl no_such_command failed:.*no_such_command"):
        node.ctl("no_such_command")


def test_a_node_that_cannot_start_leaves_nothing_and_shows_its_log(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        node = RabbitNode(tmp_path, amqp_port=listener.getsockname()[1], management=False)
        with pytest.raises(NodeError, match=r"(?s)RabbitMQ ended while starting:.*eaddrinuse"):
            node.start()
    assert proc.with_environment("RABBITMQ_MNESIA_BASE", str(tmp_path / "data")) == []
