"""The schedule with real beats, real workers and a real mail server."""

import sqlite3
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from harness.lab import Lab
from harness.node import RabbitNode
from tests.beats import start_beat
from tests.mail_server import MailServer
from tests.vhosts import make_vhost


@pytest.fixture(scope="module")
def mail() -> Iterator[MailServer]:
    """The mail server of the lab below."""
    with MailServer() as server:
        yield server


@pytest.fixture(scope="module")
def own_lab(node: RabbitNode, mail: MailServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab on queues of its own, with both kinds of workers, that sends mail."""
    url = make_vhost(node, "schedule")
    env = {"SMTP_URL": f"smtp://localhost:{mail.port}", "LAB_REPORT_TO": "anna@example.org"}
    with Lab(tmp_path_factory.mktemp("schedule"), url, env=env) as running:
        running.start_celery(concurrency=2)
        running.start_consumer()
        _wait_until_counted(node)
        yield running


def _wait_until_counted(node: RabbitNode) -> None:
    """Waits until the management API, which looks every few seconds, has seen the consumer."""
    url, deadline = f"{node.management_url}api/queues/schedule/tasks", time.monotonic() + 30
    while not requests.get(url, auth=(node.user, node.password), timeout=10).json().get("consumers"):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def ask(lab: Lab, path: str) -> Any:
    answer = lab.session.get(f"{lab.url}{path}", timeout=30)
    answer.raise_for_status()
    return answer.json()


def run_now(lab: Lab, entry: str) -> str:
    answer = lab.session.post(f"{lab.url}/api/schedule/{entry}/run", timeout=30)
    answer.raise_for_status()
    task_id: str = answer.json()["task"]["id"]
    return task_id


def runs(lab: Lab) -> dict[str, list[dict[str, Any]]]:
    """The runs that beat caused, by entry."""
    told = ask(lab, "/api/schedule")["entries"]
    return {one["name"]: [run for run in one["runs"] if run["due_at"]] for one in told}


def statuses(task: dict[str, Any]) -> list[str]:
    return [event["status"] for event in task["events"]]


@pytest.mark.slow
def test_beats_that_come_late_run_what_they_missed_once_between_them(own_lab: Lab) -> None:
    beats = [start_beat(own_lab, "first", idle_days=10), start_beat(own_lab, "second", idle_days=10)]
    beats.append(start_beat(own_lab, "third", idle_days=10, within_worker=True))
    try:
        for beat in beats:
            for entry in ("daily-report", "weekly-cleanup", "check-health-every-minute"):
                beat.wait_for_log(f"Sending due task {entry}", timeout=60)
        made = runs(own_lab)
        own_lab.wait_for([run["task_id"] for one in made.values() for run in one], "DONE", "FAILED")
    finally:
        for beat in beats:
            beat.terminate(timeout=30)
    time.sleep(1.0)
    made = runs(own_lab)
    assert len(made["daily-report"]) == len(made["weekly-cleanup"]) == 1
    # A full minute may have passed meanwhile, which is due anew.
    dues = [run["due_at"] for run in made["check-health-every-minute"]]
    assert 1 <= len(dues) <= 3
    assert len(set(dues)) == len(dues)
    assert ask(own_lab, "/api/schedule")["beat"] is True


def test_a_health_check_tells_what_is_up_and_fails_by_name_where_something_is_not(own_lab: Lab) -> None:
    well = run_now(own_lab, "check-health-every-minute")
    result = own_lab.wait_for([well])[well]["result"]
    assert (result["status"], result["store"], result["broker"]) == ("healthy", "up", "up")
    assert result["consumers"] == 1
    assert result["celery_workers"] >= 1
    (consumer,) = (worker for worker in own_lab.workers if "consumer" in worker.command)
    consumer.terminate()
    deadline = time.monotonic() + 30
    while True:
        ill = run_now(own_lab, "check-health-every-minute")
        told = own_lab.wait_for([ill], "DONE", "FAILED")[ill]
        if told["status"] == "FAILED" or time.monotonic() > deadline:
            break
    assert told["error"].startswith("Unhealthy: no consumer is connected")
    assert statuses(told) == ["PENDING", "IN_PROGRESS", "FAILED"]
    consumer.start().wait_for_log("waiting for tasks", timeout=60)


def test_a_report_is_kept_and_mailed_once_though_the_server_is_busy_at_first(
    own_lab: Lab, mail: MailServer
) -> None:
    tasks = own_lab.submit("celery", 0.05, count=5) + own_lab.submit("rabbitmq", 0.05, count=4)
    tasks += own_lab.submit("celery", kind="flaky_task", times=1)
    own_lab.wait_for([task["id"] for task in tasks])
    mail.mails.clear()
    mail.replies[:] = ["451 4.3.0 busy"]
    report_task = run_now(own_lab, "daily-report")
    told = own_lab.wait_for([report_task])[report_task]
    assert statuses(told) == ["PENDING", "IN_PROGRESS", "RETRYING", "IN_PROGRESS", "DONE"]
    assert "451 4.3.0 busy" in told["events"][2]["error"]
    assert told["result"]["mail"] == "sent"
    report = ask(own_lab, f"/api/reports/{told['result']['report']}")
    assert (report["mail"], report["mail_error"]) == ("sent", None)
    rows = {(row["method"], row["kind"]): row for row in report["figures"]["rows"]}
    assert rows["rabbitmq", "process_task"]["done"] == 4
    assert rows["celery", "process_task"]["done"] == 5
    assert rows["celery", "flaky_task"]["retries"] == 1
    assert rows["rabbitmq", "process_task"]["ran"]["p50"] >= 0.05
    (sent,) = mail.mails
    body = sent.get_body(("plain",))
    assert body is not None
    assert "process_task" in body.get_content()


def test_a_mail_that_the_server_refuses_for_good_ends_the_task_and_keeps_the_report(
    own_lab: Lab, mail: MailServer
) -> None:
    mail.mails.clear()
    mail.replies[:] = ["550 5.7.1 not for me"]
    task = run_now(own_lab, "daily-report")
    told = own_lab.wait_for([task], "FAILED", "DONE")[task]
    assert told["status"] == "FAILED"
    assert told["error"] == "MailRefused: the mail server said 550 5.7.1 not for me"
    assert statuses(told) == ["PENDING", "IN_PROGRESS", "FAILED"]
    report = next(one for one in ask(own_lab, "/api/reports")["reports"] if one["task_id"] == task)
    assert report["mail"] == "failed"
    assert "550" in report["mail_error"]
    assert mail.mails == []


def test_the_clean_up_tells_how_much_it_removed(own_lab: Lab) -> None:
    old = [task["id"] for task in own_lab.submit("celery", 0.0, count=3)]
    young = own_lab.submit("celery", 0.0)[0]["id"]
    own_lab.wait_for([*old, young])
    with sqlite3.connect(own_lab.base / "lab.sqlite3", timeout=15) as store:
        change = "UPDATE tasks SET finished_us = finished_us - 31 * 86400000000 WHERE id IN (?, ?, ?)"
        store.execute(change, old)
    store.close()
    task = run_now(own_lab, "weekly-cleanup")
    assert own_lab.wait_for([task])[task]["result"] == {"tasks": 3}
    assert [own_lab.session.get(f"{own_lab.url}/api/tasks/{one}").status_code for one in old] == [404] * 3
    assert own_lab.task(young)["status"] == "DONE"


def test_a_word_of_beat_is_not_lost_while_the_api_is_away(own_lab: Lab) -> None:
    before = {name: len(made) for name, made in runs(own_lab).items()}
    with sqlite3.connect(own_lab.base / "lab.sqlite3", timeout=15) as store:
        # As if today's report had not been made.
        store.execute("DELETE FROM schedule_runs WHERE entry = 'daily-report'")
        store.execute("DELETE FROM submissions WHERE key LIKE 'schedule:daily-report:%'")
    store.close()
    own_lab.api.terminate(timeout=20)
    beat = start_beat(own_lab, "early", idle_days=10)
    for entry in ("daily-report", "weekly-cleanup"):
        beat.wait_for_log(f"Sending due task {entry}", timeout=60)
    time.sleep(1.0)  # beat logs before it publishes
    beat.terminate()
    own_lab.api.start()
    own_lab.wait_for_api()
    deadline = time.monotonic() + 60
    while not ((made := runs(own_lab))["daily-report"] and made["weekly-cleanup"]):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    dues = [run["due_at"] for run in made["weekly-cleanup"]]
    # beat's word of what was run before makes no second run
    assert len(dues) == len(set(dues)) == max(1, before["weekly-cleanup"])
    own_lab.wait_for([made["daily-report"][0]["task_id"]])
