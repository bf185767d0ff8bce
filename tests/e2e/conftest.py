"""A real browser at a real lab. Each test keeps pictures of what it saw under test-artifacts/."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from harness.lab import Lab
from tests.e2e.visitor import Visitor

ROOT = Path(__file__).resolve().parents[2]
ARTIFACTS = ROOT / "test-artifacts"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NOWHERE = "amqp://student:qwerty@127.0.0.1:1/"


def _chromium() -> str:
    for name in ("/usr/bin/chromium", "chromium", "google-chrome"):
        if found := shutil.which(name):
            return found
    reason = "Chromium is not installed; `make test` installs it"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium, without a window."""
    path = _chromium()
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield running
        running.close()


@pytest.fixture
def visitor(browser: Browser, lab: Lab) -> Iterator[Visitor]:
    """Somebody with a browser at the running lab."""
    somebody = Visitor(browser, lab.url)
    yield somebody
    somebody.close()


@pytest.fixture(scope="session")
def bare_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab that has no broker, no workers and no tasks, for tests that only look at it."""
    with Lab(tmp_path_factory.mktemp("bare"), NOWHERE, management_url="http://127.0.0.1:1/") as running:
        yield running


@pytest.fixture
def bare_visitor(browser: Browser, bare_lab: Lab) -> Iterator[Visitor]:
    """Somebody with a browser who only looks at the bare lab."""
    somebody = Visitor(browser, bare_lab.url)
    yield somebody
    somebody.close()


@pytest.fixture
def lonely_lab(tmp_path: Path) -> Iterator[Lab]:
    """Such a lab of the test's own."""
    with Lab(tmp_path, NOWHERE, management_url="http://127.0.0.1:1/") as running:
        yield running


@pytest.fixture
def lonely_visitor(browser: Browser, lonely_lab: Lab) -> Iterator[Visitor]:
    """Somebody with a browser at the lonely lab."""
    somebody = Visitor(browser, lonely_lab.url)
    yield somebody
    somebody.close()


@pytest.fixture
def shoot() -> Callable[..., None]:
    """Keeps a picture of a page under test-artifacts/, by a name that stays the same."""

    def take(page: Page, name: str, *, whole: bool = False) -> None:
        ARTIFACTS.mkdir(exist_ok=True)
        page.screenshot(path=ARTIFACTS / f"{name}.png", full_page=whole, animations="disabled")

    return take
