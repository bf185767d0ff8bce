"""The scripts below tools/ and the Makefile, as far as they go without installing anything."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

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


def audit() -> Any:
    """tools/audit as a module."""
    loader = SourceFileLoader("audit", str(ROOT / "tools" / "audit"))
    spec = importlib.util.spec_from_loader("audit", loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


SOUND: dict[str, Any] = {"name": "flask", "version": "1", "vulns": []}
UNKNOWN: dict[str, Any] = {"name": "pika", "skip_reason": "Dependency not found on PyPI"}
HOLE: dict[str, Any] = {"name": "x", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["3"]}]}


@pytest.mark.parametrize(
    ("packages", "pip_audit", "code", "told"),
    [
        ([SOUND], 0, 0, "no known vulnerability in 1 packages"),
        ([SOUND, UNKNOWN], 0, 0, "unknown to the advisory service: pika"),
        ([UNKNOWN], 0, 0, "not audited: the advisory service does not answer"),
        ([SOUND, HOLE], 1, 1, "x 2: CVE-1, fixed in 3"),
        ([HOLE, UNKNOWN], 1, 1, "x 2: CVE-1, fixed in 3"),
        ([SOUND], 1, 1, "no known"),
    ],
)
def test_an_audit_ends_as_what_was_found(
    packages: list[dict[str, Any]], pip_audit: int, code: int, told: str
) -> None:
    found, lines = audit().verdict(pip_audit, json.dumps({"dependencies": packages}), "")
    assert found == code
    assert told in "\n".join(lines)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("requests.exceptions.ConnectionError: HTTPSConnectionPool", 0),
        ("pip_audit._service.interface.ConnectionError: Could not connect to PyPI", 0),
        ("requests.exceptions.ReadTimeout", 0),
        ("ERROR: requirement file has an invalid specifier", 1),
        ("No module named pip_audit", 1),
    ],
)
def test_only_a_silent_service_is_forgiven(error: str, code: int) -> None:
    found, lines = audit().verdict(1, "", error)
    assert found == code
    assert lines[0].startswith("not audited: ")
