"""The login, where one is set."""

import base64
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from api import LabAPI
from api.web.login import TRIES_PER_MINUTE
from lab.settings import Settings
from lab.token import sign

USER, PASSWORD = "anna", "correct horse: батарея"
TASK = {"method": "celery", "timeout": 1}
FOR_ALL = (
    "/healthz",
    "/login",
    "/static/app.css",
    "/bootstrap/static/css/bootstrap.min.css",
)
PAGES = ("/", "/?method=celery", "/tasks/x", "/dead-letters", "/docs", "/nothing")
JSON = (
    "/api/tasks",
    "/api/tasks/x",
    "/api/dead-letters",
    "/events",
    "/metrics",
    "/openapi.json",
    "/api/nothing",
)


@pytest.fixture
def database_url(sqlite_template: Path, tmp_path: Path) -> str:
    """One kind of database is enough here."""
    shutil.copy(sqlite_template, tmp_path / "lab.sqlite3")
    return f"sqlite:///{tmp_path}/lab.sqlite3"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.with_(user=USER, password=PASSWORD)


@pytest.fixture(autouse=True)
def guarded(app: LabAPI) -> None:
    app.config["WTF_CSRF_ENABLED"] = True


@pytest.fixture
def inside(client: FlaskClient) -> FlaskClient:
    """A client that has logged in by the page."""
    assert log_in(client).status_code == 303
    return client


def log_in(client: FlaskClient, user: str = USER, password: str = PASSWORD, target: str = "/"):  # type: ignore[no-untyped-def]
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/login").text)
    form = {"user": user, "password": password, "next": target, "csrf_token": found[1] if found else ""}
    return client.post("/login", data=form)


def basic(user: str = USER, password: str = PASSWORD) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.mark.parametrize("path", FOR_ALL)
def test_what_anybody_may_see_needs_no_login(client: FlaskClient, path: str) -> None:
    with client.get(path) as answer:
        assert answer.status_code == 200


def test_readiness_is_told_without_a_login(client: FlaskClient) -> None:
    assert client.get("/readyz").status_code == 503


@pytest.mark.parametrize("path", PAGES)
def test_a_page_leads_to_the_login_and_says_nothing_of_the_lab(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 302
    assert answer.location.startswith("/login?next=/")
    page = client.get(answer.location).text
    assert 'id="form-login"' in page
    assert 'id="health"' not in page
    assert "15672" not in page
    assert 'id="form-logout"' not in page


@pytest.mark.parametrize("path", JSON)
def test_a_json_route_asks_for_basic_credentials(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.content_type) == (401, "application/problem+json")
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


def test_a_script_of_a_page_that_was_logged_out_opens_no_dialog(client: FlaskClient) -> None:
    headers = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}
    answer = client.get("/api/tasks", headers=headers)
    assert answer.status_code == 401
    assert "WWW-Authenticate" not in answer.headers
    answer = client.post("/receive", headers={**headers, "Accept": "application/json"})
    assert (answer.status_code, answer.content_type) == (401, "application/problem+json")


@pytest.mark.parametrize(
    "path",
    ["/submit", "/receive", "/logout", "/tasks/x/cancel", "/dead-letters/1/discard", "/api/tasks"],
)
def test_nothing_is_done_without_a_login(client: FlaskClient, path: str) -> None:
    assert client.post(path).status_code == 401
    assert sum(client.application.extensions["lab"].store.counts().values()) == 0


def test_workers_report_by_their_tokens_alone(inside: FlaskClient, app: LabAPI) -> None:
    task_id = inside.post("/api/tasks", json=TASK).json["tasks"][0]["id"]
    worker = app.test_client()
    token = sign(app.extensions["lab"].secret, task_id)
    update = {"task_id": task_id, "status": "DONE", "token": token}
    assert worker.post("/update_task_status_api/", json=update).json["results"][0]["applied"]
    assert worker.post("/update_task_status_api/", json={**update, "token": "x"}).status_code == 403


def test_the_page_lets_in_and_leads_to_where_one_was_going(client: FlaskClient) -> None:
    answer = log_in(client, target="/?method=celery")
    assert (answer.status_code, answer.location) == (303, "/?method=celery")
    page = client.get("/").text
    assert 'id="health"' in page
    assert 'id="form-logout"' in page
    assert client.get("/api/tasks").status_code == 200
    assert client.get("/login").location == "/"


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x"]
)
def test_the_login_leads_nowhere_else(client: FlaskClient, target: str) -> None:
    assert log_in(client, target=target).location == "/"


@pytest.mark.parametrize(
    ("user", "password"),
    [
        (USER, "wrong"),
        ("wrong", PASSWORD),
        ("", ""),
        (USER, ""),
        (USER.upper(), PASSWORD),
        (USER, PASSWORD + " "),
    ],
)
def test_wrong_credentials_are_refused_both_ways(client: FlaskClient, user: str, password: str) -> None:
    answer = log_in(client, user, password)
    assert answer.status_code == 401
    assert "Wrong user or password." in answer.text
    assert PASSWORD not in answer.text
    assert client.get("/").status_code == 302
    assert client.get("/api/tasks", headers=basic(user, password)).status_code == 401


@pytest.mark.parametrize(
    "header", ["Basic", "Basic !!", "Basic Og==", "Bearer abc", "Digest x", "Basic " + "A" * 5000]
)
def test_credentials_that_are_none_are_refused(client: FlaskClient, header: str) -> None:
    assert client.get("/api/tasks", headers={"Authorization": header}).status_code == 401


def test_programs_come_in_by_basic_credentials_and_get_no_cookie(client: FlaskClient) -> None:
    answer = client.get("/api/tasks", headers=basic())
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert client.get("/metrics", headers=basic()).status_code == 200
    assert client.post("/api/tasks", json=TASK, headers=basic()).status_code == 202
    assert client.get("/api/tasks").status_code == 401


def test_another_sites_page_gains_nothing_by_the_credentials_that_a_browser_keeps(
    client: FlaskClient,
) -> None:
    headers = {**basic(), "Origin": "http://evil.example"}
    assert client.post("/api/tasks", json=TASK, headers=headers).status_code == 403


def test_after_too_many_wrong_tries_even_the_right_one_waits(client: FlaskClient) -> None:
    for _ in range(TRIES_PER_MINUTE):
        assert client.get("/api/tasks", headers=basic(USER, "guess")).status_code == 401
    answer = client.get("/api/tasks", headers=basic())
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert log_in(client).status_code == 429
    elsewhere = {"REMOTE_ADDR": "192.0.2.9"}
    assert client.get("/api/tasks", headers=basic(), environ_base=elsewhere).status_code == 200


def test_right_credentials_may_come_as_often_as_they_like(client: FlaskClient) -> None:
    for _ in range(5 * TRIES_PER_MINUTE):
        assert client.get("/api/tasks", headers=basic()).status_code == 200


def test_who_is_in_stays_in_while_others_guess(inside: FlaskClient) -> None:
    guesser = inside.application.test_client()
    for _ in range(2 * TRIES_PER_MINUTE):
        guesser.get("/api/tasks", headers=basic(USER, "guess"))
    assert inside.get("/").status_code == 200


def test_logging_out_forgets_the_login(inside: FlaskClient) -> None:
    found = re.search(r'id="form-logout"[^>]*>\s*<input[^>]*value="([^"]+)"', inside.get("/").text)
    assert found
    answer = inside.post("/logout", data={"csrf_token": found[1]})
    assert (answer.status_code, answer.location) == (303, "/login")
    assert inside.get("/").status_code == 302


@pytest.mark.parametrize("change", [{"password": "another"}, {"user": "bert"}, {"secret_key": "another"}])
def test_a_changed_login_or_key_ends_the_old_ones(
    inside: FlaskClient, make_app: Callable[..., LabAPI], change: dict[str, str]
) -> None:
    name = inside.application.config["SESSION_COOKIE_NAME"]
    cookie = inside.get_cookie(name)
    assert cookie
    changed = make_app(**change)
    other = changed.test_client()
    other.set_cookie(changed.config["SESSION_COOKIE_NAME"], cookie.value)
    assert other.get("/").status_code == 302


def test_a_cookie_that_is_not_the_labs_own_lets_nobody_in(client: FlaskClient) -> None:
    client.set_cookie(client.application.config["SESSION_COOKIE_NAME"], "eyJsb2dpbiI6IngifQ.aaaa.bbbb")
    assert client.get("/").status_code == 302


def test_logging_in_starts_a_session_of_its_own(client: FlaskClient) -> None:
    client.get("/login")
    name = client.application.config["SESSION_COOKIE_NAME"]
    before = client.get_cookie(name)
    log_in(client)
    after = client.get_cookie(name)
    assert before
    assert after
    assert before.value.split(".")[0] != after.value.split(".")[0]


def test_with_a_login_any_name_is_answered(inside: FlaskClient) -> None:
    assert inside.get("/healthz", headers={"Host": "lab.example"}).status_code == 200
    answer = inside.get("/api/tasks", headers={"Host": "lab.example", **basic()})
    assert answer.status_code == 200


def test_the_language_can_be_chosen_before_the_login(client: FlaskClient) -> None:
    assert client.get("/lang/ru?next=/login").location == "/login"
    assert re.search("[а-я]{4}", client.get("/login").text[client.get("/login").text.index("<main") :])
