"""The control page in each of its states, without threads, broker or workers."""

import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from api.control.collector import FRESH_US
from api.control.poll import NO_PICTURE
from api.services import Services
from lab.clock import now_us, to_iso
from store.pictures import Pictures
from tests.unit.api.tasks.test_pages import EVIL, text_of

WORKER: dict[str, Any] = {
    "method": "rabbitmq",
    "name": "consumer@here",
    "pid": 7,
    "started_at": "2026-01-31T07:08:09.012345Z",
    "delivery": "safe",
    "concurrency": 3,
    "active": [{"id": "abc", "kind": "process_task", "num": 12, "since": "2026-01-31T07:09:10.000000Z"}],
    "reserved": 1,
    "scheduled": 2,
    "done": 1234,
    "kinds": ["process_data", "process_task"],
    "rate_limits": {"process_data": "10/m"},
    "answered_at": "2026-01-31T07:10:00.000000Z",
    "silent_since": None,
}
QUEUE: dict[str, Any] = {
    "name": "tasks",
    "method": "rabbitmq",
    "type": "quorum",
    "ready": 5,
    "unacknowledged": 3,
    "consumers": 1,
    "publish_rate": 1.25,
    "deliver_rate": 0.0,
    "ack_rate": 0.0,
    "memory": 143_000,
    "bytes": 10,
    "folded": None,
}


def show(parts: Services, **changes: Any) -> dict[str, Any]:
    """Has the process know a picture that was taken just now."""
    at = to_iso(now_us())
    picture = {
        **NO_PICTURE,
        "at": at,
        "broker": {"up": True, "since": at},
        "workers": [WORKER],
        "queues": [QUEUE],
        "queues_source": "management",
        **changes,
    }
    Pictures(parts.store.engine).save(picture, now_us())
    parts.control.refresh()
    return picture


def test_before_the_first_picture_the_page_says_that_it_comes(client: FlaskClient) -> None:
    text = text_of(client.get("/control").text)
    assert "The first picture is being taken." in text
    assert "Nothing seen yet." in text


def test_a_worker_is_shown_with_all_that_it_told(client: FlaskClient, parts: Services) -> None:
    show(parts)
    page = client.get("/control").text
    text = text_of(page)
    assert "RabbitMQ consumer@here safe alive since 31 Jan 2026, 07:08:09 UTC" in text
    assert "At once − 3 + Active 1 Reserved 1 Scheduled 2 Done 1,234" in text
    assert '<a href="/tasks/abc">#12</a>' in page
    assert "since 07:09:10 UTC" in text
    assert "Rate limits : process_data 10/m" in text.replace("limits:", "limits :")
    assert "Registered tasks 2" in text


def test_what_a_worker_does_not_tell_is_a_dash(client: FlaskClient, parts: Services) -> None:
    unknown = dict.fromkeys(WORKER) | {name: WORKER[name] for name in ("method", "name", "answered_at")}
    show(parts, workers=[unknown])
    text = text_of(client.get("/control").text)
    assert "responds, but sends no details" in text
    assert "At once – Active – Reserved – Scheduled – Done –" in text


def test_a_silent_worker_says_since_when(client: FlaskClient, parts: Services) -> None:
    show(parts, workers=[{**WORKER, "silent_since": "2026-01-31T07:10:00.000000Z"}])
    assert "has not answered since 07:10:00 UTC" in text_of(client.get("/control").text)


def test_without_workers_the_page_names_the_commands_to_start_some(
    client: FlaskClient, parts: Services
) -> None:
    show(parts, workers=[])
    page = client.get("/control").text
    assert "celery -A celery_app worker --concurrency=3\npython -m consumer --concurrency 3" in page


def test_a_broker_that_is_away_is_said_in_words_above_the_last_picture(
    client: FlaskClient, parts: Services
) -> None:
    show(parts, broker={"up": False, "since": "2026-01-31T07:10:00.5Z"})
    text = text_of(client.get("/control").text)
    assert "The broker has not answered since 07:10:00.500 UTC. Below is what was seen last." in text
    assert "consumer@here" in text


def test_queues_have_their_figures_and_ours_can_be_purged(client: FlaskClient, parts: Services) -> None:
    foreign = {"name": "celery", "method": "celery", "type": "redis", "ready": 4, "elsewhere": True}
    show(parts, queues=[foreign, QUEUE])
    page = client.get("/control").text
    assert "tasks quorum 5 3 1 1.2 0 0 0.14 MiB Purge…" in text_of(page)
    assert "celery redis 4 – – – – – –" in text_of(page)
    assert re.findall(r'href="(/control/queues/[^"]+)"', page) == ["/control/queues/tasks/purge"]


def test_programs_get_the_same_as_json(client: FlaskClient, parts: Services) -> None:
    picture = show(parts)
    for answer in (
        client.get("/control", headers={"Accept": "application/json"}),
        client.get("/control?format=json"),
    ):
        body = answer.json or {}
        assert 0 <= body.pop("age") < FRESH_US / 1e6
        assert body == picture
    assert client.get("/control").content_type.startswith("text/html")


def test_a_script_hears_of_errors_by_the_same_rule(client: FlaskClient) -> None:
    answer = client.post("/control/ping", headers={"Accept": "application/json"})
    assert answer.status_code == 503
    assert answer.json == {"message": "The broker does not answer. Nothing was done.", "ok": False}


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/control/grow", {}),
        ("/control/grow", {"method": "sync", "worker": "x"}),
        ("/control/grow", {"method": "celery", "worker": ""}),
        ("/control/grow", {"method": "celery", "worker": "x" * 256}),
        ("/control/shrink", {"method": "celery", "worker": "x", "n": "0"}),
        ("/control/shrink", {"method": "celery", "worker": "x", "n": "101"}),
        ("/control/shrink", {"method": "celery", "worker": "x", "n": "٣"}),
        ("/control/rate-limit", {"kind": "process_task", "rate": "often"}),
        ("/control/rate-limit", {"kind": "process_task", "rate": "10/d"}),
        ("/control/rate-limit", {"kind": "", "rate": "10/m"}),
        ("/control/rate-limit", {"kind": "process_task", "rate": "10/m", "method": "sync"}),
        ("/control/ping", {"method": "sync"}),
        ("/control/queues/tasks/purge", {"count": "-1"}),
        ("/control/queues/tasks/purge", {"count": "all"}),
    ],
)
def test_a_form_that_makes_no_sense_is_refused_in_words(
    client: FlaskClient, path: str, form: dict[str, str]
) -> None:
    answer = client.post(path, data=form, headers={"Accept": "application/json"})
    assert answer.status_code == 422
    assert (answer.json or {})["message"]


def test_a_worker_grows_to_a_ceiling_that_is_named(client: FlaskClient, parts: Services) -> None:
    worker = {**WORKER, "concurrency": 450}
    show(parts, workers=[worker])
    form = {"method": worker["method"], "worker": worker["name"], "n": "51"}
    answer = client.post("/control/grow", data=form, headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json) == (
        422,
        {"message": "A worker runs at most 500 jobs at once.", "ok": False},
    )


def test_without_scripts_an_order_leads_back_to_the_page_with_its_outcome(client: FlaskClient) -> None:
    answer = client.post("/control/ping")
    assert (answer.status_code, answer.location) == (303, "/control")
    page = client.get("/control").text
    assert 'data-tone="error"' in page
    assert "The broker does not answer. Nothing was done." in text_of(page)


@pytest.mark.parametrize("path", ["/control/ping", "/control/grow", "/control/shrink", "/control/rate-limit"])
def test_the_address_of_a_form_leads_to_the_page(client: FlaskClient, path: str) -> None:
    assert client.get(path).location == "/control"


@pytest.mark.parametrize("name", ["orders", "celery_delayed_3", "tasks.delay.s", "amq.gen-x", "celeryx"])
def test_only_the_labs_queues_are_purged(client: FlaskClient, name: str) -> None:
    assert client.get(f"/control/queues/{name}/purge").status_code == 404
    assert client.post(f"/control/queues/{name}/purge").status_code == 404


def test_with_the_broker_away_nothing_is_purged(client: FlaskClient) -> None:
    assert client.get("/control/queues/tasks/purge").location == "/control"
    answer = client.post("/control/queues/tasks.dead/purge", headers={"Accept": "application/json"})
    assert answer.status_code == 503


def test_nothing_in_a_picture_is_ever_code(client: FlaskClient, parts: Services) -> None:
    odd = {**WORKER, "name": EVIL, "kinds": [EVIL], "rate_limits": {EVIL: EVIL}, "delivery": EVIL}
    odd["active"] = [{"id": EVIL, "kind": EVIL, "num": None, "since": None}]
    show(parts, workers=[odd], queues=[{**QUEUE, "name": EVIL, "type": EVIL}])
    page = client.get("/control").text
    assert "<script>" not in page
    assert not re.search(r"<[^>]+\s(style|on\w+)=", page)


def test_the_page_is_russian_for_russian_readers(client: FlaskClient, parts: Services) -> None:
    show(parts)
    text = text_of(client.get("/control", headers={"Accept-Language": "ru"}).text)
    for words in (
        "Worker’ы и очереди",
        "0,14 МиБ",
        "Снято в",
        "работает с 31 янв. 2026",
        "Ограничение частоты",
    ):
        assert words in text
