"""Applications with settings of their own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from api import LabAPI
from lab.settings import Settings
from tests.conftest import LendApp


@pytest.fixture
def make_app(settings: Settings, lend_app: LendApp) -> Iterator[Callable[..., LabAPI]]:
    """Makes applications with other settings, and ends them."""
    with ExitStack() as lent:
        yield lambda **changes: lent.enter_context(lend_app(settings.with_(**changes)))
