"""What one lab is made of, worked out from the environment before anything starts."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness import ports, rabbit_files
from lab.settings import Settings

ROOT = Path(__file__).resolve().parent.parent

# Every process of a lab carries it, with the lab's LAB_VAR: so they are found, however they were left.
MARK = "LAB_HARNESS"

_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - names, nothing is bound


class PlanError(ValueError):
    """The lab cannot be started as asked; the message is one sentence for the person who asked."""


@dataclass(frozen=True)
class LabConfig:
    """One lab: where it listens, where it writes, and the environment of its programs.

    `own_broker` is false where RMQ_URL names a broker; the two RabbitMQ ports then mean nothing.
    """

    host: str
    port: int
    var: Path
    own_broker: bool
    amqp_port: int
    management_port: int
    env: dict[str, str]
    notes: list[str]
    broker_user: str = rabbit_files.USER
    broker_password: str = rabbit_files.PASSWORD

    @property
    def logs(self) -> Path:
        """The folder of all logs."""
        return self.var / "log"

    @property
    def api_host(self) -> str:
        """A name under which this machine reaches the API."""
        return _WILDCARDS.get(self.host, self.host)

    @property
    def page(self) -> str:
        """The address of the lab's page."""
        host = f"[{self.api_host}]" if ":" in self.api_host else self.api_host
        return f"http://{host}:{self.port}/"


def var_folder(env: Mapping[str, str]) -> Path:
    """The absolute folder that LAB_VAR names, made where it is missing; raises PlanError where it cannot."""
    var = Path(env.get("LAB_VAR") or "var").resolve()
    if any(mark in str(var) for mark in ("\n", " ;", " #", '"', "%")):
        raise PlanError(
            f"LAB_VAR={var} cannot be used: choose a folder without quotes, ';', '#' or '%' in its path."
        )
    try:
        (var / "log").mkdir(0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise PlanError(f"LAB_VAR={var} cannot be written: {error.strerror}.") from error
    return var


def lock(var: Path) -> int:
    """Hold LAB_VAR for this lab alone, until this process ends (flock(2)); returns the file descriptor.

    Raises PlanError where another lab holds it, or where the folder cannot be written.
    """
    try:
        descriptor = os.open(var / "lab.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise PlanError(f"LAB_VAR={var} cannot be written: {error.strerror}.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise PlanError(
            f"A lab is running on {var} already: end it first, or set LAB_VAR to another folder."
        ) from error
    return descriptor


def make_plan(env: Mapping[str, str], var: Path) -> LabConfig:
    """The lab that `env` asks for, its ports chosen now.

    Raises PortError for a port that cannot be had, SettingsError for a setting that the programs would
    refuse.
    """
    host = env.get("LAB_HOST") or "127.0.0.1"
    own_broker = not env.get("RMQ_URL")
    chosen = {"PORT": (8080, host)}
    if own_broker:
        chosen["LAB_RABBITMQ_PORT"] = (5672, "127.0.0.1")
        chosen["LAB_RABBITMQ_MANAGEMENT_PORT"] = (15672, "127.0.0.1")
    numbers: dict[str, int] = {}
    notes = []
    for name, (default, where) in chosen.items():
        numbers[name], note = ports.choose(ports.read(env.get(name), name), default, name, where)
        notes += [note] if note else []
        if list(numbers.values()).count(numbers[name]) > 1:
            raise PlanError(f"{name}={numbers[name]} is asked for twice: every part needs a port of its own.")
    plan = LabConfig(
        host=host,
        port=numbers["PORT"],
        var=var,
        own_broker=own_broker,
        amqp_port=numbers.get("LAB_RABBITMQ_PORT", 0),
        management_port=numbers.get("LAB_RABBITMQ_MANAGEMENT_PORT", 0),
        env={},
        notes=notes,
        broker_user=env.get("RMQ_USER") or rabbit_files.USER,
        broker_password=env.get("RMQ_PASSWORD") or rabbit_files.PASSWORD,
    )
    plan.env.update(_program_environment(env, plan))
    Settings.from_env(plan.env).private()
    return plan


def _program_environment(env: Mapping[str, str], plan: LabConfig) -> dict[str, str]:
    here = {
        "LAB_HOST": plan.host,
        "LAB_PUBLISH": "",  # for containers: here the API is reached where it listens
        "PORT": str(plan.port),
        "LAB_VAR": str(plan.var),
        "API_URL": env.get("API_URL") or f"{plan.page}update_task_status_api/",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), env.get("PATH", os.defpath)]),
        "PYTHONUNBUFFERED": "1",
        MARK: str(plan.var),
    }
    if plan.own_broker:
        here["RMQ_URL"] = rabbit_files.url(plan.amqp_port, plan.broker_user, plan.broker_password)
        here["LAB_MANAGEMENT_URL"] = f"http://127.0.0.1:{plan.management_port}/"
    return rabbit_files.without_foreign(env) | here
