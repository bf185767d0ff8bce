"""What the lab's broker is, and what it is set to, as far as its management API tells."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from experiments.usage import local_nodes, read_nodes
from lab.settings import Settings

DEFAULT_TIMEOUT: Final = 1_800
"""RabbitMQ's own, in seconds: https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout"""

_IN_FILE: Final = re.compile(r"^[^#%\n]*\bconsumer_timeout\s*[=,]\s*(\d+)", re.MULTILINE)
_IN_COMMAND: Final = re.compile(r"-rabbit\s+consumer_timeout\s+(\d+)")


@dataclass(frozen=True)
class Broker:
    """What is not known is None.

    Attributes:
        version: of RabbitMQ, such as "3.10.8".
        consumer_timeout: seconds after which a delivery that was not acknowledged closes its channel.
    """

    version: str | None = None
    consumer_timeout: int | None = None


def broker_of(settings: Settings) -> Broker:
    """The broker of the settings. Waits a few seconds where its management API does not answer.

    No API tells the `consumer_timeout`: it is read from the configuration files that the nodes name, and from the
    command that started them, where they run on this machine.
    """
    nodes = read_nodes(settings)
    here = local_nodes(settings, nodes)
    return Broker(_version(nodes), timeout_of(nodes, here) if here else None)


def _version(nodes: Iterable[Mapping[str, Any]]) -> str | None:
    found = {
        str(application.get("version"))
        for node in nodes
        for application in node.get("applications") or ()
        if isinstance(application, dict) and application.get("name") == "rabbit"
    }
    return ", ".join(sorted(found)) or None


def timeout_of(nodes: Iterable[Mapping[str, Any]], pids: Iterable[int]) -> int | None:
    """The timeout that files or command set; None where a file cannot be read or the nodes differ."""
    try:
        files = [str(name) for node in nodes for name in node.get("config_files") or ()]
        texts = [Path(name).read_text() for name in files if not name.endswith("(not found)")]
        commands = [" ".join(psutil.Process(pid).cmdline()) for pid in pids]
    except (OSError, UnicodeDecodeError, psutil.Error):
        return None
    found = {int(ms) // 1000 for text in texts for ms in _IN_FILE.findall(text)}
    found |= {int(ms) // 1000 for command in commands for ms in _IN_COMMAND.findall(command)}
    return found.pop() if len(found) == 1 else None if found else DEFAULT_TIMEOUT
