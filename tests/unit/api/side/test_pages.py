"""The page and its JSON, without a broker."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from api.services import Services
from api.side import pages
from api.side.feature import METHODS
from api.side.idioms import IDIOMS
from api.side.rows import FEATURES, ROWS
from api.side.service import KeptRuns, RunsAlready
from store.outbox import Outbox
from transports.topology import declared

JSON = {"Accept": "application/json"}


def features(client: FlaskClient, q: str) -> list[str]:
    answer = client.get("/side-by-side", query_string={"q": q})
    assert answer.status_code == 200
    return re.findall(r'data-feature="([^"]+)"', answer.text)


def test_the_page_is_a_small_index_of_every_feature(client: FlaskClient) -> None:
    text = client.get("/side-by-side").text
    assert re.findall(r'data-feature="([^"]+)"', text) == [row.id for row in ROWS]
    assert 'href="/side-by-side/late-acks"' in text
    assert len(text) < 60_000
    assert "basic_ack" not in text


def test_a_features_page_has_the_code_of_both_sides(client: FlaskClient) -> None:
    text = client.get("/side-by-side/late-acks").text
    assert re.findall(r'class="side-half" data-method="([^"]+)"', text) == ["celery", "rabbitmq"]
    assert "basic_ack" in text
    assert "task_reject_on_worker_lost" in text


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("basic_qos", {"prefetch", "priority", "pool"}),
        ("HOLD.PY:INTERVAL", {"rate-limit"}),
        ("retry backoff jitter", {"retry-backoff"}),
        ("xyzzy", set()),
        ("'\"<script>\0", set()),
    ],
)
def test_words_choose_features(client: FlaskClient, q: str, found: set[str]) -> None:
    assert set(features(client, q)) == found


def test_both_languages_find(client: FlaskClient) -> None:
    client.set_cookie("lang", "ru")
    assert "priority" in features(client, "приоритет")
    assert "priority" in features(client, "Priority")


@pytest.mark.parametrize(
    "path", ["/side-by-side/nothing", "/side-by-side/..%2f..%2fx", "/api/side-by-side/nothing"]
)
def test_what_is_no_feature_is_not_found(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_the_json_has_code_lines_and_objects(client: FlaskClient) -> None:
    told = client.get("/api/side-by-side/late-acks").get_json()
    celery = told["sides"]["celery"]
    assert celery["lines"] == 3
    assert celery["idiom"]["lines"] == 2
    assert "app.conf.task_acks_late = True" in celery["idiom"]["text"]
    assert '"task_acks_late": True' in celery["code"][0]["text"]
    (queue,) = celery["objects"]
    assert queue["name"] == "celery"
    assert queue["arguments"]["x-delivery-limit"] == 5
    assert told["last"] is None
    every = client.get("/api/side-by-side").get_json()["features"]
    assert [feature["id"] for feature in every] == [row.id for row in ROWS]


@pytest.mark.parametrize("feature", FEATURES)
def test_each_feature_has_code_that_can_be_read_at_once(feature: str) -> None:
    for method, text in zip(METHODS, IDIOMS[feature], strict=True):
        assert bool(text) is bool(FEATURES[feature].side(method).code)
        ast.parse(text)
        assert all(len(line) <= 79 for line in text.splitlines())
        assert text.count("\n") <= 30


def test_what_is_not_done_by_hand_says_so(client: FlaskClient) -> None:
    told = client.get("/api/side-by-side/periodic").get_json()
    assert told["sides"]["rabbitmq"]["by_hand"] is False
    assert told["sides"]["rabbitmq"]["lines"] == 0
    assert FEATURES["periodic"].methods == ("celery",)


def test_every_object_of_a_row_is_one_that_is_declared(parts: Services) -> None:
    known = declared(parts.settings)
    for row in ROWS:
        for method in row.methods:
            assert set(row.side(method).objects) <= known.keys(), row.id


def test_without_a_broker_the_tasks_wait_for_the_ordinary_relay(client: FlaskClient, parts: Services) -> None:
    answer = client.post("/side-by-side/submit/run", headers=JSON)
    assert answer.status_code == 503
    told = answer.get_json()
    assert not told["ok"]
    for method, side in told["run"]["sides"].items():
        assert side["error"]
        assert side["messages"] == []
        (task,) = side["tasks"]
        assert task["status"] == "PENDING"
        claimed = Outbox(parts.store).claim("somebody else", method, 10)
        assert [row["id"] for row in claimed] == [task["id"]]
    last = client.get("/api/side-by-side/submit").get_json()["last"]
    assert last["sides"].keys() == {"celery", "rabbitmq"}
    assert not last["ended"]


def test_a_form_goes_to_the_features_page_and_says_what_happened(client: FlaskClient) -> None:
    answer = client.post("/side-by-side/inspect/run")
    assert answer.status_code == 303
    assert answer.headers["Location"].endswith("/side-by-side/inspect#run-inspect")
    assert "Not everything went out" in client.get("/side-by-side/inspect").text
    assert client.get("/side-by-side/inspect/run").status_code == 302


def test_one_run_of_a_feature_at_a_time(
    client: FlaskClient, parts: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(_: Any) -> None:
        raise RunsAlready

    monkeypatch.setattr(type(parts.side), "run", lambda self, feature: busy(feature))
    answer = client.post("/side-by-side/submit/run", headers=JSON)
    assert answer.status_code == 409
    assert answer.get_json()["run"] is None


def test_the_last_run_is_kept_for_all_processes(tmp_path: Path) -> None:
    runs = KeptRuns(tmp_path / "side")
    assert runs.last("submit") is None
    runs.keep({"feature": "submit", "at": "now"})
    assert KeptRuns(tmp_path / "side").last("submit") == {"feature": "submit", "at": "now"}
    assert [path.name for path in (tmp_path / "side").iterdir()] == ["submit.json"]


def test_messages_of_one_sort_are_shown_once_with_their_number() -> None:
    def message(key: str, priority: int) -> dict[str, Any]:
        return {
            "exchange": "",
            "routing_key": key,
            "headers": {},
            "properties": {"type": "add", "priority": priority},
        }

    shown = pages._alike([message("tasks", 0), message("tasks", 0), message("tasks", 9)])
    assert [(one["properties"]["priority"], one["times"]) for one in shown] == [(0, 2), (9, 1)]
