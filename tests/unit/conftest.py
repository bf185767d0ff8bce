"""An API that takes statuses, for whatever reports."""

from collections.abc import Iterator

import pytest

from tests.callback_api import Api


@pytest.fixture
def api() -> Iterator[Api]:
    """The API."""
    made = Api()
    yield made
    made.close()
