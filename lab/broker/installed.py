"""Whether RabbitMQ's server is installed on this machine, for a private node to be started."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

# The distribution's scripts themselves: those in /usr/sbin change to the user `rabbitmq`.
SCRIPT_FOLDERS: Final = (
    "/usr/lib/rabbitmq/bin", "/opt/rabbitmq/sbin", "/opt/homebrew/sbin", "/usr/local/sbin"
)  # fmt: skip


def find_script(name: str, folders: Sequence[str] = SCRIPT_FOLDERS) -> Path | None:
    """The path of RabbitMQ's own script `name`, such as `rabbitmq-server`; None where it is not installed."""
    return next((found for folder in folders if (found := Path(folder, name)).exists()), None)


def find_epmd() -> Path | None:
    """The path of Erlang's port mapper; None where it is not installed."""
    found = shutil.which("epmd") or next(map(str, Path("/usr/lib/erlang").glob("erts-*/bin/epmd")), None)
    return Path(found) if found else None


def installed(folders: Sequence[str] = SCRIPT_FOLDERS) -> bool:
    """Whether there is all that a private node needs."""
    return None not in (find_script("rabbitmq-server", folders), find_epmd())
