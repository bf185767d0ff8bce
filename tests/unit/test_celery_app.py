"""What the application sets in each mode of delivery, and that beat's schedule is the lab's."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from celery.app.defaults import DEFAULTS

from celery_app import SAFE, create_celery
from lab.broker.amqp import queue_arguments
from lab.delivery import Delivery
from lab.options import MAX_PRIORITY
from lab.schedule import ENTRIES
from lab.settings import Settings


@pytest.mark.parametrize("zone", ["UTC", "Europe/Moscow", "America/New_York"])
@pytest.mark.parametrize("name", ENTRIES)
def test_beat_finds_an_entry_due_when_the_lab_does(tmp_path: Path, zone: str, name: str) -> None:
    settings = Settings.from_env({"LAB_VAR": str(tmp_path), "LAB_TIMEZONE": zone})
    app = create_celery(settings, Delivery.SAFE)
    entry: dict[str, Any] = app.conf.beat_schedule[name]
    assert (entry["task"], entry["args"]) == ("beat_due", (name,))
    schedule = entry["schedule"]
    schedule.app = app
    for hours in range(0, 24 * 14, 5):
        last = datetime(2026, 11, 1, 12, 0, 20, tzinfo=UTC) + timedelta(hours=hours)
        due = ENTRIES[name].rule.next(last, settings.timezone)
        for moment, expected in ((due - timedelta(seconds=2), False), (due, True)):
            schedule.nowfun = lambda moment=moment: moment.astimezone(settings.timezone)
            assert schedule.is_due(last.astimezone(settings.timezone)).is_due is expected, (last, due)


def test_beat_keeps_its_times_below_the_labs_folder(tmp_path: Path) -> None:
    var = tmp_path / "new" / "var"
    settings = Settings.from_env({"LAB_VAR": str(var), "RESULT_BACKEND": "rpc://"})
    app = create_celery(settings, Delivery.SAFE)
    assert Path(app.conf.beat_schedule_filename).parent == var
    assert var.is_dir()


AS_IT_COMES = """
import json
from celery import Celery
import celery_tasks
from celery_app import celery_app, settings
plain = Celery("tasks", broker=settings.celery_broker_url, include=["celery_tasks"])
ours, theirs = (app.conf.table(with_defaults=True) for app in (celery_app, plain))
print(json.dumps({name: ours[name] for name in ours if ours[name] != theirs.get(name)}))
print(json.dumps(sorted(theirs.keys() - ours.keys())))
print(json.dumps([celery_app.main == plain.main, type(celery_app) is Celery, celery_app.task_cls == plain.task_cls]))
"""


def test_as_it_comes_nothing_is_set_but_the_queues_name(tmp_path: Path) -> None:
    env = {**os.environ, "LAB_VAR": str(tmp_path), "DELIVERY": "naive"}
    done = subprocess.run(
        [sys.executable, "-c", AS_IT_COMES], env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"task_default_queue": "celery.naive"},
        [],
        [True, True, True],
    ]


def safe(tmp_path: Path, **env: str) -> Celery:
    return create_celery(Settings.from_env({"LAB_VAR": str(tmp_path), **env}), Delivery.SAFE)


def test_the_safe_mode_uses_documented_settings_only(tmp_path: Path) -> None:
    changed = safe(tmp_path).conf.changes.keys() - {"deprecated_settings"}  # Celery's own note
    assert changed >= SAFE.keys()
    assert changed <= DEFAULTS.keys()


def test_the_safe_mode_leaves_pool_timers_and_tasks_celerys_own(tmp_path: Path) -> None:
    app, plain = safe(tmp_path), Celery("tasks")
    for name in ("worker_pool", "worker_timer", "worker_autoscaler", "worker_agent"):
        assert app.conf[name] == plain.conf[name]
    assert app.task_cls == plain.task_cls
    assert app.conf.worker_consumer == "celery_worker.dead_letters:DeadLetteringConsumer"


def test_the_priority_queue_is_consumed_beside_the_quorum_queue(tmp_path: Path) -> None:
    queues = {queue.name: queue for queue in safe(tmp_path).conf.task_queues}
    assert list(queues) == ["celery", "celery.priority", "celery.open"]
    assert queues["celery"].queue_arguments == queue_arguments("celery")
    assert queues["celery.priority"].queue_arguments["x-max-priority"] == MAX_PRIORITY
    assert {queue.exchange.type for queue in queues.values()} == {"topic"}


def test_over_another_broker_there_is_one_queue_and_no_confirm(tmp_path: Path) -> None:
    app = safe(tmp_path, CELERY_BROKER_URL="redis://127.0.0.1:1/0")
    assert [(queue.name, queue.queue_arguments) for queue in app.conf.task_queues] == [("celery", None)]
    assert "confirm_publish" not in app.conf.broker_transport_options


def test_a_time_limit_for_all_tasks_is_a_setting(tmp_path: Path) -> None:
    settings = Settings.from_env({"LAB_VAR": str(tmp_path), "LAB_TASK_TIME_LIMIT": "1800"})
    limited = create_celery(settings, Delivery.SAFE).conf
    assert (limited.task_soft_time_limit, limited.task_time_limit) == (1800, 1805)
    without = create_celery(Settings.from_env({"LAB_VAR": str(tmp_path)}), Delivery.SAFE).conf
    assert (without.task_soft_time_limit, without.task_time_limit) == (None, None)
