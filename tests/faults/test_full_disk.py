"""The whole lab, as `make up` runs it, on a disk that gets full."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from tests.full_disk import fill, tmpfs
from tests.integration.test_make_up import RunningLab, await_

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("node"), pytest.mark.timeout(300)]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[RunningLab]:
    lab = RunningLab(tmp_path)
    with tmpfs(lab.var, "260m"):
        try:
            yield lab.start().wait_up()
        finally:
            lab.end()


def send(lab: RunningLab, method: str, seconds: float = 0.1) -> requests.Response:
    body = {"method": method, "timeout": seconds, "count": 4}
    return requests.post(f"{lab.page}/api/tasks", json=body, timeout=30)


def all_done(lab: RunningLab, tasks: list[str]) -> bool:
    with suppress(requests.RequestException, KeyError):
        return all(lab.status(task) == "DONE" for task in tasks)
    return False


def test_a_full_disk_is_answered_with_503_and_everything_goes_on_when_there_is_room(lab: RunningLab) -> None:
    tasks = [
        task["id"] for method in ("celery", "rabbitmq") for task in send(lab, method, 3.0).json()["tasks"]
    ]
    filler = fill(lab.var)
    for _ in range(3):
        await_(lambda: send(lab, "celery").status_code == 503, 60)
        with pytest.raises(AssertionError):
            # The lab would have ended within this time.
            await_(lambda: lab.process is None or lab.process.poll() is not None, 5)
    filler.unlink()
    await_(lambda: all_done(lab, tasks), 120, lab.said)
    for method in ("celery", "rabbitmq"):
        answer = await_(lambda method=method: (sent := send(lab, method)).ok and sent, 60)
        new = [task["id"] for task in answer.json()["tasks"]]
        await_(lambda new=new: all_done(lab, new), 60, lab.said)
