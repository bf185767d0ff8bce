"""Fault runs of the page on the real engine: cancelled, and with an API that is killed."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from faults.guard import MARK
from harness import proc
from harness.lab import Lab
from lab.broker.installed import installed
from tests.conftest import NO_BROKER, missing

BODY = {
    "card": "worker-frozen",
    "arms": [{"method": "celery", "delivery": "naive"}],
    "jobs": 40,
    "seconds": 0.5,
    "strength": 60,
}
"""Frozen for a minute, so that a test can be sure to meet it in the middle of its fault."""


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """An API alone, whose runs make their folders where the test sees them."""
    if not installed():
        missing("RabbitMQ")
    folders = tmp_path / "f"
    folders.mkdir()
    with Lab(tmp_path / "lab", NO_BROKER, env={"TMPDIR": str(folders)}) as running:
        yield running


def run(lab: Lab, run_id: str) -> dict[str, Any]:
    found: dict[str, Any] = lab.session.get(f"{lab.url}/api/faults/{run_id}", timeout=10).json()
    return found


def until(holds: Callable[[], bool], seconds: float, what: str) -> float:
    """How long it took until `holds`."""
    begun = time.monotonic()
    while not holds():
        assert time.monotonic() - begun < seconds, what
        time.sleep(0.05)
    return time.monotonic() - begun


def in_its_fault(lab: Lab) -> str:
    """The id of a run that was started and is in the middle of its fault."""
    answer = lab.session.post(f"{lab.url}/api/faults", json=BODY, timeout=10)
    assert answer.status_code == 202, answer.text
    run_id = str(answer.json()["id"])
    until(lambda: "fault" in run(lab, run_id)["phases"], 120, str(run(lab, run_id)))
    return run_id


def left_of(run_id: str) -> list[int]:
    return proc.with_environment(MARK, run_id)


def listening() -> dict[str, str]:
    """The addresses on which anybody listens, by their sockets: state 0A in /proc/net/tcp and tcp6."""
    files = [Path(f"/proc/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    rows = [line.split() for lines in files for line in lines]
    return {f"socket:[{row[9]}]": row[1] for row in rows if row[3] == "0A"}


def ports_of(pids: list[int]) -> set[str]:
    """The addresses on which processes listen."""
    sockets, found = listening(), set()
    for descriptor in (each for pid in pids for each in Path(f"/proc/{pid}/fd").glob("*")):
        with suppress(OSError):
            found.add(sockets.get(os.readlink(descriptor), ""))
    return found - {""}


def test_a_cancelled_run_undoes_its_fault_within_three_seconds_and_leaves_nothing(
    lab: Lab, tmp_path: Path
) -> None:
    run_id = in_its_fault(lab)
    assert left_of(run_id)
    assert lab.session.post(f"{lab.url}/api/faults/{run_id}/cancel", timeout=10).status_code == 202
    took = until(lambda: run(lab, run_id)["status"] == "CANCELLED", 10, "it goes on")
    assert took < 3.0
    until(lambda: not left_of(run_id), 3.0 - took + 1.0, "processes are left")
    until(lambda: not list((tmp_path / "f").glob("transport-lab-fault-*")), 3, "its folder is left")


def test_an_api_that_is_killed_leaves_no_process_port_or_folder_of_a_run_and_ends_it_when_it_is_back(
    lab: Lab, tmp_path: Path
) -> None:
    run_id = in_its_fault(lab)
    ports = ports_of(left_of(run_id))
    assert ports
    api = [lab.api.pid, *(pid for pid in proc.children(lab.api.pid) if b"gunicorn" in proc.command(pid))]
    proc.send(api, signal.SIGKILL)
    until(lambda: not left_of(run_id), 20, "processes are left")
    # A process that is killed gives back its memory, and its environment with that, just before its sockets.
    until(lambda: not ports & set(listening().values()), 1, "ports are left")
    until(lambda: not list((tmp_path / "f").glob("transport-lab-fault-*")), 5, "its folder is left")
    lab.api.start()
    lab.wait_for_api()
    until(lambda: run(lab, run_id)["status"] == "FAILED", 20, "the run is never ended")
    assert run(lab, run_id)["error"].startswith("interrupted")
