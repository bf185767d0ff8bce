"""`python -m experiments` from the outside: a lab of its own, and Ctrl-C."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from experiments.model import Experiment
from harness import proc
from harness.lab import ROOT
from harness.node import RabbitNode

pytestmark = pytest.mark.slow

NOBODYS_PORT = "1"


@contextmanager
def started(tmp_path: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """The command, with its temporary files below `tmp_path`; ended at last, if it has not."""
    process = subprocess.Popen(
        [sys.executable, "-m", "experiments", *words],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path), "PORT": NOBODYS_PORT},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        proc.send(proc.family(process.pid), signal.SIGKILL)
        process.communicate()


def left_over(tmp_path: Path) -> list[int]:
    """Processes that the command has started and not ended."""
    return proc.with_environment("TMPDIR", str(tmp_path))


@pytest.fixture(autouse=True)
def _rabbitmq(node: RabbitNode) -> None:
    """The labs here start a RabbitMQ of their own; without the package they cannot."""


def test_a_run_without_a_lab_starts_one_says_so_and_ends_it(tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    arms = ["--arm", "celery", "--arm", "rabbitmq:naive", "--arm", "sync"]
    words = [*arms, "--jobs", "20", "--work", "noop", "--repetitions", "1"]
    options = ["--json", "--concurrency", "2", "--report", str(report)]
    with started(tmp_path, "run", *words, *options) as process:
        out, err = process.communicate(timeout=150)
        assert process.returncode == 0, err
    assert f"Nothing answers at http://localhost:{NOBODYS_PORT}. A lab of its own is started" in err
    found = Experiment.model_validate_json(out)
    assert found.status == "DONE"
    assert [total.lost for total in found.totals] == [0, 0, 0]
    rows = {row.key: row for row in found.fairness}
    assert rows["concurrency"].values == ["2", "2", "2"]
    assert "<svg" in report.read_text()
    assert left_over(tmp_path) == []
    assert list(tmp_path.iterdir()) == [report]


def test_ctrl_c_cancels_the_experiment_and_ends_the_lab(tmp_path: Path) -> None:
    words = ["--own", "--arm", "rabbitmq", "--jobs", "2000", "--duration", "0.5", "--repetitions", "5"]
    with started(tmp_path, "run", *words) as process:
        assert process.stderr
        for line in process.stderr:
            if "turn 1 of 5" in line:
                break
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=90)
    assert process.returncode == 130
    assert "is CANCELLED." in err
    assert time.monotonic() - begin < 60
    assert left_over(tmp_path) == []
    assert list(tmp_path.iterdir()) == []
