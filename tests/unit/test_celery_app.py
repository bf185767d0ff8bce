"""Beat's schedule is the lab's."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from celery_app import create_celery
from lab.delivery import Delivery
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
