"""Real beats for tests, each with a schedule file of its own."""

import subprocess
import sys
from pathlib import Path

from harness.lab import ROOT, Lab
from harness.processes import ManagedProcess

_PUT_BACK = """
import sys
from datetime import timedelta
from celery.beat import PersistentScheduler
from celery_app import celery_app
scheduler = PersistentScheduler(app=celery_app, schedule_filename=sys.argv[1])
for entry in scheduler.schedule.values():
    entry.last_run_at = celery_app.now() - timedelta(days=float(sys.argv[2]))
scheduler.close()
"""


def start_beat(lab: Lab, name: str, *, idle_days: float = 0.0, within_worker: bool = False) -> ManagedProcess:
    """Starts a beat of `lab`, as if it had last run `idle_days` ago, alone or within a worker; ended with the
    lab."""
    file = lab.base / f"schedule of {name}"
    if idle_days:
        command = [sys.executable, "-c", _PUT_BACK, str(file), str(idle_days)]
        subprocess.run(command, cwd=ROOT, env=lab.env, check=True, capture_output=True, timeout=60)
    program = ["worker", "--beat", "--concurrency=1", "-n", f"{name}@%h"] if within_worker else ["beat"]
    celery = str(Path(sys.executable).with_name("celery"))
    beat = ManagedProcess(
        [celery, "-A", "celery_app", *program, "--loglevel=info", "-s", str(file)],
        env=lab.env,
        log=lab.base / "log" / f"{name}.log",
        cwd=ROOT,
    )
    lab.workers.append(beat)
    return beat.start()
