"""The pages as the server writes them, in each of their states."""

import html
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from api import create_app
from api.services import Services
from api.tasks.pages import PAGE_SIZE
from lab.clock import to_iso
from lab.delivery import Delivery
from lab.jobs.kinds import PLAIN
from lab.settings import Settings
from lab.status import StatusUpdate, TaskStatus
from store.tables import HEALTH_CHECK
from store.tasks import NewTask, Row

EVIL = '"><script>alert(1)</script>'
METHODS = ("celery", "rabbitmq", "sync")


def add(parts: Services, method: str = "celery", count: int = 1, timeout: float = 5.0) -> list[Row]:
    added = parts.store.add(NewTask(method, "process_task", {"timeout": timeout}, timeout), count)
    rows: list[Row] = getattr(added, "rows", added)  # type: ignore[assignment]
    return rows


def move(parts: Services, row: Row, status: TaskStatus, after: float = 0.0, **fields: Any) -> None:
    at = datetime.fromtimestamp(row["created_us"] / 1e6, UTC) + timedelta(seconds=after)
    update = StatusUpdate(task_id=row["id"], status=status, at=at, **fields)
    assert parts.store.apply([update])[0].applied


def rows_of(page: str) -> list[dict[str, str]]:
    """The data-… attributes of the table's rows."""
    body = page[page.index('id="rows"') :].partition("</tbody>")[0]
    return [dict(re.findall(r'data-([a-z-]+)="([^"]*)"', tag)) for tag in re.findall(r"<tr [^>]*>", body)]


def text_of(page: str) -> str:
    """What is to be read on a page, in one line."""
    seen = re.sub(r"(?s)<(span|button|li)[^>]* hidden>.*?</\1>", " ", page)
    plain = re.sub(r"(?s)<(script|template|svg).*?</\1>|<[^>]+>", " ", seen)
    return re.sub(r"\s+", " ", html.unescape(plain))


def config_of(page: str) -> dict[str, Any]:
    found = re.search(r'(?s)<script type="application/json" id="config">(.*?)</script>', page)
    assert found
    config: dict[str, Any] = json.loads(found[1])
    return config


def total(parts: Services) -> int:
    return sum(parts.store.counts().values())


def test_a_new_lab_says_what_to_do_first(client: FlaskClient) -> None:
    page = client.get("/").text
    assert rows_of(page) == []
    assert "No tasks yet." in text_of(page)
    assert re.search(r'id="empty" class="empty" >', page)


@pytest.mark.parametrize("address", ["/", "/?method=celery", "/?status=FAILED"])
def test_a_lab_in_which_only_the_schedule_has_sent_something_has_no_tasks_yet(
    client: FlaskClient, parts: Services, address: str
) -> None:
    parts.store.add(NewTask("celery", HEALTH_CHECK, {}), 1)
    page = client.get(address).text
    assert rows_of(page) == []
    assert "No tasks yet." in text_of(page)
    assert "No task fits this filter." not in text_of(page)
    assert len(rows_of(client.get("/?checks=1").text)) == 1
    assert "No task fits this filter." in text_of(client.get("/?checks=1&status=FAILED").text)
    add(parts)
    assert "No task fits this filter." in text_of(client.get("/?status=FAILED").text)


@pytest.mark.parametrize("method", METHODS)
def test_each_method_has_its_form(client: FlaskClient, method: str) -> None:
    page = client.get("/").text
    form = page[page.index(f'id="form-{method}"') :]
    form = form[: form.index("</form>")]
    for name in ("method", "key", "timeout", "count", "kind", "numbers"):
        assert f'name="{name}"' in form
    assert f'name="method" value="{method}"' in form
    assert re.search(r'type="text"[^>]*name="timeout" inputmode="decimal"[^>]*value="5"', form)


def test_forms_carry_keys_of_their_own_each_time(client: FlaskClient) -> None:
    keys = [key for _ in range(2) for key in re.findall(r'name="key" value="([^"]+)"', client.get("/").text)]
    assert len(keys) == len(set(keys)) == 8


def test_the_words_are_the_guides_own_in_russian(client: FlaskClient) -> None:
    text = text_of(client.get("/", headers={"Accept-Language": "ru"}).text)
    for words in (
        "✨ Celery (Рекомендуется)",
        "📨 RabbitMQ (Напрямую)",
        "📋 Синхронное получение",
        "🚀 Отправить через Celery",
        "📤 Отправить через RabbitMQ",
        "Статус задач",
        "Метод",
    ):
        assert words in text


@pytest.mark.parametrize(
    ("method", "label"), [("celery", "Celery"), ("rabbitmq", "RabbitMQ"), ("sync", "Sync")]
)
def test_a_row_shows_the_task(client: FlaskClient, parts: Services, method: str, label: str) -> None:
    (row,) = add(parts, method, timeout=2.5)
    move(parts, row, TaskStatus.IN_PROGRESS, 0.25, worker="one@host")
    move(parts, row, TaskStatus.DONE, 2.75, worker="one@host")
    page = client.get("/").text
    (shown,) = rows_of(page)
    assert (shown["task-id"], shown["method"], shown["status"]) == (row["id"], method, "DONE")
    assert re.search(rf'class="badge-method"[^>]*>{label}<', page)
    assert re.search(r'class="badge-status" data-status="DONE" title="finished">', page)
    assert f'href="/tasks/{row["id"]}">#{row["num"]}</a>' in page
    text = text_of(page).replace("\N{NO-BREAK SPACE}", " ")
    sent = to_iso(row["created_us"])[11:19]
    assert f"#{row['num']} {label} 2.5 s DONE one@host {sent} 250 ms 2.5 s 2.8 s" in text


@pytest.mark.parametrize("status", list(TaskStatus))
def test_each_status_has_its_word_its_shape_and_its_meaning(
    client: FlaskClient, parts: Services, status: TaskStatus
) -> None:
    (row,) = add(parts)
    if status is not TaskStatus.PENDING:
        move(parts, row, TaskStatus.IN_PROGRESS)
        if status is not TaskStatus.IN_PROGRESS:
            move(parts, row, status, 1.0, attempt=2 if status is TaskStatus.RETRYING else 1)
    page = client.get("/").text
    assert rows_of(page)[0]["status"] == status
    badge = rf'data-status="{status}" title="[a-z ]+"><svg[^>]*><use href="#s-{status}"/></svg>'
    badge += rf'<span class="word">{status}<'
    assert re.search(badge, page)
    assert f'<symbol id="s-{status}"' in page


def test_a_process_data_task_shows_its_kind_and_its_result(client: FlaskClient, parts: Services) -> None:
    parts.store.add(NewTask("rabbitmq", "process_data", {"numbers": [1.0, 2.0]}))
    page = client.get("/").text
    (shown,) = rows_of(page)
    assert "<code>process_data</code></a>" in page
    assert "numbers=[2]</span>" in page
    task = parts.store.get(shown["task-id"])
    assert task
    move(parts, task, TaskStatus.IN_PROGRESS)
    move(parts, task, TaskStatus.DONE, 1.0, result={"count": 2, "mean": 1.5})
    text = text_of(client.get(f"/tasks/{shown['task-id']}").text)
    assert "count 2 mean 1.5" in text


def test_filters_and_counts(client: FlaskClient, parts: Services) -> None:
    first, *_ = add(parts, "celery", 3)
    add(parts, "rabbitmq", 2)
    move(parts, first, TaskStatus.IN_PROGRESS)
    assert len(rows_of(client.get("/?method=rabbitmq").text)) == 2
    page = client.get("/?method=celery&status=PENDING").text
    assert {(row["method"], row["status"]) for row in rows_of(page)} == {("celery", "PENDING")}
    counts = dict(re.findall(r'data-count="(\w+)">(\d+)<', page))
    assert counts == {
        "all": "3", "PENDING": "2", "IN_PROGRESS": "1", "RETRYING": "0", "DONE": "0", "FAILED": "0", "CANCELLED": "0",
    }  # fmt: skip
    assert re.search(r'href="/\?method=rabbitmq&amp;status=PENDING#tasks"', page)
    told = {name: value for name, value in config_of(page)["filter"].items() if value}
    assert told == {"method": "celery", "status": "PENDING", "without": "health_check"}


@pytest.mark.parametrize(
    "query", ["?method=carrier-pigeon", "?status=HAPPY", "?before=abc", "?before=-1", "?q=%00"]
)
def test_a_filter_that_makes_no_sense_counts_as_left_out(
    client: FlaskClient, parts: Services, query: str
) -> None:
    add(parts)
    answer = client.get(f"/{query}")
    assert answer.status_code == 200
    assert len(rows_of(answer.text)) == 1


def test_nothing_that_fits_says_so(client: FlaskClient, parts: Services) -> None:
    add(parts)
    assert "No task fits this filter." in text_of(client.get("/?status=FAILED").text)
    assert "There is nothing older." in text_of(client.get("/?before=1").text)


@pytest.mark.parametrize("form", ["{num}", "#{num}", " №{num} ", "{id}", "{start}"])
def test_a_task_is_found_by_number_or_id(client: FlaskClient, parts: Services, form: str) -> None:
    wanted = add(parts, count=3)[1]
    q = form.format(num=wanted["num"], id=wanted["id"].upper(), start=wanted["id"][:18])
    found = rows_of(client.get("/", query_string={"q": q}).text)
    assert wanted["id"] in {row["task-id"] for row in found}


def test_pages_of_25_follow_each_other_without_gap_or_double(client: FlaskClient, parts: Services) -> None:
    rows = add(parts, count=2 * PAGE_SIZE + 3)
    seen: list[str] = []
    address = "/"
    for _ in range(3):
        page = client.get(address).text
        seen += [row["num"] for row in rows_of(page)]
        older = re.search(r'id="older" rel="next" href="([^"]+)"', page)
        address = html.unescape(older[1]).split("#")[0] if older else ""
    assert address == ""
    assert seen == [str(row["num"]) for row in reversed(rows)]


def test_the_stream_begins_at_the_state_of_the_page(client: FlaskClient, parts: Services) -> None:
    add(parts, count=2)
    assert config_of(client.get("/").text)["lastChange"] == parts.store.last_change()


@pytest.mark.parametrize("method", ["celery", "rabbitmq"])
def test_a_form_stores_its_tasks_and_leads_back_with_a_message(
    client: FlaskClient, parts: Services, method: str
) -> None:
    form = {
        "method": method,
        "kind": "process_task",
        "timeout": "0.5",
        "count": "3",
        "numbers": "",
        "key": "k" * 20,
    }
    answer = client.post("/submit", data=form)
    assert (answer.status_code, answer.location) == (303, f"/#form-{method}")
    page = client.get("/").text
    assert "Sent: 3 tasks, #1 to #3." in text_of(page)
    assert {row["status"] for row in rows_of(page)} == {"PENDING"}
    assert "Sent:" not in text_of(client.get("/").text)


def test_a_form_run_in_the_request_has_ended_when_its_answer_comes(client: FlaskClient) -> None:
    answer = client.post(
        "/submit", data={"method": "sync", "timeout": "0.01", "count": "1"}, follow_redirects=True
    )
    assert "Run in the request: task #1." in text_of(answer.text)
    assert [row["status"] for row in rows_of(answer.text)] == ["DONE"]


def test_numbers_may_be_separated_in_several_ways(client: FlaskClient, parts: Services) -> None:
    form = {
        "method": "celery",
        "kind": "process_data",
        "numbers": "1, 2;3\n4.5",
        "timeout": "5",
        "count": "1",
    }
    assert client.post("/submit", data=form).status_code == 303
    row = parts.store.get(rows_of(client.get("/").text)[0]["task-id"])
    assert row
    assert row["params"] == {"numbers": [1.0, 2.0, 3.0, 4.5]}


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"timeout": "-0.1"}, "timeout", "A number from 0 to 3,600."),
        ({"timeout": "3601"}, "timeout", "A number from 0 to 3,600."),
        ({"timeout": "nan"}, "timeout", "A number from 0 to 3,600."),
        ({"timeout": "inf"}, "timeout", "A number from 0 to 3,600."),
        ({"timeout": "soon"}, "timeout", "A number from 0 to 3,600."),
        ({"timeout": ""}, "timeout", "A number from 0 to 3,600."),
        ({"count": "0"}, "count", "A whole number from 1 to 10,000."),
        ({"count": "-1"}, "count", "A whole number from 1 to 10,000."),
        ({"count": "10001"}, "count", "A whole number from 1 to 10,000."),
        ({"count": "1.5"}, "count", "A whole number from 1 to 10,000."),
        ({"count": "many"}, "count", "A whole number from 1 to 10,000."),
        (
            {"kind": "process_data", "numbers": "1 x"},
            "numbers",
            "1 to 10,000 numbers, separated by spaces or commas.",
        ),
        (
            {"kind": "process_data", "numbers": ""},
            "numbers",
            "1 to 10,000 numbers, separated by spaces or commas.",
        ),
        ({"kind": "add", "add.x": "", "add.y": "2"}, "add.x", "Fill this in."),
        ({"method": "sync", "timeout": "2.5"}, "timeout", "One request may run for 2 seconds in all"),
    ],
)
def test_bad_input_is_named_at_its_field_in_the_readers_language_and_kept(
    client: FlaskClient, parts: Services, fields: dict[str, str], field: str, message: str
) -> None:
    form = {
        "method": "rabbitmq",
        "kind": "process_task",
        "timeout": "5",
        "count": "1",
        "numbers": "",
        **fields,
    }
    answer = client.post("/submit", data=form)
    assert answer.status_code == 422
    method = form["method"]
    shown = re.search(rf'id="{method}-{field}-error" data-error="{field}">([^<]*)<', answer.text)
    assert shown
    assert html.unescape(shown[1]).startswith(message)
    inputs = re.search(rf'(?s)<input[^>]*id="{method}-{field}"[^>]*>', answer.text)
    assert inputs
    assert f'value="{form[field]}"' in inputs[0]
    assert 'aria-invalid="true"' in inputs[0]
    assert total(parts) == 0
    russian = client.post("/submit", data=form, headers={"Accept-Language": "ru"}).text
    shown = re.search(rf'id="{method}-{field}-error" data-error="{field}">([^<]*)<', russian)
    assert shown
    assert re.search("[а-я]", shown[1])


def test_a_form_of_an_unknown_method_is_refused(client: FlaskClient, parts: Services) -> None:
    answer = client.post("/submit", data={"method": "carrier-pigeon", "timeout": "1"})
    assert answer.status_code == 400
    assert "That request was not understood" in text_of(answer.text)
    assert total(parts) == 0


def test_the_same_form_twice_sends_once(client: FlaskClient, parts: Services) -> None:
    form = {"method": "celery", "timeout": "1", "count": "2", "key": "abcdefgh"}
    for _ in range(2):
        answer = client.post("/submit", data=form, follow_redirects=True)
        assert "Sent: 2 tasks, #1 to #2." in text_of(answer.text)
    assert total(parts) == 2


def test_the_same_form_with_other_values_asks_before_it_sends(client: FlaskClient, parts: Services) -> None:
    form = {"method": "celery", "timeout": "1", "count": "1", "key": "abcdefgh"}
    client.post("/submit", data=form)
    answer = client.post("/submit", data={**form, "timeout": "2"})
    assert answer.status_code == 409
    assert "This form was sent before, with other values." in text_of(answer.text)
    assert "abcdefgh" not in answer.text
    assert total(parts) == 1


@pytest.mark.parametrize("key", ["", "short", "x" * 65, "with space here", "кириллица-ключ"])
def test_a_key_of_no_use_is_left_out(client: FlaskClient, parts: Services, key: str) -> None:
    for _ in range(2):
        client.post("/submit", data={"method": "celery", "timeout": "1", "key": key})
    assert total(parts) == 2


def test_receiving_says_that_the_broker_is_away(client: FlaskClient) -> None:
    answer = client.post("/receive", follow_redirects=True)
    assert "The broker does not answer. Nothing was received." in text_of(answer.text)
    assert 'data-tone="error"' in answer.text
    answer = client.post("/receive", headers={"Accept": "application/json"})
    assert answer.status_code == 503
    assert answer.json == {
        "message": "The broker does not answer. Nothing was received.",
        "ok": False,
        "task": None,
    }


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("path", ["/submit", "/receive"])
def test_forms_of_other_sites_are_refused(client: FlaskClient, parts: Services, path: str, site: str) -> None:
    answer = client.post(path, data={"method": "celery", "timeout": "1"}, headers={"Sec-Fetch-Site": site})
    assert answer.status_code == 403
    assert total(parts) == 0
    assert client.get("/", headers={"Sec-Fetch-Site": site}).status_code == 200


@pytest.mark.parametrize("path", ["/submit", "/receive"])
def test_reloading_the_answer_to_a_form_leads_home(client: FlaskClient, path: str) -> None:
    assert client.get(path).location == "/"


def test_the_page_of_a_task_has_its_times_and_its_history(client: FlaskClient, parts: Services) -> None:
    (row,) = add(parts, "rabbitmq", timeout=2.0)
    move(parts, row, TaskStatus.IN_PROGRESS, 1.0, worker="one@host")
    move(parts, row, TaskStatus.IN_PROGRESS, 2.0, worker="two@host", attempt=2)
    move(parts, row, TaskStatus.FAILED, 3.5, worker="two@host", attempt=2, error="ValueError: no")
    answer = client.get(f"/tasks/{row['id']}")
    assert answer.status_code == 200
    timeline = answer.text[answer.text.index('class="timeline"') :]
    assert re.findall(r'<li data-status="(\w+)"', timeline) == [
        "PENDING",
        "IN_PROGRESS",
        "IN_PROGRESS",
        "FAILED",
    ]
    text = text_of(answer.text).replace("\N{NO-BREAK SPACE}", " ")
    for part in ("Waited 1.000 s", "Ran 2.500 s", "Total 3.500 s", "two@host · attempt 2", "ValueError: no"):
        assert part in text


def test_the_page_of_a_waiting_task_has_no_share_of_times_yet(client: FlaskClient, parts: Services) -> None:
    (row,) = add(parts)
    text = text_of(client.get(f"/tasks/{row['id']}").text)
    assert "None yet." in text
    assert "Ran –" in text


@pytest.mark.parametrize("path", ["/tasks/none", "/tasks/%3Cb%3E", "/tasks/" + "x" * 300])
def test_an_unknown_task_has_a_page_that_says_so(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "There is no such task" in answer.text
    assert "<b>" not in answer.text


def test_an_unknown_page_says_so_in_the_readers_language(client: FlaskClient) -> None:
    answer = client.get("/nowhere", headers={"Accept-Language": "ru"})
    assert answer.status_code == 404
    assert "Такой страницы нет" in answer.text


def test_what_others_wrote_is_never_code(client: FlaskClient, parts: Services) -> None:
    (row,) = add(parts)
    move(parts, row, TaskStatus.IN_PROGRESS, worker=EVIL)
    move(parts, row, TaskStatus.FAILED, 1.0, worker=EVIL, error=EVIL, result={EVIL: EVIL})
    pages = [
        client.get("/").text,
        client.get(f"/tasks/{row['id']}").text,
        client.get("/", query_string={"q": EVIL, "method": EVIL, "status": EVIL, "before": EVIL}).text,
        client.get(f"/tasks/{EVIL.replace('/', '')}").text,
        client.post("/submit", data={"method": "celery", "timeout": EVIL, "count": EVIL, "key": EVIL}).text,
        client.post("/submit", data={"method": "celery", "kind": "process_data", "numbers": EVIL}).text,
    ]
    for page in pages:
        assert "<script>" not in page
        assert 'value=""><' not in page


@pytest.mark.parametrize("path", ["/", "/nowhere", "/tasks/{id}", "/docs"])
def test_no_page_has_inline_scripts_styles_or_other_hosts(
    client: FlaskClient, parts: Services, path: str
) -> None:
    (row,) = add(parts)
    page = client.get(path.format(id=row["id"])).text
    assert not re.search(r"<[^>]+\s(style|on\w+)=", page)
    assert not re.search(r'<script(?![^>]*(src=|type="application/json"))', page)
    assert not re.search(r'(src|href)="(https?:)?//(?!127\.0\.0\.1|localhost)', page)


def test_switching_the_language_keeps_it_and_goes_back(client: FlaskClient) -> None:
    answer = client.get("/lang/ru", query_string={"next": "/?status=DONE"})
    assert answer.location == "/?status=DONE"
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("lang=ru;")
    assert "SameSite=Lax" in cookie
    assert '<html lang="ru">' in client.get("/").text


@pytest.mark.parametrize(
    "target",
    [
        "https://example.org/",
        "//example.org/",
        "/\\example.org",
        "\\\\example.org",
        "/\t/example.org",
        "javascript:alert(1)",
        "example.org",
        "/\r\nSet-Cookie: a=b",
        "///example.org",
        "//[",
        "",
    ],
)
def test_switching_the_language_never_leads_away(client: FlaskClient, target: str) -> None:
    assert client.get("/lang/en", query_string={"next": target}).location == "/"


def test_an_unknown_language_is_not_kept(client: FlaskClient) -> None:
    answer = client.get("/lang/xx")
    assert answer.status_code == 404
    assert "lang=" not in answer.headers.get("Set-Cookie", "")


def test_the_header_tells_what_is_known_of_the_lab(client: FlaskClient, parts: Services) -> None:
    page = client.get("/").text
    assert re.search(r'data-chip="broker" data-state="unknown"', page)
    parts.store.add(NewTask("celery", "process_task", {"timeout": 1.0}, 1.0), 2, relay="test")
    parts.watch.refresh()
    page = client.get("/").text
    assert re.search(r'data-chip="store" data-state="up"', page)
    assert re.search(r'data-chip="broker" data-state="down"', page)
    assert "2 tasks wait for it" in text_of(page)
    assert parts.settings.management_url in page


def form_of(page: str, method: str) -> str:
    form = page[page.index(f'id="form-{method}"') :]
    return form[: form.index("</form>")]


@pytest.mark.parametrize("method", METHODS)
def test_each_form_offers_the_jobs_that_fail_where_they_can_be_run(client: FlaskClient, method: str) -> None:
    form = form_of(client.get("/").text, method)
    kinds = re.findall(r'name="kind" value="(\w+)"', form)
    in_request = ["process_task", "process_data", *PLAIN, "flaky_task", "failing_task"]
    queued = [*in_request, "hanging_task", "killer_task"]
    assert kinds == (in_request if method == "sync" else queued)
    deliveries = re.findall(r'name="delivery" value="(\w+)" id="[^"]*" (checked)?', form)
    assert deliveries == ([] if method == "sync" else [("safe", "checked"), ("naive", "")])


def test_the_delivery_that_is_set_is_the_one_that_is_chosen(settings: Settings) -> None:
    app = create_app(settings.with_(delivery=Delivery.NAIVE))
    form = form_of(app.test_client().get("/").text, "celery")
    assert re.search(r'value="naive" id="celery-naive" checked', form)
    assert '<details class="kind" >' in form
    app.extensions["lab"].stop()


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({"kind": "flaky_task", "times": "3", "time_limit": "2"}, {"params": {"timeout": 0.0, "times": 3}}),
        ({"kind": "hanging_task", "time_limit": "1,5"}, {"time_limit": 1.5}),
        ({"kind": "hanging_task", "time_limit": ""}, {"time_limit": None}),
        ({"kind": "process_task", "time_limit": "2", "times": "2"}, {"time_limit": None}),
        ({"kind": "killer_task", "delivery": "naive"}, {"delivery": "naive"}),
    ],
)
def test_a_form_takes_what_its_job_needs_and_leaves_the_rest(
    client: FlaskClient, parts: Services, fields: dict[str, str], kept: dict[str, Any]
) -> None:
    answer = client.post("/submit", data={"method": "celery", "timeout": "0", "count": "1", **fields})
    assert answer.status_code == 303
    row = parts.store.get(rows_of(client.get("/").text)[0]["task-id"])
    assert row
    assert {name: row[name] for name in kept} == kept


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"kind": "flaky_task", "times": "101"}, "times", "A whole number from 0 to 100."),
        ({"kind": "flaky_task", "times": ""}, "times", "A whole number from 0 to 100."),
        ({"kind": "hanging_task", "time_limit": "0"}, "time_limit", "A number above 0, at most 7,200."),
        ({"kind": "hanging_task", "time_limit": "x"}, "time_limit", "A number above 0, at most 7,200."),
    ],
)  # fmt: skip
def test_a_fault_in_the_chooser_is_named_there_and_the_chooser_open(
    client: FlaskClient, fields: dict[str, str], field: str, message: str
) -> None:
    answer = client.post(
        "/submit", data={"method": "rabbitmq", "timeout": "0", "delivery": "naive", **fields}
    )
    assert answer.status_code == 422
    form = form_of(answer.text, "rabbitmq")
    assert f'id="rabbitmq-{field}-error" data-error="{field}">{message}<' in form
    assert '<details class="kind" open>' in form
    assert re.search(rf'value="{fields["kind"]}" id="[^"]+" checked', form)
    assert 'id="rabbitmq-naive" checked' in form


@pytest.mark.parametrize(("workers", "state"), [(None, "unknown"), (0, "none"), (2, "some")])
def test_forms_and_header_know_of_naive_workers(
    client: FlaskClient, parts: Services, monkeypatch: pytest.MonkeyPatch, workers: int | None, state: str
) -> None:
    picture = {**parts.watch.snapshot(), "naive_workers": {"celery": workers, "rabbitmq": 0}}
    monkeypatch.setattr(parts.watch, "snapshot", lambda: picture)
    page = client.get("/").text
    assert f'data-naive="{state}"' in page[page.index('id="form-celery"') :].partition(">")[0]
    celery = "DELIVERY=naive celery -A celery_app worker --concurrency=3 -n naive@%h"
    assert celery in form_of(page, "celery")
    assert "DELIVERY=naive python -m consumer --concurrency 3 -n naive@%h" in form_of(page, "rabbitmq")
    chip = re.search(r'<li class="chip" data-chip="naive-celery"[^>]*>', page)
    assert chip
    assert chip[0].endswith(" hidden>") == (not workers)
    assert ("Celery, as it comes 2" in text_of(page)) == (workers == 2)
