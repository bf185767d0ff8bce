"""One process of the lab, with a log of its own, that never outlives the run that started it."""

from __future__ import annotations

import atexit
import contextlib
import errno
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self, TypeVar

from harness import proc

_Found = TypeVar("_Found")


class ProcessError(RuntimeError):
    """A process ended too early or did not do what was awaited; the message holds its log's end."""


def tail(path: Path, lines: int = 15) -> str:
    """The last `lines` lines of a text file, at most 64 KiB; empty if there is none."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - 65536))
            text = log.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def until(ready: Callable[[], _Found], seconds: float, pause: float = 0.05) -> _Found:
    """What `ready` returns, asked every `pause` seconds until that is true; after `seconds` its last answer."""
    deadline = time.monotonic() + seconds
    while not (found := ready()) and time.monotonic() <= deadline:
        time.sleep(pause)
    return found


class ManagedProcess:
    """A command in a session of its own (setsid(2)), so that a terminal's Ctrl-C does not reach it.

    `command` is an argument list and `env` the whole environment (default: this process's own). Standard
    output and error are appended to `log`. As a context manager it starts on entry and, also when the
    body fails, ends with everything it started.

    Started from the main thread it gets `death_signal` when this process ends (PR_SET_PDEATHSIG in prctl(2),
    set by setpriv(1)). The kernel ties that to the starting thread, hence it is left out in other threads,
    which may end long before the process.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        death_signal: signal.Signals = signal.SIGKILL,
    ) -> None:
        self.command = list(command)
        self.log = log
        self.env = dict(os.environ if env is None else env)
        self.cwd = cwd
        self.death_signal = death_signal
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def pid(self) -> int:
        """The process id. Raises ProcessError before the first start."""
        return self._started().pid

    @property
    def returncode(self) -> int | None:
        """The exit status, negative for a signal as in `subprocess`; None while it runs."""
        return self._started().poll()

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> Self:
        """Start it, or start it again after it ended. ProcessError where it runs, OSError where it cannot."""
        if self.running:
            raise ProcessError(f"{self.command[0]} runs already (pid {self.pid})")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self._log_start = output.tell()
            self._process = subprocess.Popen(
                [*self._guard(), *self.command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self.env,
                cwd=self.cwd,
                start_new_session=True,
            )
        atexit.register(self.kill_group)
        return self

    def terminate(self, sig: signal.Signals = signal.SIGTERM, timeout: float = 10.0) -> int:
        """Send `sig` to the process alone, wait `timeout` seconds, then kill what is left of its session.

        Returns the exit status. Does nothing more where it has ended already.
        """
        process = self._started()
        if process.poll() is None:
            process.send_signal(sig)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout)
        self.kill_group()
        return process.wait()

    def kill_group(self) -> None:
        """SIGKILL to its session and to all it started: nothing is asked, nothing is finished."""
        if self._process is None:
            return
        # Looked at again because a member that forks may escape the first look.
        while members := proc.family(self._process.pid):
            proc.send(members, signal.SIGKILL)
            proc.wait_gone(members, timeout=2.0)
        self._process.wait()
        atexit.unregister(self.kill_group)

    def pause(self) -> None:
        """SIGSTOP to every process of its session: alive, connected, doing nothing."""
        proc.send(proc.in_session(self.pid), signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT to every process of its session."""
        proc.send(proc.in_session(self.pid), signal.SIGCONT)

    def children(self) -> list[int]:
        """The process ids of its direct children, lowest first."""
        return proc.children(self.pid)

    def log_size(self) -> int:
        """The log's length in bytes: a mark for `wait_for_log`'s `since`."""
        return self.log.stat().st_size if self.log.exists() else 0

    def new_log(self) -> bytes:
        """What the log holds since the last start."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read()

    def wait_for_log(self, text: str, timeout: float = 30.0, since: int | None = None) -> str:
        """Wait up to `timeout` seconds for a line of the log that holds `text`; returns that line.

        `since` is a byte offset, by default where the last start began. Raises ProcessError when the
        time is over or the process ended without it.
        """
        deadline = time.monotonic() + timeout
        while True:
            ended = not self.running
            with self.log.open("rb") as log:
                log.seek(self._log_start if since is None else since)
                for line in log.read().decode(errors="replace").splitlines():
                    if text in line:
                        return line
            if ended or time.monotonic() > deadline:
                why = f"ended with status {self.returncode}" if ended else f"ran for {timeout:g} s"
                raise ProcessError(f"{self.command[0]} {why} without {text!r}:\n{tail(self.log)}")
            time.sleep(0.05)

    def wait_until(
        self, ready: Callable[[], bool], name: str, timeout: float, error: type[Exception] = ProcessError
    ) -> None:
        """Wait up to `timeout` seconds for `ready`. Raises `error`, which says what is wrong with `name` and
        holds the log's end, when the time is over or the process ended before."""
        deadline = time.monotonic() + timeout
        while not ready():
            if not self.running or time.monotonic() > deadline:
                why = f"took longer than {timeout:g} s to start" if self.running else "ended while starting"
                raise error(f"{name} {why}:\n{tail(self.log, 30)}")
            time.sleep(0.05)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise ProcessError(f"{self.command[0]} was not started")
        return self._process

    def _guard(self) -> list[str]:
        guard = shutil.which("setpriv")
        if guard is None or threading.current_thread() is not threading.main_thread():
            return []
        # Once the guard stands in between, only it would notice that there is no such command.
        if shutil.which(self.command[0], path=self.env.get("PATH", os.defpath)) is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self.command[0])
        # The starter may be gone before the signal is set; then nobody would end what starts now.
        still_ours = ["sh", "-c", '[ "$PPID" = "$0" ] && exec "$@"', str(os.getpid())]
        return [guard, "--pdeathsig", self.death_signal.name.removeprefix("SIG"), "--", *still_ours]

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.terminate()
