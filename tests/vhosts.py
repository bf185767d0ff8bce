"""Virtual hosts: what one lab has on a broker that others use too."""

import json
import secrets

import requests

from harness.node import RabbitNode


def make_vhost(node: RabbitNode, name: str | None = None) -> str:
    """Makes a virtual host that the node's user may use, by default of a name of its own; returns its AMQP URL."""
    name = name or secrets.token_hex(4)
    base = f"{node.management_url}api"
    login, headers = (node.user, node.password), {"content-type": "application/json"}
    rights = {"configure": ".*", "write": ".*", "read": ".*"}
    with requests.Session() as session:
        for path, body in ((f"vhosts/{name}", {}), (f"permissions/{name}/{node.user}", rights)):
            answer = session.put(f"{base}/{path}", json.dumps(body), auth=login, headers=headers, timeout=30)
            answer.raise_for_status()
    return f"{node.url.rstrip('/')}/{name}"
