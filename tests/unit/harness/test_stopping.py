import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.stopping import ENDING, StopRequest

# Says "ready", waits until the end is wanted, says so.
WAITING = f"""{sys.executable} -c '
import time
from harness.stopping import StopRequest
stop = StopRequest(); stop.listen(); print("ready", flush=True)
end = time.monotonic() + 20
while not stop.wanted and time.monotonic() < end: time.sleep(0.05)
print("ended" if stop.wanted else "too late", flush=True)'
"""


@pytest.mark.parametrize("sig", ENDING)
def test_each_ending_signal_is_counted(sig: signal.Signals) -> None:
    former = {one: signal.getsignal(one) for one in ENDING}
    try:
        stop = StopRequest()
        stop.listen()
        assert not stop.wanted
        os.kill(os.getpid(), sig)
        os.kill(os.getpid(), sig)
        assert stop.count == 2
        assert stop.wanted
    finally:
        for one, handler in former.items():
            signal.signal(one, handler)


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize("sig", [*ENDING, signal.SIGKILL])
def test_a_signal_to_make_alone_ends_what_make_runs(tmp_path: Path, sig: signal.Signals) -> None:
    (tmp_path / "Makefile").write_text("wait:\n\t@exec sh wait.sh\n")
    (tmp_path / "wait.sh").write_text(f"exec {WAITING}")
    with subprocess.Popen(
        ["make", "-C", str(tmp_path), "--no-print-directory", "wait"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": os.getcwd()},
        start_new_session=True,
        text=True,
    ) as make:
        assert make.stdout is not None
        assert make.stdout.readline() == "ready\n"
        make.send_signal(sig)
        assert make.stdout.readline() == "ended\n"
