import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.node import RabbitNode
from harness.plan import ROOT
from lab.broker import amqp
from lab.settings import Settings
from tests.vhosts import make_vhost
from transports.check import Unusable, check


@pytest.fixture
def url(node: RabbitNode) -> str:
    return make_vhost(node)


def settings_for(url: str, folder: Path) -> Settings:
    return Settings.from_env({"RMQ_URL": url, "LAB_VAR": str(folder)})


def said(url: str, folder: Path) -> str:
    with pytest.raises(Unusable) as refused:
        check(settings_for(url, folder), 0.0)
    assert "qwerty" not in str(refused.value)
    assert "wrong" not in str(refused.value)
    return str(refused.value)


def test_a_virtual_host_that_fits_is_found_to_fit_again_and_again(url: str, tmp_path: Path) -> None:
    for _ in range(2):
        check(settings_for(url, tmp_path))


def test_a_wrong_password_is_one_sentence(url: str, tmp_path: Path) -> None:
    assert "takes no such user and password" in said(url.replace("qwerty", "wrong"), tmp_path)


def test_a_missing_virtual_host_is_named(url: str, tmp_path: Path) -> None:
    assert "has no virtual host 'nowhere'" in said(f"{url.rpartition('/')[0]}/nowhere", tmp_path)


def test_a_host_that_refuses_is_named(tmp_path: Path) -> None:
    assert "amqp://anna@127.0.0.1:1/ does not answer" in said("amqp://anna:qwerty@127.0.0.1:1/", tmp_path)


@pytest.mark.parametrize("name", ["celery", "celery.priority", "tasks", "tasks.dead"])
def test_a_queue_that_was_declared_otherwise_is_named(url: str, name: str, tmp_path: Path) -> None:
    with amqp.connected(url, "test") as connection:
        connection.channel().queue_declare(name, durable=False, exclusive=False, auto_delete=True)
    assert f"has the queue '{name}' already" in said(url, tmp_path)


def test_an_exchange_of_celerys_that_was_declared_otherwise_is_named(url: str, tmp_path: Path) -> None:
    with amqp.connected(url, "test") as connection:
        connection.channel().exchange_declare("celery", "fanout", durable=True)
    assert "has the exchange 'celery' already" in said(url, tmp_path)


def test_the_command_says_why_and_fails(url: str, tmp_path: Path) -> None:
    env = {**os.environ, "RMQ_URL": url.replace("qwerty", "wrong"), "LAB_VAR": str(tmp_path)}
    command = [sys.executable, "-m", "transports.check"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (1, "")
    assert len(done.stdout.splitlines()) == 1
