"""What tests of a module's own lab share."""

import pytest

from harness.lab import Lab


@pytest.fixture
def nobody(own_lab: Lab) -> None:
    """Ends the workers that other tests have left."""
    for running in own_lab.workers:
        if running.running:
            running.terminate(timeout=30)
