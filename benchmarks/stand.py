"""What all contenders stand on: one broker, one file that counts, publishers, and an eye on the machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pika

from benchmarks.busy import Busy, family_seconds
from benchmarks.clients import Client, Ticks, Trouble
from harness.lab import ROOT, Lab
from harness.node import RabbitNode
from harness.processes import ManagedProcess, tail

WINDOW: Final = 1_000
PREFETCH: Final = 1_000
RESULTS: Final = Path(__file__).parent / "results"
_VHOST: Final = "lab"


@dataclass
class Stand:
    """The private node and the folder of one whole run.

    Attributes:
        url: the broker for all but the lab, which has a virtual host of its own at `lab_url`.
        limit: seconds after which a run is measured by what it did until then.
        ceiling: the compiled C client, or None where it cannot be had.
        profile: where profiles of what is measured go; None for none.
    """

    node: RabbitNode
    folder: Path
    limit: float = 30.0
    ceiling: Path | None = None
    profile: str | None = None
    why_no_ceiling: str = ""
    busy: Busy = field(default_factory=Busy)
    used: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.url = self.node.url
        self.lab_url = self.node.url + _VHOST
        self.ticks = Ticks(self.folder / "ticks")
        self.node.ctl("add_vhost", _VHOST)
        self.node.ctl("set_permissions", "-p", _VHOST, self.node.user, ".*", ".*", ".*")
        self._compile()
        self.rabbitmq = self.node.ctl("version").strip()

    def _compile(self) -> None:
        compiler = shutil.which("cc")
        target = self.folder / "ceiling"
        source = Path(__file__).with_name("ceiling.c")
        if compiler is None:
            self.why_no_ceiling = "there is no C compiler"
            return
        done = subprocess.run(
            [compiler, "-O2", "-o", target, source, "-lrabbitmq"], capture_output=True, text=True, timeout=60
        )
        if done.returncode == 0:
            self.ceiling = target
        else:
            self.why_no_ceiling = f"rabbitmq-c is not there ({(done.stderr.splitlines() or ['?'])[0]})"

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of contenders' processes."""
        lab = Lab(self.folder / "none", self.lab_url)  # leaves out what was set for another lab
        return lab.env | {"BENCH_TICKS": str(self.ticks.path), "BENCH_URL": self.url, **more}

    def lab(self, base: Path, **env: str) -> Lab:
        """A lab of its own over the lab's virtual host; nothing of it runs yet."""
        return Lab(
            base,
            self.lab_url,
            management_url=self.node.management_url,
            env={"BENCH_TICKS": str(self.ticks.path), "LAB_LOG_LANGUAGE": "en", **env},
        )

    @contextlib.contextmanager
    def running(self, name: str, *command: str, env: Mapping[str, str]) -> Iterator[ManagedProcess]:
        """`command` (python's own options where it begins with `-`), asked to end at the end, and then killed with
        all it started."""
        whole = [sys.executable, *command] if command[0].startswith("-") else list(command)
        log = self.folder / "log" / f"{name}.log"
        # Asked to end: killed, it might leave a job that has run unacknowledged, which the next worker would run again.
        with ManagedProcess(whole, env=env, cwd=ROOT, log=log) as process:
            try:
                yield process
            except Trouble as trouble:
                raise Trouble(f"{trouble}\n{name}:\n{tail(log)}") from trouble

    def client(self, program: str, *arguments: str, env: Mapping[str, str] | None = None) -> Client:
        """`ceiling` or a module of `benchmarks.programs`, started; see Client."""
        if program == "ceiling":
            command = [str(self.ceiling), *arguments]
        else:
            command = [sys.executable, "-m", f"benchmarks.programs.{program}", *arguments]
        return Client(command, env or self.environment(), self.folder / "log" / f"{program}.err")

    def publish(self, url: str, exchange: str, key: str, messages: Path) -> tuple[float, float]:
        """Publishes a file of messages by the C client, or by pika if there is none; when it began and
        when all were confirmed, in seconds of time.monotonic()."""
        program = "ceiling" if self.ceiling else "pika_bare"
        with self.publishing(program, url, exchange, key, messages) as client:
            return client.times(self.limit + 30)

    def publishing(self, program: str, url: str, exchange: str, key: str, messages: Path) -> Client:
        """The same by `program`, started."""
        return self.client(program, "publish", _with_vhost(url), exchange, key, str(messages), str(WINDOW))

    def consuming(self, program: str, queue: str, count: int) -> Client:
        """`program` as it takes `count` messages of `queue` on `url`, started."""
        return self.client(program, "consume", _with_vhost(self.url), queue, str(count), str(PREFETCH))

    @contextlib.contextmanager
    def channel(self, url: str) -> Iterator[Any]:
        """A channel for declaring, purging and looking."""
        connection = pika.BlockingConnection(pika.URLParameters(url))
        try:
            yield connection.channel()
        finally:
            if connection.is_open:
                connection.close()

    def fresh_queue(self, queue: str, arguments: dict[str, Any]) -> None:
        """An empty queue on `url` that was just declared."""
        with self.channel(self.url) as channel:
            channel.queue_delete(queue)
            channel.queue_declare(queue, durable=True, arguments=arguments)

    @contextlib.contextmanager
    def measuring(self, **processes: ManagedProcess) -> Iterator[None]:
        """Watches what else the machine does meanwhile, what `processes` and the broker use of it (`used`), and
        profiles `processes` where that is asked for."""
        profilers = self._profile(processes) if self.profile else []
        pids = {name: process.pid for name, process in processes.items()} | {"broker": self.node.server.pid}
        before = {name: family_seconds(pid) for name, pid in pids.items()}
        with self.busy.watching():
            yield
            self.used = {name: family_seconds(pid) - before[name] for name, pid in pids.items()}
        for profiler in profilers:
            profiler.send_signal(signal.SIGINT)
            profiler.wait(60)

    def _profile(self, processes: Mapping[str, ManagedProcess]) -> list[subprocess.Popen[bytes]]:
        RESULTS.mkdir(exist_ok=True)
        spy = str(Path(sys.executable).with_name("py-spy"))
        started = []
        for name, process in processes.items():
            target = RESULTS / f"profile-{self.profile}-{name}.txt"
            command = [
                spy,
                "record",
                "--subprocesses",
                "-r",
                "200",
                "-d",
                "600",
                "-f",
                "raw",
                "-o",
                str(target),
            ]
            started.append(
                subprocess.Popen(
                    [*command, "-p", str(process.pid)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
            )
        time.sleep(1.0 if started else 0.0)
        return started


def _with_vhost(url: str) -> str:
    return f"{url}%2f" if url.endswith("/") else url


def cores() -> int:
    """How many processors the machine has."""
    return os.cpu_count() or 1
