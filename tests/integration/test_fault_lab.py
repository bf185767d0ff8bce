"""The fault lab on the command line: a run to its end, one that is cancelled, and one whose engine is killed."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from faults.document import FaultDocument
from faults.guard import MARK
from faults.report import FORMS
from harness import proc
from harness.lab import ROOT
from lab.broker.installed import installed
from tests.conftest import missing

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

CANCEL_SECONDS = 3.0


class Engine:
    """`python -m faults run` with its own place for temporary files."""

    def __init__(self, base: Path, *arguments: str) -> None:
        if not installed():
            missing("RabbitMQ")
        self.id = f"t{secrets.token_hex(6)}"
        self.base = base
        self.progress = base / "progress.json"
        command = [sys.executable, "-m", "faults", "run", *arguments, "--id", self.id]
        self.process = subprocess.Popen(
            [*command, "--progress-file", str(self.progress)],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(base), "LAB_VAR": str(base / "var")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def document(self) -> dict[str, Any]:
        return dict(json.loads(self.progress.read_text())) if self.progress.exists() else {}

    def until(self, true: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            assert self.process.poll() is None, self.document().get("error")
            assert time.monotonic() < deadline, self.document()
            time.sleep(0.05)

    def started(self) -> list[int]:
        return proc.with_environment(MARK, self.id)

    def close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()

    def left(self) -> tuple[list[int], list[Path]]:
        """What is left of it: processes and folders."""
        return self.started(), list(self.base.glob("transport-lab-fault-*"))


def test_a_killed_worker_loses_what_celery_as_it_comes_had_acknowledged_and_nothing_else(
    tmp_path: Path,
) -> None:
    arms = ("--arm", "celery:naive", "--arm", "rabbitmq:safe")
    reports = [tmp_path / f"report.{form}" for form in FORMS]
    engine = Engine(
        tmp_path, "worker-killed", *arms, "--jobs", "24", "--json", "--fail-if", "celery:naive.lost>0",
        "--predict", "celery:naive=2,0", *(part for path in reports for part in ("--report", str(path))),
    )  # fmt: skip
    told, _ = engine.process.communicate(timeout=240)
    document = FaultDocument.model_validate_json(told)
    assert engine.process.returncode == 1  # the condition was met
    assert document.status == "DONE", document.error
    assert document.agrees, document.disagreements
    naive, safe = document.arms["celery:naive"], document.arms["rabbitmq:safe"]
    assert (naive.accepted, safe.accepted) == (24, 24)
    assert naive.lost > 0
    assert naive.done_once + naive.lost == 24
    assert (safe.done_once, safe.lost, safe.doubled) == (24, 0, 0)
    assert safe.recovered > 0
    assert all(path.stat().st_size > 500 for path in reports)
    assert "http" not in reports[0].read_text().replace(document.of_card.issue_url, "").replace(
        "http://www.w3.org", ""
    )
    assert engine.left() == ([], [])


@pytest.mark.alone
def test_a_run_that_is_cancelled_in_its_fault_is_gone_within_three_seconds(tmp_path: Path) -> None:
    arm = ("--arm", "rabbitmq:safe", "--jobs", "8")
    engine = Engine(tmp_path, "worker-frozen", *arm, "--strength", "100")
    engine.until(lambda: "SIGSTOP" in str(engine.document().get("struck")), 200)
    begin = time.monotonic()
    engine.process.send_signal(signal.SIGINT)
    engine.process.communicate(timeout=30)
    assert time.monotonic() - begin < CANCEL_SECONDS
    assert engine.process.returncode == 130
    assert engine.document()["status"] == "CANCELLED"
    assert engine.left() == ([], [])


@pytest.mark.parametrize("how", ["killed", "left by who started it"])
def test_an_engine_that_is_gone_leaves_no_process_and_no_folder(tmp_path: Path, how: str) -> None:
    engine = Engine(tmp_path, "worker-killed", "--arm", "rabbitmq:safe", "--watch-stdin")
    engine.until(lambda: len(engine.started()) > 2, 60)
    if how == "killed":
        engine.process.kill()
    elif engine.process.stdin is not None:
        engine.process.stdin.close()
    engine.process.wait(15)
    engine.close()
    deadline = time.monotonic() + 10
    while engine.left() != ([], []):
        assert time.monotonic() < deadline, engine.left()
        time.sleep(0.1)
