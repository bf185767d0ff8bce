import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from lab import usage
from lab.broker.traffic import Traffic

BURN = "import time\nwhile time.process_time() < {seconds}: pass\n"
WAIT = "import sys; sys.stdin.read()"


@pytest.fixture
def waiting() -> Iterator[subprocess.Popen[bytes]]:
    """A child that has used 0.2 s, one of its own that has used another 0.2 s, and waits."""
    inner = (
        f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', '''{BURN.format(seconds=0.2)}'''])\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", inner + BURN.format(seconds=0.2) + "print(flush=True)\n" + WAIT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdout
    child.stdout.readline()
    yield child
    child.communicate()


def test_time_counts_of_children_too_and_of_those_that_have_ended(waiting: subprocess.Popen[bytes]) -> None:
    used = usage.cpu_seconds(waiting.pid)
    assert used is not None
    assert 0.35 <= used < 5
    whole = usage.cpu_seconds(os.getpid())
    assert whole is not None
    assert whole >= used


def test_what_is_left_out_does_not_count(waiting: subprocess.Popen[bytes]) -> None:
    without = usage.cpu_seconds(os.getpid(), waiting.pid)
    whole = usage.cpu_seconds(os.getpid())
    assert whole is not None
    assert without is not None
    assert whole - without >= 0.3
    assert waiting.pid not in {process.pid for process in usage.tree(os.getpid(), waiting.pid)}


def test_time_only_grows() -> None:
    before = usage.cpu_seconds(os.getpid())
    end = time.process_time() + 0.1
    while time.process_time() < end:
        pass
    after = usage.cpu_seconds(os.getpid())
    assert before is not None
    assert after is not None
    assert 0.05 <= after - before < 2


def test_of_a_process_that_is_gone_nothing_is_known() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert usage.cpu_seconds(child.pid) is None
    assert usage.memory(child.pid) is None


def test_a_worker_answers_all_of_it() -> None:
    told = usage.answer(os.getpid(), Traffic(1, 2))
    assert told["cpu_seconds"] > 0
    assert told["memory"] > 1_000_000
    assert (told["bytes_in"], told["bytes_out"]) == (1, 2)


def test_a_page_that_processes_share_counts_once() -> None:
    code = (
        "import os\nfrom lab import usage\nmuch = bytearray(80_000_000)\nalone = usage.memory(os.getpid())\n"
        "read, write = os.pipe()\n"
        "for _ in range(3):\n    if os.fork() == 0:\n"
        "        os.close(write)\n        os.read(read, 1)\n        os._exit(0)\n"
        "together = usage.memory(os.getpid())\nos.close(write)\n"
        "assert alone > 80_000_000, alone\nassert together < 2 * alone, (alone, together)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
