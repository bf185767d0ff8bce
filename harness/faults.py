"""Faults, one function each: what it does to which part, bounded in time, and undone at the end.

Those that last are context managers: the fault is in force in the body, and undone after it also when
the body fails. Those that strike once are plain functions.
"""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

from harness import proc
from harness.lab import Lab
from harness.node import RabbitNode
from harness.processes import ManagedProcess, until

WATERMARK: Final = "0.4"
DISK_LIMIT: Final = "50MB"
ALARM_SECONDS: Final = 20.0


class FaultError(RuntimeError):
    """A fault could not be inflicted or undone; the message says what stood in the way."""


# Workers


def kill_worker(worker: ManagedProcess) -> None:
    """SIGKILL to everything that the worker consists of, as when its machine loses power."""
    worker.kill_group()


def kill_pool_child(worker: ManagedProcess, rng: random.Random | None = None) -> int:
    """SIGKILL to one process of a Celery worker's pool; returns its id.

    Raises FaultError where the worker has no child, as a worker with threads.
    """
    children = _pool(worker)
    if not children:
        raise FaultError(f"{worker.log.stem} has no pool of processes")
    child = (rng or random.Random()).choice(children)
    proc.send([child], signal.SIGKILL)
    if proc.wait_gone([child], 5.0):
        raise FaultError(f"process {child} of {worker.log.stem} does not end")
    return child


def _pool(worker: ManagedProcess) -> list[int]:
    """The processes of the worker's pool: those are forked, and what else it started is not."""
    own = proc.command(worker.pid)
    return [pid for pid in worker.children() if proc.command(pid) == own]


def random_kills(
    workers: Sequence[ManagedProcess],
    count: int,
    seconds: float,
    *,
    rng: random.Random,
    on_kill: Callable[[ManagedProcess], None] = lambda _: None,
) -> None:
    """Kills `count` times, at random moments of `seconds`, a random one of `workers`, and starts it again.

    Where the worker has a pool, every second time on average one of its processes is killed instead, which
    the worker replaces by itself. All run when this returns. `on_kill` is told each victim.
    """
    begin = time.monotonic()
    for moment in sorted(rng.uniform(0, seconds) for _ in range(count)):
        time.sleep(max(0.0, begin + moment - time.monotonic()))
        victim = rng.choice(workers)
        if victim.running and _pool(victim) and rng.random() < 0.5:
            kill_pool_child(victim, rng)
        else:
            kill_worker(victim)
            victim.start()
        on_kill(victim)


@contextmanager
def paused(worker: ManagedProcess) -> Iterator[None]:
    """SIGSTOP to the whole worker: alive and connected, doing nothing. SIGCONT afterwards."""
    worker.pause()
    try:
        yield
    finally:
        if worker.running:
            worker.resume()


@contextmanager
def restarted(
    workers: Sequence[ManagedProcess], on_start: Callable[[ManagedProcess], None] = lambda _: None
) -> Iterator[None]:
    """Starts each of `workers` again when it ends, as a supervisor does, at most once a second each."""
    ending = threading.Event()

    def watch() -> None:
        while not ending.wait(1.0):
            for worker in workers:
                if not worker.running:
                    worker.start()
                    on_start(worker)

    thread = threading.Thread(target=watch, name="restarts", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


# The broker


def memory_alarm(node: RabbitNode) -> AbstractContextManager[None]:
    """The broker's memory alarm: publishing connections are blocked (https://www.rabbitmq.com/docs/alarms)."""
    return _alarm(node, "set_vm_memory_high_watermark", "0", WATERMARK)


def disk_alarm(node: RabbitNode) -> AbstractContextManager[None]:
    """The broker's disk alarm: as the memory alarm, for want of free space."""
    return _alarm(node, "set_disk_free_limit", "1000000GB", DISK_LIMIT)


@contextmanager
def _alarm(node: RabbitNode, command: str, wrong: str, right: str) -> Iterator[None]:
    node.ctl(command, wrong)
    try:
        _wait_for_alarm(node, True)
        yield
    finally:
        node.ctl(command, right)
        _wait_for_alarm(node, False)


@contextmanager
def short_queue(node: RabbitNode, queue: str, length: int, vhost: str = "/") -> Iterator[None]:
    """A policy that lets `queue` hold `length` messages. What happens beyond that, the queue's own arguments
    decide: as it comes it drops the oldest (https://www.rabbitmq.com/docs/maxlength#overflow-behaviour).
    """
    definition = f'{{"max-length": {length}}}'
    name = f"short-{queue}"
    node.ctl("set_policy", "-p", vhost, "--apply-to", "queues", name, f"^{queue}$", definition)
    try:
        yield
    finally:
        node.ctl("clear_policy", "-p", vhost, name)


def queue_depths(node: RabbitNode, vhost: str = "/") -> dict[str, int]:
    """The messages in each queue of `vhost`, those that are out with a consumer included."""
    said = node.ctl("list_queues", "-q", "-p", vhost, "--no-table-headers", "name", "messages")
    rows = (line.rsplit("\t", 1) for line in said.splitlines() if "\t" in line)
    return {name: int(count) for name, count in rows}


def _wait_for_alarm(node: RabbitNode, wanted: bool) -> None:
    def told() -> bool:
        return (node.ctl("eval", "rabbit_alarm:get_alarms().").strip() != "[]") is wanted

    if not until(told, ALARM_SECONDS, 0.2):
        raise FaultError(f"the alarm is not {'on' if wanted else 'off'} after {ALARM_SECONDS:g} s")


# The API


@contextmanager
def api_killed(lab: Lab) -> Iterator[None]:
    """SIGKILL to all of the API; afterwards it starts on the same port."""
    lab.api.kill_group()
    try:
        yield
    finally:
        lab.api.start()
        lab.wait_for_api()


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A file system of this many megabytes at `folder` (tmpfs(5)), removed with all that is in it at the end.

    Raises FaultError where this process may not mount: it takes root.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "lab-faults", str(folder))
    try:
        yield folder
    finally:
        # Lazy: a process that still has a file open there must not keep the mount for ever.
        _run("umount", "--lazy", str(folder))


@contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """Fills the file system of `folder` to its last byte; frees it afterwards. Meant for `small_disk`.

    Raises FaultError where more than a gigabyte is free, as on a disk that others use.
    """
    room = os.statvfs(folder)
    if room.f_bavail * room.f_frsize > 1 << 30:
        raise FaultError(f"{folder} lies on a large disk")
    ballast = folder / "ballast"
    try:
        _fill(ballast)
        yield
    finally:
        ballast.unlink(missing_ok=True)


def _fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    if done.returncode:
        raise FaultError(f"{' '.join(command)}: {done.stderr.strip()}")
