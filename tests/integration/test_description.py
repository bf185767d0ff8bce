"""The running API against its own description, by thousands of generated requests."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.lab import Lab
from harness.node import RabbitNode
from tests.conftest import missing
from tests.vhosts import make_vhost

pytestmark = pytest.mark.slow

EXAMPLES = 10
# A request that breaks its schema may also be refused for its length, with 413 or 414.
# What follows /api/tasks/ is a task's name too, so that its methods are allowed for /api/tasks/bulk as well.
CONFIG = """
[checks.negative_data_rejection]
expected-statuses = ["4xx", "5xx"]

[[operations]]
include-path = "/api/tasks/bulk"
checks.allow_header_conformance.enabled = false
"""
# Rules that relate fields to each other are none that a schema could tell: the one check that is left out.
WITHOUT = "positive_data_acceptance"
# Without workers the lab is not ready, and says so with 503.
NOT_READY = "/readyz"


@pytest.fixture(scope="module")
def api(node: RabbitNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    url = make_vhost(node)
    lab = Lab(tmp_path_factory.mktemp("description"), url, env={"LAB_SYNC_MAX_SECONDS": "0.2"})
    try:
        lab.start_api()
        yield lab
    finally:
        lab.api.terminate(timeout=20)


@pytest.mark.timeout(450)
def test_generated_requests_are_answered_as_described(api: Lab, tmp_path: Path) -> None:
    command = shutil.which("schemathesis", path=str(Path(sys.executable).parent)) or shutil.which(
        "schemathesis"
    )
    if command is None:
        missing("schemathesis")
        return
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    options = f"--phases coverage,fuzzing --max-examples {EXAMPLES} --seed 1 --request-timeout 20 --no-color"
    done = subprocess.run(
        [command, "run", f"{api.url}/openapi.json", *options.split(),
         "--exclude-checks", WITHOUT, "--exclude-path", NOT_READY],
        cwd=tmp_path, capture_output=True, text=True, timeout=420,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
