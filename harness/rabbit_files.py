"""The files and the environment of a private RabbitMQ node: all below one folder, all on loopback.

Follows https://www.rabbitmq.com/docs/configure (files and RABBITMQ_ variables),
https://www.rabbitmq.com/docs/networking (epmd and the distribution port) and
https://www.erlang.org/doc/apps/erts/erl_cmd.html (emulator flags). Valid for RabbitMQ 3.10 to 4.x.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

LOOPBACK = "127.0.0.1"
USER = "student"
PASSWORD = "qwerty"  # noqa: S105 - the login that README names, on loopback only

# The data folder is named after the node. `localhost` resolves even where the machine's own name does
# not, and every node has an epmd of its own, so that one name serves them all.
NODE_NAME = "lab@localhost"

# A job may last 3600 s and is acknowledged when it ends; the default of 30 minutes would close the
# channel under it (https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout). Milliseconds.
CONSUMER_TIMEOUT = 2 * 3600 * 1000

# Two schedulers that sleep when idle: several nodes share a laptop, or a small runner, with the workers.
EMULATOR_FLAGS = "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none +B i"
LOOPBACK_DISTRIBUTION = "-kernel inet_dist_use_interface {127,0,0,1}"


@dataclass(frozen=True)
class RabbitPorts:
    """The node's TCP ports, all on 127.0.0.1."""

    amqp: int
    management: int
    distribution: int
    epmd: int


def url(amqp_port: int, user: str = USER, password: str = PASSWORD) -> str:
    """A local broker's address, as RMQ_URL takes it."""
    return f"amqp://{quote(user, safe='')}:{quote(password, safe='')}@{LOOPBACK}:{amqp_port}/"


def write_files(base: Path, ports: RabbitPorts, user: str, password: str, management: bool) -> None:
    """Write the node's configuration below `base`; data of an earlier run are left as they are.

    User and password count when the node first makes its database. Raises OSError where `base` cannot
    be written.
    """
    for folder in (base, base / "home", base / "log", base / "data", base / "conf.d"):
        folder.mkdir(parents=True, exist_ok=True)
    base.chmod(0o700)
    lines = [
        f"listeners.tcp.1 = {LOOPBACK}:{ports.amqp}",
        f"default_user = {user}",
        f"default_pass = {password}",
        "default_user_tags.administrator = true",
        f"consumer_timeout = {CONSUMER_TIMEOUT}",
    ]
    if management:
        lines += [f"management.tcp.ip = {LOOPBACK}", f"management.tcp.port = {ports.management}"]
    (base / "rabbitmq.conf").write_text("\n".join(lines) + "\n")
    (base / "advanced.config").write_text("[].\n")
    (base / "rabbitmq-env.conf").write_text("")
    (base / "enabled_plugins").write_text("[rabbitmq_management].\n" if management else "[].\n")
    cookie = base / "home" / ".erlang.cookie"
    if not cookie.exists():
        cookie.touch(mode=0o600)
        cookie.write_text(secrets.token_hex(20))
        cookie.chmod(0o400)


def without_foreign(env: Mapping[str, str]) -> dict[str, str]:
    """`env` without what belongs to another node or service: RABBITMQ_, ERL_ and NOTIFY_SOCKET."""
    foreign = ("RABBITMQ_", "ERL_", "NOTIFY_SOCKET")
    return {name: value for name, value in env.items() if not name.startswith(foreign)}


def variables(base: Path, ports: RabbitPorts) -> dict[str, str]:
    """What the node, its epmd and rabbitmqctl need on top of an environment without foreign variables."""
    return {
        "HOME": str(base / "home"),
        "ERL_EPMD_PORT": str(ports.epmd),
        "ERL_EPMD_ADDRESS": LOOPBACK,
        # Else a node or rabbitmqctl that misses epmd starts a daemon, which nobody would end.
        "ERL_FLAGS": "-start_epmd false",
        "ERL_CRASH_DUMP_SECONDS": "0",
        "RABBITMQ_NODENAME": NODE_NAME,
        "RABBITMQ_USE_LONGNAME": "false",
        "RABBITMQ_CONFIG_FILE": str(base / "rabbitmq.conf"),
        "RABBITMQ_CONFIG_FILES": str(base / "conf.d" / "*.conf"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(base / "advanced.config"),
        "RABBITMQ_CONF_ENV_FILE": str(base / "rabbitmq-env.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(base / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(base / "data"),
        "RABBITMQ_LOG_BASE": str(base / "log"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_DIST_PORT": str(ports.distribution),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"{EMULATOR_FLAGS} {LOOPBACK_DISTRIBUTION}",
        "RABBITMQ_CTL_ERL_ARGS": LOOPBACK_DISTRIBUTION,
        # The start script then turns into the node, instead of staying as its parent: signals reach it.
        "RUNNING_UNDER_SYSTEMD": "true",
    }
