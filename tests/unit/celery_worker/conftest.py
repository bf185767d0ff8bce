"""Forwarders that were really started."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from celery_worker import remote_reporter
from celery_worker.remote_reporter import RemoteReporter, start_forwarder
from lab.settings import Settings


@pytest.fixture
def forward(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Starts forwarders to the API at an address, and returns where they listen."""
    begun = len(remote_reporter._started)
    sockets: list[Path] = []

    def started(url: str) -> str:
        monkeypatch.setenv("API_URL", url)
        monkeypatch.setenv("LAB_VAR", str(tmp_path))
        sockets.append(Path(start_forwarder()))
        return str(sockets[-1])

    yield started
    ended = remote_reporter._started[begun:]
    del remote_reporter._started[begun:]  # first, so that none is started again
    for process in ended:
        process.kill()
        process.communicate()
    for path in sockets:
        shutil.rmtree(path.parent, ignore_errors=True)  # a forwarder that is killed leaves it


@pytest.fixture
def start(forward: Callable[[str], str]) -> Iterator[Callable[[str], RemoteReporter]]:
    """Makes reporters whose forwarder goes to the API at an address."""
    reporters = []

    def started(url: str) -> RemoteReporter:
        address = forward(url)
        reporters.append(RemoteReporter(address, Settings.from_env()))
        return reporters[-1]

    yield started
    for reporter in reporters:
        reporter.leave()
