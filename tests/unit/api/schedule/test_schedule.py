"""Due times become tasks once; what the JSON API tells of them; who may ask for what."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from api import LabAPI
from api.services import Services
from experiments.plan import Arm, Plan
from lab.clock import to_us
from lab.schedule import ENTRIES
from lab.status import StatusUpdate, TaskStatus
from lab.token import sign
from store.experiments import ExperimentRows
from store.tasks import Row

HEALTH, REPORT, CLEANUP = (
    ENTRIES[name] for name in ("check-health-every-minute", "daily-report", "weekly-cleanup")
)
MONDAY = datetime(2026, 11, 23, 10, 0, 30, tzinfo=UTC)


def bearer(parts: Services, task_id: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {sign(parts.secret, task_id)}"}


def end(parts: Services, task_id: str, status: TaskStatus = TaskStatus.DONE, **fields: Any) -> None:
    parts.store.apply([StatusUpdate(task_id=task_id, status=status, **fields)])


def entry(client: FlaskClient, name: str) -> dict[str, Any]:
    told = client.get("/api/schedule").json
    found: dict[str, Any] = next(one for one in told["entries"] if one["name"] == name)
    return found


def test_a_due_time_becomes_one_task_however_often_it_is_told(parts: Services) -> None:
    first = parts.schedule.due(HEALTH, MONDAY)
    assert first is not None
    assert (first["method"], first["kind"], first["status"]) == ("celery", "health_check", "PENDING")
    assert first["max_retries"] == 0
    assert parts.schedule.due(HEALTH, MONDAY + timedelta(seconds=20)) is None
    assert parts.schedule.due(HEALTH, MONDAY + timedelta(seconds=60)) is not None
    assert parts.store.counts()["PENDING"] == parts.outbox.waiting() == 2


def test_health_checks_are_passed_over_while_an_experiment_runs_and_the_report_is_not(
    client: FlaskClient, parts: Services
) -> None:
    rows = ExperimentRows(parts.store.engine)
    rows.add(Plan(arms=[Arm(method="celery")], jobs=1))
    assert parts.schedule.due(HEALTH, MONDAY) is not None  # it waits for its turn
    running = rows.claim()
    assert running is not None
    assert parts.schedule.due(HEALTH, MONDAY + timedelta(minutes=1)) is None
    assert parts.schedule.due(REPORT, MONDAY) is not None
    assert entry(client, HEALTH.name)["runs"][0]["task_id"] is None
    assert "passed over: an experiment was running" in client.get("/schedule").text
    assert client.get("/api/schedule").json["beat"] is True  # it was heard all the same
    rows.finish(running, "DONE", None, (), ())
    assert parts.schedule.due(HEALTH, MONDAY + timedelta(minutes=2)) is not None


def test_many_who_tell_of_one_due_time_at_once_make_one_task(parts: Services) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: parts.schedule.due(REPORT, MONDAY), range(16)))
    assert sum(row is not None for row in made) == 1
    assert parts.store.counts()["PENDING"] == 1


def test_a_beat_that_comes_late_runs_a_missed_time_once_and_older_ones_never(parts: Services) -> None:
    assert parts.schedule.due(REPORT, MONDAY - timedelta(days=5)) is not None
    late = [parts.schedule.due(REPORT, MONDAY + timedelta(seconds=n)) for n in range(4)]
    assert [row is not None for row in late] == [True, False, False, False]


def test_a_due_time_whose_run_could_not_be_noted_is_run_by_the_next_word_and_not_again(
    parts: Services,
) -> None:
    row = parts.schedule.due(REPORT, MONDAY)
    assert row is not None
    # As if the process had ended between the task and the note.
    with parts.store.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM schedule_runs")
    again = parts.schedule.due(REPORT, MONDAY)
    assert again is not None
    assert again["id"] == row["id"]
    assert parts.store.counts()["PENDING"] == 1


def test_a_report_is_on_the_local_day_before_and_by_hand_on_the_last_24_hours(parts: Services) -> None:
    row = parts.schedule.due(REPORT, MONDAY)
    assert row is not None
    day = {"since": "2026-11-22T00:00:00.000000Z", "until": "2026-11-23T00:00:00.000000Z"}
    assert row["params"] == day
    now = parts.schedule.run_now(REPORT, MONDAY)
    assert now["params"] == {"since": "2026-11-22T10:00:30.000000Z", "until": "2026-11-23T10:00:30.000000Z"}


def test_the_api_tells_rules_next_times_and_runs(client: FlaskClient, parts: Services) -> None:
    before = client.get("/api/schedule").json
    assert (before["timezone"], before["beat"], before["heard_at"]) == ("UTC", False, None)
    assert [one["name"] for one in before["entries"]] == list(ENTRIES)
    assert entry(client, "weekly-cleanup")["rule"] == {"every": None, "at": "09:00", "weekday": 1}
    assert entry(client, "daily-report")["rule"] == {"every": None, "at": "08:00", "weekday": None}
    made = client.post("/api/schedule/check-health-every-minute/due").json["run"]
    assert client.post("/api/schedule/check-health-every-minute/due").json == {"run": None}
    end(parts, made["id"], TaskStatus.FAILED, error="Unhealthy: the store")
    told = entry(client, "check-health-every-minute")
    assert told["rule"] == {"every": 60, "at": None, "weekday": None}
    (run,) = told["runs"]
    assert (run["task_id"], run["num"], run["status"]) == (made["id"], made["num"], "FAILED")
    assert run["error"] == "Unhealthy: the store"
    assert run["due_at"] is not None
    assert client.get("/api/schedule").json["beat"] is True


def test_of_beat_the_page_says_when_it_was_heard_and_not_that_it_runs(client: FlaskClient) -> None:
    client.post("/api/schedule/check-health-every-minute/due")
    text = client.get("/schedule").text
    assert 'data-beat="heard"' in text
    assert "Beat was last heard " in text
    assert "Beat is running" not in text


def test_running_now_is_no_word_of_beat(client: FlaskClient) -> None:
    answer = client.post("/api/schedule/weekly-cleanup/run")
    assert answer.status_code == 202
    assert answer.json["task"]["kind"] == "cleanup_old_data"
    assert entry(client, "weekly-cleanup")["runs"][0]["due_at"] is None
    assert client.get("/api/schedule").json["beat"] is False


@pytest.mark.parametrize("name", ["check-health-every-minute", "daily-report"])
def test_run_now_pressed_ten_times_on_one_page_is_one_run(
    client: FlaskClient, parts: Services, name: str
) -> None:
    def keys() -> set[str]:
        return set(re.findall(r'name="key" value="([^"]+)"', client.get("/schedule").text))

    (key,), (other,) = keys(), keys()
    clients = [client.application.test_client() for _ in range(10)]
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda one: one.post(f"/schedule/{name}/run", data={"key": key}), clients))
    assert {answer.status_code for answer in answers} == {303}
    assert len(entry(client, name)["runs"]) == parts.store.counts()["PENDING"] == 1
    assert client.post(f"/schedule/{name}/run", data={"key": other}).status_code == 303
    assert len(entry(client, name)["runs"]) == 2


@pytest.mark.parametrize("name", ["check-health-every-minute", "daily-report"])
def test_the_same_key_runs_an_entry_once_by_json_too(client: FlaskClient, name: str) -> None:
    path, header = f"/api/schedule/{name}/run", {"Idempotency-Key": "once"}
    first, again = client.post(path, headers=header), client.post(path, headers=header)
    assert (again.status_code, again.json["task"]["id"]) == (202, first.json["task"]["id"])
    assert len(entry(client, name)["runs"]) == 1
    assert (
        client.post("/api/schedule/weekly-cleanup/run", headers=header).json["task"]["id"]
        != first.json["task"]["id"]
    )


def test_only_twenty_runs_are_told_newest_first(client: FlaskClient, parts: Services) -> None:
    for n in range(25):
        parts.schedule.due(HEALTH, MONDAY + timedelta(minutes=n))
    runs = entry(client, "check-health-every-minute")["runs"]
    assert [run["num"] for run in runs] == list(range(25, 5, -1))


@pytest.mark.parametrize("action", ["due", "run"])
def test_an_entry_that_does_not_exist_is_404(client: FlaskClient, action: str) -> None:
    answer = client.post(f"/api/schedule/hourly/{action}")
    assert answer.status_code == 404
    assert "hourly" in answer.json["detail"]


def test_with_a_login_workers_still_tell_what_is_due_and_nothing_else(make_app: Any) -> None:
    app: LabAPI = make_app(user="anna", password="a good word")
    client = app.test_client()
    assert client.post("/api/schedule/daily-report/due").status_code == 200
    assert client.post("/api/schedule/daily-report/run").status_code == 401
    assert client.get("/api/schedule").status_code == 401
    assert client.get("/api/reports").status_code == 401


def task_of(parts: Services, kind: str) -> Row:
    found = next(one for one in ENTRIES.values() if one.kind == kind)
    return parts.schedule.run_now(found, datetime.now(UTC) + timedelta(seconds=1))


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("health", "health_check"),
        ("report", "generate_daily_report"),
        ("report/text", "generate_daily_report"),
        ("clean-up", "cleanup_old_data"),
    ],
)
def test_what_a_job_asks_takes_its_own_tasks_token(
    client: FlaskClient, parts: Services, path: str, kind: str
) -> None:
    task, other = task_of(parts, kind), task_of(parts, kind)
    url = f"/api/tasks/{task['id']}/{path}"
    assert client.post(url, json={}).status_code == 403
    assert client.post(url, json={}, headers=bearer(parts, other["id"])).status_code == 403
    assert client.post(url, json={}, headers=bearer(parts, task["id"])).status_code == 200
    assert client.post(url, headers=bearer(parts, task["id"])).status_code == 200


@pytest.mark.parametrize("path", ["report", "clean-up"])
def test_a_token_opens_only_what_its_kind_is_for_and_only_until_the_task_has_ended(
    client: FlaskClient, parts: Services, path: str
) -> None:
    stranger = task_of(parts, "health_check")["id"]
    assert client.post(f"/api/tasks/{stranger}/{path}", headers=bearer(parts, stranger)).status_code == 404
    kind = {"report": "generate_daily_report", "clean-up": "cleanup_old_data"}[path]
    ended = task_of(parts, kind)["id"]
    end(parts, ended)
    assert client.post(f"/api/tasks/{ended}/{path}", headers=bearer(parts, ended)).status_code == 409


def test_the_health_check_hears_what_is_down(client: FlaskClient, parts: Services) -> None:
    task = task_of(parts, "health_check")["id"]
    told = client.post(f"/api/tasks/{task}/health", headers=bearer(parts, task)).json
    assert told["troubles"] == ["the API does not reach the broker"]


def test_reports_are_kept_and_told_once_for_each_task(client: FlaskClient, parts: Services) -> None:
    done = parts.schedule.run_now(CLEANUP, MONDAY)["id"]
    end(parts, done)
    task = task_of(parts, "generate_daily_report")["id"]
    made = [client.post(f"/api/tasks/{task}/report", headers=bearer(parts, task)).json for _ in range(2)]
    assert made[0] == made[1]
    (listed,) = client.get("/api/reports").json["reports"]
    assert (listed["ended"], listed["failed"], listed["mail"]) == (1, 0, None)
    whole = client.get(f"/api/reports/{listed['id']}").json
    assert whole["figures"]["rows"][0]["kind"] == "cleanup_old_data"
    assert client.get("/api/reports/99").status_code == 404


def test_a_mail_is_handed_over_once_unless_the_server_refused_it(
    client: FlaskClient, parts: Services
) -> None:
    task = task_of(parts, "generate_daily_report")["id"]
    headers = bearer(parts, task)
    report = client.post(f"/api/tasks/{task}/report", headers=headers).json["id"]

    def tell(state: str, error: str | None = None) -> int:
        body = {"state": state, "error": error}
        return client.post(f"/api/tasks/{task}/report/mail", json=body, headers=headers).status_code

    def told() -> tuple[str, str | None]:
        found = client.get(f"/api/reports/{report}").json
        return found["mail"], found["mail_error"]

    assert tell("sending") == 200
    assert tell("sending") == 409
    assert tell("failed", "451 later") == 200
    assert told() == ("failed", "451 later")
    assert tell("sending") == 200
    end(parts, task, TaskStatus.CANCELLED)
    assert tell("sent") == 200  # what the server took, it took
    assert told() == ("sent", None)
    assert tell("failed", "late") == 200
    assert told() == ("sent", None)
    assert tell("sending") == 409
    assert tell("lost") == 422


def test_due_times_are_kept_in_microseconds(parts: Services) -> None:
    parts.schedule.due(CLEANUP, MONDAY)
    (run,) = parts.schedule.runs.newest("weekly-cleanup", 5)
    assert run["due_us"] == to_us(datetime(2026, 11, 23, 9, tzinfo=UTC))
