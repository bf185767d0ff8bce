"""Applications with settings of their own."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from api import LabAPI, create_app
from lab.settings import Settings


@pytest.fixture
def make_app(settings: Settings) -> Iterator[Callable[..., LabAPI]]:
    """Makes applications with other settings, and ends them."""
    made: list[LabAPI] = []

    def make(**changes: Any) -> LabAPI:
        made.append(create_app(settings.with_(**changes)))
        return made[-1]

    yield make
    for app in made:
        app.extensions["lab"].stop()
