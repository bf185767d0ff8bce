"""`make up`: the whole lab in the foreground, from the first port to the last process."""

from __future__ import annotations

import contextlib
import http.client
import logging
import os
import signal
import socket
import sys
import time
import xmlrpc.client
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from harness import proc
from harness.node import LoginRefused, NodeError, RabbitNode, can_log_in
from harness.plan import MARK, ROOT, LabConfig, PlanError, lock, make_plan, var_folder
from harness.ports import PortError
from harness.processes import ManagedProcess, tail
from harness.programs import WORKERS, broker_programs, lab_programs
from harness.rabbit_files import PASSWORD
from harness.stopping import StopRequest
from harness.supervision import ProgramState, Supervisor
from lab.settings import SettingsError

BOLD, DIM, RED, GREEN, YELLOW = "1", "2", "31", "32", "33"
BROKER_TIMEOUT = 90.0
API_TIMEOUT = 60.0
WORKERS_TIMEOUT = 90.0
STOP_TIMEOUT = 40.0
LOG_LINES = 15
MOST_RESTARTS = 3  # while the lab is starting
AGAIN_SECONDS = 15.0
# Of the line to supervisord, which has none of its own: one that hangs must not keep Ctrl-C waiting.
LINE_TIMEOUT = 5.0


class UpError(RuntimeError):
    """The lab did not start, or lost a part for good; the message is for the person at the terminal."""


class Stopped(Exception):
    """The end was asked for while something was being waited for."""


def up(env: Mapping[str, str], stop: StopRequest) -> int:
    """Run a lab until `stop` is wanted; returns the exit status: 0 when asked to end, 1 after a failure."""
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    socket.setdefaulttimeout(LINE_TIMEOUT)
    try:
        var = var_folder(env)
        lock(var)
        _end_leftovers(var, stop)
        plan = make_plan(env, var)
        LabRun(plan, stop).run()
    except Stopped:
        return 0
    except (UpError, PlanError, PortError, SettingsError, NodeError) as error:
        say(str(error), RED)
        return 1
    return 0


class LabRun:
    """One lab's life: start, watch, end. `run` returns when nothing of it is left."""

    def __init__(self, plan: LabConfig, stop: StopRequest, supervisor: Supervisor | None = None) -> None:
        self.plan = plan
        self.stop = stop
        self.node = (
            RabbitNode(
                plan.var / "rmq",
                amqp_port=plan.amqp_port,
                management_port=plan.management_port,
                user=plan.broker_user,
                password=plan.broker_password,
            )
            if plan.own_broker
            else None
        )
        broker = broker_programs(self.node) if self.node else []
        self.supervisor = supervisor or Supervisor(plan.var, ROOT, plan.env, [*broker, *lab_programs()])
        self.states: dict[str, ProgramState] = {}
        self.is_up = False
        self._restarts = Counter[str]()
        self._again_at: dict[str, float] = {}

    def run(self) -> None:
        """Start, watch and end the lab; raises UpError where a part failed, Stopped where asked to end."""
        try:
            self._start()
            self._watch()
        finally:
            self._end()

    def _start(self) -> None:
        for note in self.plan.notes:
            say(note, YELLOW)
        say("RabbitMQ is starting …" if self.node else "RabbitMQ: the one that RMQ_URL names.", DIM)
        self.supervisor.process.start()
        self._wait_until("supervisord answers", 20.0, lambda: bool(self.states), self.supervisor.process.log)
        self._run_module("store.migrate", "The store could not be prepared (store.migrate):")
        say("The API is starting …", DIM)
        self._start_program("api")
        self._wait_for_broker()
        self._run_module("transports.check", "", 1)
        for name in WORKERS:
            self._start_program(name)
        say("The workers are starting …", DIM)
        self._wait_until("the API answers", API_TIMEOUT, self._healthy, self.plan.logs / "api.log")
        self._wait_until("the workers run", WORKERS_TIMEOUT, self._all_running, self.plan.logs)
        self.is_up = True
        self._print_addresses()

    def _watch(self) -> None:
        while True:
            self._pause(0.5)

    def _run_module(self, module: str, trouble: str, lines: int = LOG_LINES) -> None:
        """Run a Python module to its end. Where that is a failure, raises UpError with `trouble` and the last `lines`
        of what it wrote."""
        log = self.plan.logs / f"{module.rpartition('.')[2]}.log"
        command = [sys.executable, "-m", module]
        with ManagedProcess(command, log=log, env=self.plan.env, cwd=ROOT) as running:
            while running.running:
                self._pause(0.05)
            if running.returncode:
                said = tail(log, lines)
                raise UpError(f"{trouble}\n{_indented(said)}" if trouble else said)

    def _wait_for_broker(self) -> None:
        if not self.node:
            return
        url, log = self.plan.env["RMQ_URL"], self.plan.logs / "rmq.log"
        try:
            self._wait_until("RabbitMQ takes a login", BROKER_TIMEOUT, lambda: can_log_in(url), log)
        except LoginRefused as error:
            raise UpError(
                f"The data of RabbitMQ in {self.node.base} were made with another user or password: set RMQ_USER and"
                " RMQ_PASSWORD as they were, or remove that folder with its messages."
            ) from error

    def _start_program(self, name: str) -> None:
        try:
            self.supervisor.start_program(name)
        except (OSError, xmlrpc.client.Fault) as error:
            raise UpError(f"{name} could not be started: {error}") from error

    def _wait_until(self, what: str, timeout: float, done: Callable[[], bool], log: Path) -> None:
        deadline = time.monotonic() + timeout
        while not done():
            if time.monotonic() > deadline:
                raise UpError(f"Waited {timeout:g} s in vain until {what}. {_end_of(log)}")
            self._pause(0.1)

    def _pause(self, seconds: float) -> None:
        """Wait a little, then look at everything once."""
        time.sleep(seconds)
        self.look()

    def look(self) -> None:
        """Raises Stopped where the end is wanted, UpError where a part failed for good."""
        if self.stop.wanted:
            raise Stopped
        if not self.supervisor.process.running:
            raise UpError(f"supervisord ended by itself. {_end_of(self.plan.logs / 'supervisord.log')}")
        for state in self.supervisor.programs() or []:
            if state.state == "FATAL":
                self._on_fatal(state)
            elif state.state == "RUNNING":
                self._again_at.pop(state.name, None)
            known = self.states.get(state.name)
            if known and state.pid and known.pid not in (0, state.pid):
                say(f"{state.name} ended and was started again (pid {state.pid}).", YELLOW)
                self._restarts[state.name] += 1
                if not self.is_up and self._restarts[state.name] >= MOST_RESTARTS:
                    raise UpError(f"{state.name} does not stay up. {_end_of(state.log)}")
            if state.pid or not known:
                self.states[state.name] = state

    def _on_fatal(self, state: ProgramState) -> None:
        """A lab that is up goes on when what kept a part from running has gone, such as a full disk."""
        if not self.is_up:
            raise UpError(f"{state.name} does not stay up. {_end_of(state.log)}")
        now = time.monotonic()
        if state.name not in self._again_at:
            say(f"{state.name} does not stay up; it is tried again and again. {_end_of(state.log)}", RED)
        elif now < self._again_at[state.name]:
            return
        else:
            with contextlib.suppress(OSError, xmlrpc.client.Error, http.client.HTTPException):
                self.supervisor.start_program(state.name)
        self._again_at[state.name] = now + AGAIN_SECONDS

    def _healthy(self) -> bool:
        connection = http.client.HTTPConnection(self.plan.api_host, self.plan.port, timeout=2.0)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _all_running(self) -> bool:
        return all(state.state == "RUNNING" for state in self.states.values())

    def _print_addresses(self) -> None:
        plan = self.plan
        say("Transport Lab is up.", GREEN)
        say(f"  The page             {plan.page}", BOLD)
        if self.node:
            known = plan.broker_password == PASSWORD
            password = PASSWORD if known else "that of RMQ_PASSWORD"
            login = f"user {plan.broker_user}, password {password}"
            say(f"  RabbitMQ management  {self.node.management_url}  ({login})")
        say(f"  Logs                 {plan.logs}/")
        say("  Ctrl-C ends all of it.")

    def _end(self) -> None:
        process = self.supervisor.process
        if process.running:
            say("Ending the lab …", DIM)
            presses = self.stop.count
            os.kill(process.pid, signal.SIGTERM)
            deadline = time.monotonic() + STOP_TIMEOUT
            left = {name: state.pid for name, state in self.states.items() if state.pid}
            while process.running and time.monotonic() < deadline:
                time.sleep(0.05)
                for name in [name for name, pid in left.items() if not proc.is_alive(pid)]:
                    del left[name]
                    say(f"  {name} has ended.", DIM)
                if self.stop.count > presses:
                    presses = self.stop.count
                    self._hurry()
        process.kill_group()
        _kill_marked(self.plan.var)
        self.supervisor.remove_socket()
        say("The lab has ended.", DIM)

    def _hurry(self) -> None:
        # Jobs that run are given back by the broker, which itself keeps the time it needs for its data.
        say("Ending it at once …", DIM)
        for name in (*WORKERS, "api"):
            if name in self.states:
                proc.send(proc.family(self.states[name].pid), signal.SIGKILL)


def _end_of(log: Path) -> str:
    text = tail(log, LOG_LINES)
    return f"The end of {log}:\n{_indented(text)}" if text else f"Logs: {log}"


def _end_leftovers(var: Path, stop: StopRequest) -> None:
    # An earlier lab on this LAB_VAR was killed: it may still be ending, and its broker holds the data.
    left = proc.with_environment(MARK, str(var))
    if left:
        say("An earlier lab here was killed; what is left of it ends first …", DIM)
        proc.send(left, signal.SIGTERM)
        deadline = time.monotonic() + STOP_TIMEOUT
        while proc.wait_gone(left, 0.2) and time.monotonic() < deadline:
            if stop.wanted:
                raise Stopped
        _kill_marked(var)


def _kill_marked(var: Path) -> None:
    while left := proc.with_environment(MARK, str(var)):
        proc.send(left, signal.SIGKILL)
        proc.wait_gone(left, 2.0)


def say(text: str, style: str = "") -> None:
    """Print a line at once, coloured on a terminal only (NO_COLOR, https://no-color.org, is honoured).

    A terminal that was closed, or a reader that went away, must not stop the lab from ending in order,
    so that is not an error.
    """
    if style and sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        text = f"\033[{style}m{text}\033[0m"
    with contextlib.suppress(OSError):
        os.write(sys.stdout.fileno(), f"{text}\n".encode())


def _indented(text: str) -> str:
    """`text` with four blanks before each line."""
    return "\n".join(f"    {line}" for line in text.splitlines())
