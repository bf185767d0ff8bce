import os
import subprocess
import sys

from benchmarks.busy import Busy, family_seconds

WORK = "import time\nend = time.process_time() + 0.4\nwhile time.process_time() < end: pass"


def test_what_a_child_that_has_ended_used_is_counted() -> None:
    before = family_seconds(os.getpid())
    subprocess.run([sys.executable, "-c", WORK], check=True)
    assert family_seconds(os.getpid()) - before > 0.3


def test_a_process_that_is_gone_uses_nothing() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert family_seconds(gone.pid) == 0.0


def test_what_others_used_is_a_share_of_the_machine() -> None:
    busy = Busy()
    with busy.watching():
        subprocess.run([sys.executable, "-c", WORK], check=True)
    assert busy.foreign is not None
    assert 0.0 <= busy.foreign <= 1.2
