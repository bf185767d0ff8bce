"""What gunicorn is told, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path


def test_a_wrong_setting_is_answered_with_a_sentence(tmp_path: Path) -> None:
    env = {**os.environ, "LAB_VAR": str(tmp_path), "LAB_TIMEZONE": "Nowhere/Town"}
    command = [sys.executable, "-m", "gunicorn", "-c", "api/gunicorn_conf.py", "api.wsgi:app"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert done.stderr.splitlines() == [
        "gunicorn: LAB_TIMEZONE is 'Nowhere/Town'; it takes a time zone's name, such as UTC or Europe/Moscow"
    ]
