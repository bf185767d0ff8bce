"""Beats over minutes: doubled, killed, and without a broker when something is due."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from harness.lab import Lab
from harness.node import RabbitNode
from tests.beats import start_beat

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]


def checks(lab: Lab) -> list[dict[str, Any]]:
    """The health checks that beat caused, oldest first."""
    answer = lab.session.get(f"{lab.url}/api/schedule", timeout=30)
    answer.raise_for_status()
    entry = answer.json()["entries"][0]
    assert entry["name"] == "check-health-every-minute"
    return [run for run in reversed(entry["runs"]) if run["due_at"]]


def until(moment: datetime) -> None:
    time.sleep(max(0.0, (moment - datetime.now(UTC)).total_seconds()))


def next_minute() -> datetime:
    return datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)


def test_two_beats_make_one_health_check_a_minute_also_when_one_is_killed_and_comes_again(
    own_node: RabbitNode, tmp_path: Path
) -> None:
    with Lab(tmp_path, own_node.url) as lab:
        lab.start_celery(concurrency=2)
        lab.start_consumer()
        if datetime.now(UTC).second > 40:
            until(next_minute() + timedelta(seconds=2))
        first, second = start_beat(lab, "first"), start_beat(lab, "second")
        for beat in (first, second):
            beat.wait_for_log("beat: Starting", timeout=30)
        begin = next_minute()
        until(begin + timedelta(seconds=70))
        first.kill_group()
        first.start()
        until(begin + timedelta(seconds=130))
        second.kill_group()
        until(begin + timedelta(seconds=190))
        made = checks(lab)
        due = [datetime.fromisoformat(run["due_at"]) for run in made]
        assert due == [begin + n * timedelta(minutes=1) for n in range(4)]
        done = lab.wait_for([run["task_id"] for run in made], "DONE", "FAILED")
        assert {task["status"] for task in done.values()} == {"DONE"}


def test_what_was_due_while_the_broker_was_away_is_run_when_it_is_back(
    own_node: RabbitNode, tmp_path: Path
) -> None:
    with Lab(tmp_path, own_node.url) as lab:
        lab.start_celery(concurrency=2)
        lab.start_consumer()
        beat = start_beat(lab, "beat")
        beat.wait_for_log("beat: Starting", timeout=30)
        until(next_minute() + timedelta(seconds=5))
        assert checks(lab)
        minute = next_minute()
        until(minute - timedelta(seconds=8))
        own_node.ctl("stop_app")
        late = start_beat(lab, "late", idle_days=10)  # everything is due, and nobody takes it
        until(minute + timedelta(seconds=10))
        assert minute.isoformat()[:16] not in [run["due_at"][:16] for run in checks(lab)]
        own_node.ctl("start_app")
        deadline = time.monotonic() + 90
        while True:
            told = lab.session.get(f"{lab.url}/api/schedule", timeout=30).json()["entries"]
            if all(run for run in (entry["runs"] for entry in told)):
                break
            assert time.monotonic() < deadline, told
            time.sleep(0.5)
        assert [len(entry["runs"]) for entry in told[1:]] == [1, 1]
        assert minute.isoformat()[:16] in [run["due_at"][:16] for run in checks(lab)]
        assert beat.running
        assert late.running
