"""Forwarders that were really started."""

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

    def started(url: str) -> str:
        monkeypatch.setenv("API_URL", url)
        monkeypatch.setenv("LAB_VAR", str(tmp_path))
        return start_forwarder()

    yield started
    ended = remote_reporter._started[begun:]
    del remote_reporter._started[begun:]  # first, so that none is started again
    for process in ended:
        process.kill()
        process.communicate()


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
