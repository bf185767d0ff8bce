import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPConnectionError

from api.control.queues import DELAYS, is_ours, read_queues
from lab.settings import Settings

NAMES = [
    "tasks.dead",
    "celery_delayed_10",
    "tasks",
    "other",
    "celery_delayed_2",
    "tasks.delay.16s",
    "tasks.delay.2s",
    "tasks.naive",
    "tasks.priority",
    "celery.dead",
    "celery",
    "celery.naive",
    "celery@host.celery.pidbox",
    "tasks.naive.delay.1s",
]


class Management(BaseHTTPRequestHandler):
    """Answers as RabbitMQ's management API does."""

    status = 200
    body: Any = None
    asked: list[tuple[str, str]]

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers.get("Authorization", "")))
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(json.dumps(self.body).encode())

    def log_message(self, *_: Any) -> None:
        """Stays quiet."""


@pytest.fixture
def management() -> Iterator[type[Management]]:
    handler = type("Handler", (Management,), {"asked": [], "body": [{"name": name} for name in NAMES]})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        handler.port = server.server_port  # type: ignore[attr-defined]
        yield handler
        server.shutdown()
        thread.join()


def settings(management: Any, vhost: str = "") -> Settings:
    return Settings.from_env(
        {
            "RMQ_URL": f"amqp://me:p%40ss@127.0.0.1:1/{vhost}",
            "LAB_MANAGEMENT_API_URL": f"http://127.0.0.1:{management.port}/",
        }
    )


def test_the_labs_queues_stand_in_order_and_others_are_left_out(management: type[Management]) -> None:
    queues, source = read_queues(settings(management))
    assert source == "management"
    assert [queue["name"] for queue in queues] == [
        "celery", "celery.naive", "celery.dead",
        "tasks", "tasks.delay.2s", "tasks.delay.16s", "tasks.naive", "tasks.naive.delay.1s", "tasks.priority",
        "tasks.dead",
        DELAYS,
    ]  # fmt: skip
    assert {queue["method"] for queue in queues if queue["name"].startswith("tasks")} == {"rabbitmq"}


def test_celerys_delay_queues_are_one_line_with_their_sums(management: type[Management]) -> None:
    management.body = [
        {"name": "celery_delayed_0", "type": "quorum", "messages_ready": 2, "memory": 10},
        {"name": "celery_delayed_1", "type": "quorum", "messages_ready": 3},
    ]
    (line,), _ = read_queues(settings(management))
    assert (line["folded"], line["ready"], line["memory"], line["consumers"]) == (2, 5, 10, None)
    assert line["parts"] == [
        {"name": "celery_delayed_0", "ready": 2},
        {"name": "celery_delayed_1", "ready": 3},
    ]


def test_figures_are_those_of_the_management_api(management: type[Management]) -> None:
    management.body = [
        {
            "name": "tasks",
            "type": "quorum",
            "messages_ready": 4,
            "messages_unacknowledged": 3,
            "consumers": 2,
            "memory": 9,
            "message_bytes": 8,
            "message_stats": {
                "publish_details": {"rate": 1.5},
                "deliver_get_details": {"rate": 2.5},
                "ack_details": {"rate": 3.5},
            },
        }
    ]
    (queue,), _ = read_queues(settings(management))
    assert [queue[n] for n in ("ready", "unacknowledged", "consumers", "memory", "bytes")] == [4, 3, 2, 9, 8]
    assert [queue[n] for n in ("publish_rate", "deliver_rate", "ack_rate")] == [1.5, 2.5, 3.5]


@pytest.mark.parametrize(("vhost", "path"), [("", "%2F"), ("%2F", "%2F"), ("lab", "lab"), ("a%2Fb", "a%2Fb")])
def test_it_asks_for_the_brokers_virtual_host_with_the_brokers_login(
    management: type[Management], vhost: str, path: str
) -> None:
    read_queues(settings(management, vhost))
    assert management.asked == [(f"/api/queues/{path}", "Basic bWU6cEBzcw==")]


@pytest.mark.parametrize(
    ("status", "body"), [(401, {}), (404, []), (302, []), (200, "?"), (200, [1]), (200, [{}])]
)
def test_an_api_that_makes_no_sense_is_left_for_passive_declares(
    management: type[Management], status: int, body: Any
) -> None:
    management.status, management.body = status, body
    with pytest.raises((AMQPConnectionError, AMQPConnectorException, OSError)):
        read_queues(settings(management))  # there is no broker either


@pytest.mark.parametrize(
    "name",
    [
        "celery",
        "celery.open",
        "tasks.naive",
        "celery.priority",
        "celery.dead",
        "tasks.delay.64s",
        "tasks.naive.delay.1s",
    ],
)
def test_these_are_queues_of_the_lab(name: str) -> None:
    assert is_ours(name)


@pytest.mark.parametrize(
    "name", ["", "task", "celery_delayed_1", "tasks.delay.٣s", "tasks.naive.dead.x", "tasks\n"]
)
def test_these_are_not(name: str) -> None:
    assert not is_ours(name)
