"""Virtual hosts: what one lab has on a broker that others use too."""

import json
import secrets
import threading
from contextlib import suppress
from typing import Final
from urllib.parse import quote

import requests

from harness.node import RabbitNode

_HEADERS: Final = {"content-type": "application/json"}
_made: Final[list[tuple[RabbitNode, str]]] = []


def make_vhost(node: RabbitNode, name: str | None = None, *, keep: bool = False) -> str:
    """Makes a virtual host that the node's user may use, by default of a name of its own; returns its AMQP URL.

    It goes when the test or the module ends that has made it (`made`, `remove`), unless it is for the whole session.
    """
    name = name or secrets.token_hex(4)
    base = f"{node.management_url}api"
    login = (node.user, node.password)
    rights = {"configure": ".*", "write": ".*", "read": ".*"}
    with requests.Session() as session:
        for path, body in ((f"vhosts/{name}", {}), (f"permissions/{name}/{node.user}", rights)):
            answer = session.put(f"{base}/{path}", json.dumps(body), auth=login, headers=_HEADERS, timeout=30)
            answer.raise_for_status()
    if not keep:
        _made.append((node, name))
    return f"{node.url.rstrip('/')}/{name}"


def depths(node: RabbitNode, vhost: str) -> dict[str, int]:
    """The messages in each queue, those that are out with a consumer included: of a quorum queue as of its last tick,
    which is where rabbitmqctl, too, has them from, a second later and at the cost of a virtual machine."""
    url = f"{node.management_url}api/queues/{quote(vhost, safe='')}"
    told = requests.get(
        url,
        {"disable_stats": "true", "enable_queue_totals": "true"},
        auth=(node.user, node.password),
        timeout=30,
    )
    told.raise_for_status()
    return {queue["name"]: queue.get("messages", 0) for queue in told.json()}


def made() -> int:
    """How many virtual hosts there are to remove."""
    return len(_made)


def remove(since: int) -> None:
    """Removes all virtual hosts but the first `since`, beside what comes next: the thirty quorum queues of each lab
    would go on telling their depth as long as the node runs. A node that has ended needs no tidying."""
    ended = _made[since:]
    del _made[since:]
    if ended:
        threading.Thread(target=_remove, args=(ended,), name="removes virtual hosts", daemon=True).start()


def _remove(ended: list[tuple[RabbitNode, str]]) -> None:
    with requests.Session() as session:
        session.trust_env = False  # pytest changes the environment meanwhile
        for node, name in ended:
            with suppress(requests.RequestException):
                url = f"{node.management_url}api/vhosts/{name}"
                session.delete(url, auth=(node.user, node.password), timeout=60)
