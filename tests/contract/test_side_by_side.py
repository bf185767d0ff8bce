"""Each row of the page Side by side is run on both sides, and does what the row says."""

import re
import time
from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pytest
import requests

from api.side.rows import FEATURES
from harness.lab import Lab
from lab.broker import amqp
from lab.own_tasks import word_count
from lab.settings import Settings
from lab.token import sign
from transports.topology import declared

Side = dict[str, Any]
Check = Callable[[str, Side], None]

PATIENCE = 40.0
SEND_SLACK = 0.15


def seconds(iso: str) -> float:
    return datetime.fromisoformat(iso).timestamp()


def statuses(task: Side) -> list[str]:
    return [event["status"] for event in task["events"]]


def starts(task: Side) -> list[float]:
    return [seconds(event["at"]) for event in task["events"] if event["status"] == "IN_PROGRESS"]


def ran_once(method: str, side: Side) -> None:
    (task,) = side["tasks"]
    assert statuses(task) == ["PENDING", "IN_PROGRESS", "DONE"]


def message_is_the_methods_own(method: str, side: Side) -> None:
    ran_once(method, side)
    (task,), (message,) = side["tasks"], side["messages"]
    if method == "celery":
        assert (message["exchange"], message["routing_key"]) == ("celery", "celery")
        assert message["headers"]["task"] == "process_task"
        assert message["headers"]["id"] == task["id"]
        assert message["body"][0] == [task["num"], 1.0, "celery"]
    else:
        assert (message["exchange"], message["routing_key"]) == ("", "tasks")
        assert message["properties"]["message_id"] == task["id"]
        assert message["body"]["params"] == {"timeout": 1.0}


def one_task_for_two_requests(method: str, side: Side) -> None:
    ran_once(method, side)
    first, second = side["answers"]
    assert first == second
    assert len(side["messages"]) == 1


def confirmed_by_the_broker(method: str, side: Side) -> None:
    ran_once(method, side)
    (message,) = side["messages"]
    assert message["mandatory"]
    assert message["confirmed"] is True
    assert message["properties"]["delivery_mode"] == 2


def no_more_at_once_than_there_are_threads(method: str, side: Side) -> None:
    assert len(side["tasks"]) == 5
    begins = sorted(starts(task)[0] for task in side["tasks"])
    ends = sorted(seconds(task["finished_at"]) for task in side["tasks"])
    assert begins[3] > ends[0] - 0.05  # the fourth begins when the first has ended


def given_up_at_the_sixth_return(method: str, side: Side) -> None:
    assert [answer["delivery"] for answer in side["answers"]] == [1, 2, 3, 4, 5, 6]
    assert side["answers"][-1]["x-delivery-count"] == amqp.DELIVERY_LIMIT
    assert side["letter"]


def kept_as_a_dead_letter(method: str, side: Side) -> None:
    assert side["letter"]
    assert side["messages"][0]["routing_key"] == {"celery": "celery", "rabbitmq": "tasks"}[method]


def succeeds_at_the_third_attempt(method: str, side: Side) -> None:
    (task,) = side["tasks"]
    again = ["IN_PROGRESS", "RETRYING"]
    assert statuses(task) == ["PENDING", *again, *again, "IN_PROGRESS", "DONE"]
    assert task["attempt"] == 3


def waits_as_long_as_asked_for(method: str, side: Side) -> None:
    (task,) = side["tasks"]
    assert statuses(task) == ["PENDING", "IN_PROGRESS", "RETRYING", "IN_PROGRESS", "DONE"]
    failed = seconds(task["events"][2]["at"])
    assert 1.5 - 0.02 <= starts(task)[1] - failed < 6


def not_before_its_time(method: str, side: Side) -> None:
    ran_once(method, side)
    (task,) = side["tasks"]
    assert starts(task)[0] >= seconds(task["options"]["not_before"]) - 0.001
    assert "delay" in side["messages"][0]["routing_key"] + side["messages"][0]["exchange"]


def expired(method: str, side: Side) -> None:
    (task,) = side["tasks"]
    assert statuses(task) == ["PENDING", "CANCELLED"]
    assert task["error"] == "expired"


def ended_at_its_limit(method: str, side: Side) -> None:
    (task,) = side["tasks"]
    assert statuses(task) == ["PENDING", "IN_PROGRESS", "FAILED"]
    assert "imeLimitExceeded" in task["error"]
    assert task["ran"] < 7


def the_urgent_one_goes_before_what_waits(method: str, side: Side) -> None:
    *low, high = side["tasks"]
    assert all(task["status"] == "DONE" for task in side["tasks"])
    assert starts(high)[0] < max(starts(task)[0] for task in low)
    assert {"celery": "celery.priority", "rabbitmq": "tasks.priority"}[method] in {
        message["routing_key"] for message in side["messages"]
    }


def spaced_by_a_second(method: str, side: Side) -> None:
    begins = sorted(starts(task)[0] for task in side["tasks"])
    assert len(begins) == 3
    assert all(later - earlier > 0.7 for earlier, later in pairwise(begins))
    orders = [m["body"] for m in side["messages"] if m["exchange"] in ("celery.pidbox", "lab.control")]
    assert len(orders) >= 2  # set, and lifted


def stopped_while_it_ran(method: str, side: Side) -> None:
    (task,) = side["tasks"]
    assert statuses(task) == ["PENDING", "IN_PROGRESS", "CANCELLED"]
    assert task["ran"] < 12
    assert {"celery.pidbox", "lab.control"} & {message["exchange"] for message in side["messages"]}


def kept_or_not(method: str, side: Side) -> None:
    kept, ignored = side["tasks"]
    assert kept["result"] == ignored["result"] == 42
    if method == "celery":
        first, second = side["messages"]
        assert (first["headers"]["ignore_result"], second["headers"]["ignore_result"]) == (False, True)


def followers_ran_as_was_due(method: str, side: Side) -> None:
    added, product, failed, words = side["tasks"]
    assert (added["result"], product["result"]) == (5, 50)
    assert failed["status"] == "FAILED"
    assert words["result"] == word_count(failed["error"])


def workers_answer(method: str, side: Side) -> None:
    assert {answer["concurrency"] for answer in side["answers"]} == {3}


def grew_and_shrank(method: str, side: Side) -> None:
    assert [(answer["order"], answer["concurrency"]) for answer in side["answers"]] == [
        ("grow 1", 4),
        ("shrink 1", 3),
    ]


def workflow_is_done(method: str, side: Side) -> None:
    assert side["workflow"]["status"] == "DONE", side["workflow"]["error"]
    assert side["tasks"]
    assert all(task["status"] == "DONE" for task in side["tasks"])
    assert side["messages"]


def only_by_celery(method: str, side: Side) -> None:
    assert method == "celery"
    (task,) = side["tasks"]
    assert task["kind"] == "health_check"
    assert task["finished_at"]


EXPECTED: dict[str, Check] = {
    "submit": message_is_the_methods_own,
    "idempotent": one_task_for_two_requests,
    "confirms": confirmed_by_the_broker,
    "late-acks": ran_once,
    "prefetch": no_more_at_once_than_there_are_threads,
    "dead-letters": given_up_at_the_sixth_return,
    "unreadable": kept_as_a_dead_letter,
    "retry-backoff": succeeds_at_the_third_attempt,
    "retry-fixed": waits_as_long_as_asked_for,
    "countdown": not_before_its_time,
    "expiry": expired,
    "time-limits": ended_at_its_limit,
    "priority": the_urgent_one_goes_before_what_waits,
    "rate-limit": spaced_by_a_second,
    "cancel": stopped_while_it_ran,
    "progress": ran_once,
    "keep-result": kept_or_not,
    "inspect": workers_answer,
    "pool": grew_and_shrank,
    "callback": followers_ran_as_was_due,
    "group": workflow_is_done,
    "chain": workflow_is_done,
    "chord": workflow_is_done,
    "map": workflow_is_done,
    "periodic": only_by_celery,
}


@pytest.fixture(scope="module")
def presser(lab: Lab) -> Callable[[str], requests.Response]:
    """Presses *Run both* of a feature, with the token that the page gave."""
    session = requests.Session()
    page = session.get(f"{lab.url}/side-by-side/submit", timeout=30)
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.text)
    form = {"csrf_token": token.group(1) if token else ""}

    def press(feature: str) -> requests.Response:
        url = f"{lab.url}/side-by-side/{feature}/run"
        return session.post(url, data=form, headers={"Accept": "application/json"}, timeout=60)

    return press


def ended_run(lab: Lab, feature: str) -> Side:
    """The last run of `feature`, once all of it has ended."""
    deadline = time.monotonic() + PATIENCE
    while True:
        last: Side = lab.session.get(f"{lab.url}/api/side-by-side/{feature}", timeout=30).json()["last"]
        if last["ended"]:
            return last
        assert time.monotonic() < deadline, last
        time.sleep(0.1)


def test_every_row_has_a_run_and_every_run_a_row() -> None:
    assert EXPECTED.keys() == FEATURES.keys()


# For `make test` a few rows are enough; most others wait for times and limits.
QUICK = ("submit", "idempotent", "confirms", "progress", "inspect", "group")


@pytest.mark.parametrize(
    "feature",
    [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in EXPECTED],
)
def test_a_row_does_on_each_side_what_it_says(
    lab: Lab, presser: Callable[[str], requests.Response], feature: str
) -> None:
    answer = presser(feature)
    assert answer.status_code == 202, answer.text
    assert answer.json()["ok"]
    run = ended_run(lab, feature)
    assert tuple(run["sides"]) == FEATURES[feature].methods
    for method, side in run["sides"].items():
        assert side["error"] is None
        EXPECTED[feature](method, side)
    secret = Settings.from_env(lab.env).secret()
    for side in run["sides"].values():
        for task in side["tasks"]:
            assert sign(secret, task["id"]) not in answer.text + str(run)


def test_the_objects_on_the_page_are_those_of_the_broker(lab: Lab) -> None:
    settings = Settings.from_env(lab.env)
    known = [one for one in declared(settings).values() if one.kind != "queues" and "…" not in one.name]
    broker = urlsplit(settings.rmq_url)
    vhost = quote(unquote(broker.path[1:]) or "/", safe="")
    login = (unquote(broker.username or ""), unquote(broker.password or ""))
    for one in known:
        address = f"{settings.management_api_url}api/{one.kind}s/{vhost}/{one.name}"
        found = requests.get(address, auth=login, timeout=30).json()
        assert found["durable"] is one.durable, one
        told = found.get("arguments", {})
        if one.kind == "exchange":
            assert found["type"] == one.type, one
        else:
            assert {**told, "x-queue-type": one.type} == {**one.arguments, "x-queue-type": one.type}, one
