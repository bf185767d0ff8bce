"""Short processes that send and take, and the file that tells how many jobs have run."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from harness.lab import ROOT
from harness.processes import tail


class Trouble(RuntimeError):
    """A contender did not do what was awaited; the message says what."""


class Client:
    """A process that prints when it began, and when it ended; killed where it has not ended by itself."""

    def __init__(self, command: list[str], env: Mapping[str, str], errors: Path) -> None:
        errors.parent.mkdir(exist_ok=True)
        self._name, self._errors = command[0], errors
        with errors.open("wb") as file:
            self._process = subprocess.Popen(
                command, env=dict(env), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file
            )

    def ask(self, line: str) -> str:
        """Sends it a line, and returns its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()
        return self.line()

    def line(self) -> str:
        """The next line that it prints."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._fail()
        return line.decode()

    def times(self, timeout: float) -> tuple[float, float]:
        """The two times that it prints at its end."""
        try:
            out, _ = self._process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            raise Trouble(f"{self._name} took longer than {timeout:g} s") from None
        if self._process.returncode:
            self._fail()
        begin, end = map(float, out.split())
        return begin, end

    def _fail(self) -> None:
        raise Trouble(f"{self._name} failed:\n{tail(self._errors)}")

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()


class Ticks:
    """The file that jobs write to as they run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reset()

    def reset(self) -> None:
        """Counts from nothing."""
        with self.path.open("wb"):
            pass

    @property
    def count(self) -> int:
        """Bytes in it."""
        return self.path.stat().st_size

    def wait(self, count: int, seconds: float) -> tuple[int, float]:
        """Waits until there are `count`, `seconds` at most; how many there are, and the time of
        time.monotonic()."""
        deadline = time.monotonic() + seconds
        while (found := self.count) < count and time.monotonic() < deadline:
            time.sleep(0.002)
        return found, time.monotonic()

    def expect(self, count: int, seconds: float = 60.0) -> None:
        """Waits for `count`; raises Trouble where they do not come."""
        found, _ = self.wait(count, seconds)
        if found < count:
            raise Trouble(f"{found} of {count} jobs ran within {seconds:g} s")

    def times(self) -> list[int]:
        """What `work.stamp` wrote, in nanoseconds."""
        data = self.path.read_bytes()
        return [int.from_bytes(data[i : i + 8], "little", signed=True) for i in range(0, len(data) - 7, 8)]
