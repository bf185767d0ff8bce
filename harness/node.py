"""A private RabbitMQ node, run from the distribution's package without its service."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path
from typing import Self

import pika
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPError, ProbableAuthenticationError

from harness import rabbit_files
from harness.ports import free_port
from harness.processes import ManagedProcess
from harness.rabbit_files import LOOPBACK, NODE_NAME, RabbitPorts
from lab.broker.installed import find_epmd, find_script


class NodeError(RuntimeError):
    """RabbitMQ is not installed, did not start, or refused a command; the message says which."""


class LoginRefused(NodeError):
    """The broker answers, and takes no such user and password."""


def _listens(host: str, port: int, timeout: float) -> bool:
    try:
        socket.create_connection((host, port), timeout).close()
    except OSError:
        return False
    return True


def can_log_in(url: str, timeout: float = 5.0) -> bool:
    """Whether the AMQP broker at `url` takes this user and password, each step within `timeout` seconds.

    Raises LoginRefused where it answers and refuses them, and ValueError where `url` is none
    (https://www.rabbitmq.com/docs/uri-spec).
    """
    parameters = pika.URLParameters(url)
    parameters.socket_timeout = parameters.stack_timeout = parameters.blocked_connection_timeout = timeout
    # Asked first because pika logs a refused connection as an error.
    if not _listens(parameters.host, parameters.port, timeout):
        return False
    try:
        pika.BlockingConnection(parameters).close()
    except ProbableAuthenticationError as error:
        raise LoginRefused(
            f"The broker at {parameters.host}:{parameters.port} takes no such user and password."
        ) from error
    except (OSError, AMQPError, AMQPConnectorException):
        return False
    return True


class RabbitNode:
    """One node on 127.0.0.1 with its own data, cookie, epmd and logs, all below `base`.

    Ports that are not given are free ones, fixed for this object's life, so that clients find a
    restarted node where it was. Data stay in `base` for the next node made there. As a context manager
    it starts on entry and stops on exit. The constructor writes the configuration and starts nothing;
    it raises NodeError where RabbitMQ is not installed.

    Attributes:
        url: the broker's address, as RMQ_URL takes it.
        management_url: of the management page and its HTTP API (https://www.rabbitmq.com/docs/management).
        commands: what a supervisor of the node runs, in this order: `epmd` and `rmq`.
        variables: what the commands need on top of an environment without another node's variables.
    """

    def __init__(
        self,
        base: Path,
        *,
        amqp_port: int | None = None,
        management_port: int | None = None,
        user: str = rabbit_files.USER,
        password: str = rabbit_files.PASSWORD,
        management: bool = True,
    ) -> None:
        server, epmd = find_script("rabbitmq-server"), find_epmd()
        if server is None or epmd is None:
            raise NodeError("RabbitMQ is not installed: install the package rabbitmq-server.")
        self.base = base.absolute()
        self.user, self.password = user, password
        self.ports = RabbitPorts(
            amqp=amqp_port or free_port(),
            management=management_port or free_port(),
            distribution=free_port(),
            epmd=free_port(),
        )
        rabbit_files.write_files(self.base, self.ports, user, password, management)
        self.url = rabbit_files.url(self.ports.amqp, user, password)
        self.management_url = f"http://{LOOPBACK}:{self.ports.management}/"
        self.variables = rabbit_files.variables(self.base, self.ports)
        self._env = rabbit_files.without_foreign(os.environ) | self.variables
        self.commands = {
            "epmd": [str(epmd), "-port", str(self.ports.epmd), "-address", LOOPBACK],
            "rmq": [str(server)],
        }
        self.epmd = self._process("epmd")
        self.server = self._process("rmq")

    def start(self, timeout: float = 90.0) -> Self:
        """Start the node and wait until it takes a login, `timeout` seconds at most.

        Raises NodeError where it does not; then, as on Ctrl-C, nothing of it is left running.
        """
        try:
            self.epmd.start()
            self.epmd.wait_until(lambda: _listens(LOOPBACK, self.ports.epmd, 1.0), "epmd", 10.0, NodeError)
            self.server.start()
            self.wait_ready(timeout)
        except BaseException:
            self.kill()
            raise
        return self

    def wait_ready(self, timeout: float = 90.0) -> None:
        """Wait until the node takes an AMQP login; raises NodeError after `timeout` seconds or at its end."""
        self.server.wait_until(lambda: can_log_in(self.url), "RabbitMQ", timeout, NodeError)

    def stop(self, timeout: float = 30.0) -> None:
        """Stop the node in order (SIGTERM), killing it after `timeout` seconds; then its epmd."""
        for process in (self.server, self.epmd):
            if process.running:
                process.terminate(timeout=timeout)
        self.kill()

    def kill(self) -> None:
        """SIGKILL to the node and its epmd, as a power cut would; `start` brings both back."""
        self.server.kill_group()
        self.epmd.kill_group()

    def ctl(self, *arguments: str, timeout: float = 60.0) -> str:
        """Run `rabbitmqctl` against this node and return what it printed (manual page rabbitmqctl(8)).

        Raises NodeError with its output where it fails or takes longer than `timeout` seconds.
        """
        command = [str(find_script("rabbitmqctl")), "--node", NODE_NAME, *arguments]
        try:
            done = subprocess.run(command, env=self._env, capture_output=True, text=True, timeout=timeout)
        except subprocess.TimeoutExpired as error:
            raise NodeError(f"rabbitmqctl {arguments[0]} took longer than {timeout:g} s") from error
        if done.returncode:
            raise NodeError(f"rabbitmqctl {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def _process(self, name: str) -> ManagedProcess:
        return ManagedProcess(self.commands[name], env=self._env, log=self.base / "log" / f"{name}.log")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
