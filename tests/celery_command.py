"""The command `celery -A celery_app`, run to its end against a test's lab."""

import subprocess
import sys

from harness.lab import ROOT, Lab


def celery(lab: Lab, *arguments: str, code: int = 0, typed: str = "") -> str:
    """What `celery -A celery_app` with these `arguments` prints; it reads what is `typed`, and is to end with the
    status `code`."""
    command = [sys.executable, "-m", "celery", "-A", "celery_app", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=lab.env, input=typed, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout
