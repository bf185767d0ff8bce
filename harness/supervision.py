"""Runs the lab's programs under supervisord: its configuration, and a line to it.

Follows http://supervisord.org/configuration.html and http://supervisord.org/api.html.
"""

from __future__ import annotations

import http.client
import shlex
import signal
import sys
import tempfile
import xmlrpc.client
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from supervisor.childutils import getRPCInterface

from harness.processes import ManagedProcess

# sun_path of unix(7) has 108 bytes, the last one a null byte.
LONGEST_SOCKET_PATH = 107


@dataclass(frozen=True)
class Program:
    """One supervised program; times are seconds.

    `env` is set on top of supervisord's own environment. `order` tells who starts first; the stop goes the
    other way round. A stop is SIGTERM to the main process alone, which for Celery's and gunicorn's parent
    means to finish in order; what is left of its group after `stop_wait` is killed.
    """

    name: str
    command: Sequence[str]
    order: int
    stop_wait: int
    env: Mapping[str, str] | None = None
    start_seconds: int = 2
    start_retries: int = 3
    autostart: bool = False


@dataclass(frozen=True)
class ProgramState:
    """What supervisord says of a program: `state` is one of its words (STARTING, RUNNING, FATAL …)."""

    name: str
    state: str
    pid: int
    log: Path


def socket_path(folder: Path) -> Path:
    """Where the control socket lies: in `folder`, or in a new short temporary folder if that is too long."""
    path = folder / "supervisor.sock"
    if len(bytes(path)) + len(".00000000") <= LONGEST_SOCKET_PATH:
        return path
    return Path(tempfile.mkdtemp(prefix="lab-")) / "s.sock"


def configuration(folder: Path, root: Path, control: Path, programs: Sequence[Program]) -> str:
    """The text of supervisord.conf: everything it writes lies in `folder`, programs run in `root`."""
    sections: dict[str, Mapping[str, object]] = {
        "unix_http_server": {"file": control, "chmod": "0700"},
        "supervisord": {
            "logfile": folder / "log" / "supervisord.log",
            "logfile_maxbytes": "1MB",
            "logfile_backups": 1,
            "pidfile": folder / "supervisord.pid",
            "childlogdir": folder / "log",
            "umask": "077",
            "nodaemon": "true",
            "silent": "true",
        },
        "rpcinterface:supervisor": {
            "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
        },
        "supervisorctl": {"serverurl": f"unix://{control}"},
    }
    for program in programs:
        sections[f"program:{program.name}"] = _program_section(program, folder, root)
    lines = []
    for title, values in sections.items():
        lines.append(f"[{title}]")
        lines += [f"{name} = {str(value).replace('%', '%%')}" for name, value in values.items()]
        lines.append("")
    return "\n".join(lines)


def _program_section(program: Program, folder: Path, root: Path) -> dict[str, object]:
    command = list(program.command)
    if program.env is not None:
        # Not the option `environment`: its quoting has no way to write a quote.
        command = ["env", *(f"{name}={value}" for name, value in sorted(program.env.items())), *command]
    return {
        "command": shlex.join(command),
        "directory": root,
        "priority": program.order,
        "autostart": str(program.autostart).lower(),
        "autorestart": "true",
        "startsecs": program.start_seconds,
        "startretries": program.start_retries,
        "stopsignal": "TERM",
        "stopwaitsecs": program.stop_wait,
        "stopasgroup": "false",
        "killasgroup": "true",
        "redirect_stderr": "true",
        "stdout_logfile": folder / "log" / f"{program.name}.log",
        "stdout_logfile_maxbytes": "5MB",
        "stdout_logfile_backups": 3,
    }


class Supervisor:
    """supervisord as a child; when this process dies it gets SIGTERM and ends its programs."""

    def __init__(self, folder: Path, root: Path, env: Mapping[str, str], programs: Sequence[Program]) -> None:
        self.control = socket_path(folder)
        conf = folder / "supervisord.conf"
        conf.touch(mode=0o600)
        conf.write_text(configuration(folder, root, self.control, programs))
        self.process = ManagedProcess(
            [sys.executable, "-P", str(Path(__file__).with_name("supervisord.py")), "-c", str(conf)],
            log=folder / "log" / "supervisord.out",
            env=env,
            cwd=root,
            death_signal=signal.SIGTERM,
        )
        self._folder = folder

    def programs(self) -> list[ProgramState] | None:
        """The state of every program; None while supervisord does not answer."""
        try:
            with self._proxy() as proxy:
                answer = proxy.supervisor.getAllProcessInfo()
        except (OSError, http.client.HTTPException, xmlrpc.client.Error):
            return None
        return [
            ProgramState(
                str(one["name"]), str(one["statename"]), int(one["pid"]), Path(str(one["stdout_logfile"]))
            )
            for one in cast("list[dict[str, str | int]]", answer)
        ]

    def start_program(self, name: str) -> None:
        """Have a program started, without waiting for it; raises xmlrpc.client.Fault where it is refused."""
        with self._proxy() as proxy:
            proxy.supervisor.startProcess(name, False)

    def remove_socket(self) -> None:
        """Remove what supervisord leaves when it was killed: its socket, and that one's own folder."""
        self.control.unlink(missing_ok=True)
        if self.control.parent != self._folder:
            self.control.parent.rmdir()

    def _proxy(self) -> xmlrpc.client.ServerProxy:
        proxy: xmlrpc.client.ServerProxy = getRPCInterface(
            {"SUPERVISOR_SERVER_URL": f"unix://{self.control}"}
        )
        return proxy
