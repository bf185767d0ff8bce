"""The scripts below tools/ and the Makefile, as far as they go without installing anything."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def run(*command: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    env = os.environ | ({"PATH": str(path)} if path else {})
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A folder for PATH that holds a shell and nothing else."""
    (tmp_path / "sh").symlink_to("/bin/sh")
    return tmp_path


def fake(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_without_apt_get_it_says_what_to_install_by_hand(bare: Path) -> None:
    done = run("tools/install-packages", "rabbitmq-server", path=bare)
    assert done.returncode == 1
    assert done.stderr == (
        "No apt-get here: please install by hand what your system calls rabbitmq-server, then try again.\n"
    )


def test_packages_that_are_there_are_left_alone(bare: Path) -> None:
    fake(bare, "apt-get", "echo apt-get was run")
    fake(bare, "dpkg-query", "printf installed")
    done = run("tools/install-packages", "rabbitmq-server", "chromium", path=bare)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_without_root_and_sudo_it_names_the_command_for_root(bare: Path) -> None:
    fake(bare, "apt-get", "echo apt-get was run")
    fake(bare, "dpkg-query", "exit 1")
    fake(bare, "id", "echo 1000")
    done = run("tools/install-packages", "chromium", path=bare)
    assert done.returncode == 1
    assert done.stderr == (
        "Only root can install packages and there is no sudo: "
        "please have root run 'apt-get install chromium'.\n"
    )


def test_what_is_no_package_name_is_refused(bare: Path) -> None:
    fake(bare, "apt-get", "echo apt-get was run")
    fake(bare, "dpkg-query", "exit 1")
    done = run("tools/install-packages", "--purge", path=bare)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "'--purge' is no package name.\n")


def test_a_python_that_is_new_enough_is_found(bare: Path) -> None:
    fake(bare, "python3", "exit 1")
    fake(bare, "python3.12", f'exec {sys.executable} "$@"')
    assert run("tools/find-python", path=bare).stdout == f"{bare / 'python3.12'}\n"


def test_no_python_that_is_new_enough_is_one_sentence(bare: Path) -> None:
    fake(bare, "python3", "exit 1")
    done = run("tools/find-python", path=bare)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("No Python 3.11 or newer was found")


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_alone_lists_what_it_can_do() -> None:
    done = run("make")
    assert done.returncode == 0
    for target in ("up", "test", "check", "bench", "clean"):
        assert f"\n  make {target} " in done.stdout
