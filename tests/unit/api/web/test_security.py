"""What the lab refuses, and what it tells browsers."""

import base64
import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from flask.testing import FlaskClient
from kombu import Exchange, Queue
from kombu.exceptions import ContentDisallowed
from kombu.serialization import dumps, loads, registry

from api import LabAPI
from api.services import Services
from api.web.limiter import SECONDS, Limiter
from api.web.security import HEADERS
from celery_app import create_celery
from lab.delivery import Delivery
from lab.settings import Settings
from lab.token import sign

FORM = {"method": "celery", "timeout": "7", "count": "1"}
TASK = {"method": "celery", "timeout": 1}
FORMS = (
    "/submit",
    "/receive",
    "/tasks/x/cancel",
    "/tasks/x/retry",
    "/dead-letters/1/requeue",
    "/dead-letters/1/discard",
    "/login",
    "/logout",
)
PAGES = ("/", "/tasks/nothing", "/dead-letters", "/login", "/nothing", "/docs")


@pytest.fixture
def database_url(sqlite_template: Path, tmp_path: Path) -> str:
    """One kind of database is enough here."""
    shutil.copy(sqlite_template, tmp_path / "lab.sqlite3")
    return f"sqlite:///{tmp_path}/lab.sqlite3"


@pytest.fixture(autouse=True)
def guarded(app: LabAPI) -> None:
    """The application as it is served: forms need their tokens."""
    app.config["WTF_CSRF_ENABLED"] = True


@pytest.fixture
def limited(make_app: Callable[..., LabAPI]) -> FlaskClient:
    """A client of a lab that takes three submissions a minute."""
    app = make_app(submissions_per_minute=3)
    app.config["WTF_CSRF_ENABLED"] = False
    return app.test_client()


def token_of(client: FlaskClient, path: str = "/") -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get(path).text)
    assert found
    return found[1]


def total(parts: Services) -> int:
    return sum(parts.store.counts().values())


# Forms and other sites' pages


def test_a_form_with_its_pages_token_is_taken(client: FlaskClient, parts: Services) -> None:
    assert client.post("/submit", data={**FORM, "csrf_token": token_of(client)}).status_code == 303
    assert total(parts) == 1


def test_every_form_of_every_page_carries_a_token(client: FlaskClient) -> None:
    for path in PAGES:
        forms = re.findall(r'(?s)<form[^>]*method="post".*?</form>', client.get(path).text)
        assert all('name="csrf_token"' in form for form in forms), path


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize("token", [None, "", "wrong", "ImEi.YQ.c2ln"])
def test_a_form_without_its_token_is_refused_by_a_page_that_says_what_to_do(
    client: FlaskClient, parts: Services, path: str, token: str | None
) -> None:
    client.get("/")
    data = FORM if token is None else {**FORM, "csrf_token": token}
    answer = client.post(path, data=data)
    assert answer.status_code == 400
    assert "Reload it and send again." in answer.text
    assert "<header" in answer.text
    assert total(parts) == 0


def test_a_form_whose_cookie_is_gone_comes_back_as_it_was_typed(client: FlaskClient, parts: Services) -> None:
    token = token_of(client)
    client.delete_cookie(client.application.config["SESSION_COOKIE_NAME"])
    answer = client.post("/submit", data={**FORM, "csrf_token": token})
    assert answer.status_code == 400
    assert re.search(r'id="celery-timeout"[^>]*\s[^>]*value="7"', answer.text)
    fresh = re.search(r'name="csrf_token" value="([^"]+)"', answer.text)
    assert fresh
    assert client.post("/submit", data={**FORM, "csrf_token": fresh[1]}).status_code == 303
    assert total(parts) == 1


def test_a_token_of_another_browser_is_of_no_use(app: LabAPI, client: FlaskClient) -> None:
    client.get("/")
    other = token_of(app.test_client())
    assert client.post("/submit", data={**FORM, "csrf_token": other}).status_code == 400


def test_a_pages_script_without_a_token_gets_a_problem_document(client: FlaskClient) -> None:
    answer = client.post("/receive", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.content_type) == (400, "application/problem+json")
    assert "Reload it" in answer.json["detail"]


def test_the_sentences_are_in_the_readers_language(client: FlaskClient) -> None:
    answer = client.post("/receive", headers={"Accept-Language": "ru"})
    assert re.search("[а-я]{4}", answer.text[answer.text.index("<main") :])


FOREIGN: list[dict[str, str]] = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    {"Origin": "http://evil.example"},
    {"Origin": "http://localhost:81"},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "http://evil.example@localhost"},
    {"Origin": "file://localhost"},
    {"Origin": ""},
    {"Origin": "null"},
]
OWN: list[dict[str, str]] = [
    {},
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "http://localhost"},
    {"Origin": "https://localhost"},
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_the_json_api_does_nothing_for_another_sites_page(
    client: FlaskClient, parts: Services, headers: dict[str, str]
) -> None:
    for path in (
        "/api/tasks",
        "/api/tasks/x/cancel",
        "/api/tasks/x/retry",
        "/api/dead-letters/1/discard",
    ):
        answer = client.post(path, json=TASK if path == "/api/tasks" else None, headers=headers)
        assert (answer.status_code, answer.content_type) == (403, "application/problem+json")
        assert "another site" in answer.json["detail"]
    assert total(parts) == 0


@pytest.mark.parametrize("headers", OWN)
def test_the_json_api_needs_no_token_of_the_labs_own_pages_and_of_programs(
    client: FlaskClient, headers: dict[str, str]
) -> None:
    assert client.post("/api/tasks", json=TASK, headers=headers).status_code == 202


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_a_body_that_another_sites_form_could_send_is_not_taken(
    client: FlaskClient, parts: Services, content_type: str
) -> None:
    answer = client.post("/api/tasks", data='{"method":"celery","timeout":1}', content_type=content_type)
    assert answer.status_code == 415
    assert total(parts) == 0


def test_another_sites_page_may_lead_here_but_load_nothing(client: FlaskClient) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert client.get("/", headers=link).status_code == 200
    for path in ("/", "/api/tasks", "/events", "/metrics"):
        for mode in ("cors", "no-cors"):
            headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": mode}
            assert client.get(path, headers=headers).status_code == 403


@pytest.mark.parametrize("headers", FOREIGN)
def test_workers_report_whatever_such_headers_say(
    client: FlaskClient, parts: Services, headers: dict[str, str]
) -> None:
    task_id = client.post("/api/tasks", json=TASK).json["tasks"][0]["id"]
    update = {"task_id": task_id, "status": "DONE", "token": sign(parts.secret, task_id)}
    answer = client.post("/update_task_status_api/", json=update, headers={**headers, "Host": "api.example"})
    assert answer.json["results"][0]["applied"]


# Names


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example"])
@pytest.mark.parametrize("path", ["/", "/api/tasks", "/events", "/metrics"])
def test_a_name_that_another_site_may_have_led_here_is_refused(
    client: FlaskClient, host: str, path: str
) -> None:
    answer = client.get(path, headers={"Host": host})
    assert answer.status_code == 403
    assert "LAB_USER" in answer.text


INVALID = [
    "",
    "a b",
    "localhost@evil.example",
    "127.0.0.1/",
    "127.0.0.1,evil.example",
    "x:y",
    "[::1",
    "localhost:",
]


@pytest.mark.parametrize("host", INVALID)
def test_a_host_that_is_none_is_refused_whatever_else_comes_with_it(
    client: FlaskClient, parts: Services, make_app: Callable[..., LabAPI], host: str
) -> None:
    headers = {"Host": host, "Origin": "null"}
    with_login = make_app(user="someone", password="a long enough one").test_client()
    for asked in (client, with_login):
        assert asked.get("/api/tasks", headers={"Host": host}).status_code == 400
        assert asked.post("/api/tasks", json=TASK, headers=headers).status_code == 400
    assert total(parts) == 0


def test_a_name_with_an_underscore_is_another_sites_unless_it_is_configured(
    client: FlaskClient, make_app: Callable[..., LabAPI]
) -> None:
    strange = {"Host": "evil_x.example.com"}
    assert client.get("/api/tasks", headers=strange).status_code == 403
    assert client.post("/api/tasks", json=TASK, headers={**strange, "Origin": "null"}).status_code == 403
    own = make_app(api_url="http://my_lab.example.com:8080/update_task_status_api/").test_client()
    named = {"Host": "My_Lab.example.com:8080", "Origin": "http://my_lab.example.com:8080"}
    assert own.get("/", headers=named).status_code == 200
    assert own.post("/api/tasks", json=TASK, headers=named).status_code == 202
    assert own.post("/api/tasks", json=TASK, headers={**named, "Origin": "null"}).status_code == 403
    other = {**named, "Origin": "http://lab.example.com:8080"}
    assert own.post("/api/tasks", json=TASK, headers=other).status_code == 403


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:8080",
        "lab.localhost:80",
        "127.0.0.1:8080",
        "[::1]:8080",
        "10.89.0.5",
        "api:8080",
    ],
)
def test_addresses_and_local_names_are_the_labs_own(client: FlaskClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 200


def test_the_host_of_the_callback_is_the_labs_own_name(make_app: Callable[..., LabAPI]) -> None:
    app = make_app(api_url="https://lab.example/update_task_status_api/")
    assert app.test_client().get("/", headers={"Host": "lab.example"}).status_code == 200


# Headers and cookies


@pytest.mark.parametrize(
    "path", [*PAGES, "/api/tasks", "/healthz", "/static/tasks/index.js", "/openapi.json", "/api/nothing"]
)
def test_every_answer_carries_the_headers_that_bind_browsers(client: FlaskClient, path: str) -> None:
    with client.get(path) as answer:
        assert HEADERS.items() <= dict(answer.headers).items()
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"]


def test_no_page_has_a_script_or_a_style_in_its_text(client: FlaskClient) -> None:
    for path in PAGES:
        page = client.get(path).text
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page), path
        for attributes in re.findall(r"<script([^>]*)>", page):
            assert "src=" in attributes or 'type="application/json"' in attributes


@pytest.mark.parametrize(("scheme", "secure"), [("http", False), ("https", True)])
def test_cookies_are_out_of_reach_of_scripts_and_other_sites(app: LabAPI, scheme: str, secure: bool) -> None:
    client = app.test_client()
    for path in ("/", "/lang/ru"):
        (cookie,) = client.get(path, base_url=f"{scheme}://localhost").headers.getlist("Set-Cookie")
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert ("Secure" in cookie) is secure


def test_two_labs_on_one_host_keep_their_cookies_apart(make_app: Callable[..., LabAPI]) -> None:
    names = {make_app(secret_key=key).config["SESSION_COOKIE_NAME"] for key in ("one", "two")}
    assert len(names) == 2


# How much, and how often


def test_a_form_of_a_great_many_parts_is_refused(client: FlaskClient) -> None:
    fields: dict[str, Any] = {f"field{n}": "x" for n in range(200)}
    assert client.post("/submit", data=fields, content_type="multipart/form-data").status_code == 413


@pytest.mark.parametrize(
    "send",
    [
        lambda client: client.post("/api/tasks", json=TASK),
        lambda client: client.post("/api/tasks/x/retry"),
        lambda client: client.post("/submit", data=FORM),
        lambda client: client.post("/dead-letters/1/requeue"),
    ],
)
def test_beyond_the_limit_of_a_minute_nothing_more_is_taken(
    limited: FlaskClient, send: Callable[[FlaskClient], Any]
) -> None:
    assert [send(limited).status_code == 429 for _ in range(5)] == [False, False, False, True, True]
    answer = send(limited)
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert "Too many requests from one address." in answer.text


def test_the_limit_is_told_as_a_problem_document_to_programs_and_by_a_page_to_people(
    limited: FlaskClient,
) -> None:
    for _ in range(3):
        limited.post("/api/tasks", json=TASK)
    assert limited.post("/api/tasks", json=TASK).content_type == "application/problem+json"
    assert limited.post("/submit", data=FORM).content_type.startswith("text/html")


def test_the_limit_is_each_addresss_own_and_holds_no_reader_up(limited: FlaskClient) -> None:
    for _ in range(5):
        limited.post("/api/tasks", json=TASK)
    assert limited.get("/api/tasks").status_code == 200
    other = {"REMOTE_ADDR": "192.0.2.7"}
    assert limited.post("/api/tasks", json=TASK, environ_base=other).status_code == 202


def test_no_limit_touches_what_workers_report(make_app: Callable[..., LabAPI]) -> None:
    app = make_app(submissions_per_minute=1)
    client = app.test_client()
    task_id = client.post("/api/tasks", json=TASK).json["tasks"][0]["id"]
    token = sign(app.extensions["lab"].secret, task_id)
    update = {"task_id": task_id, "status": "IN_PROGRESS", "token": token}
    answers = [client.post("/update_task_status_api/", json=update).status_code for _ in range(50)]
    assert set(answers) == {200}


def test_a_limit_of_zero_is_none(make_app: Callable[..., LabAPI]) -> None:
    client = make_app(submissions_per_minute=0).test_client()
    assert {client.post("/api/tasks/x/retry").status_code for _ in range(700)} == {404}


def test_after_a_minute_the_count_begins_anew(app: LabAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("api.web.limiter.time.monotonic", lambda: now)
    limiter = Limiter(1)
    with app.test_request_context(environ_base={"REMOTE_ADDR": "192.0.2.1"}):
        assert (limiter.take(), limiter.take()) == (0, 60)
        now += SECONDS - 0.5
        assert limiter.take() == 1
        now += 0.5
        assert limiter.take() == 0


def test_an_ipv6_network_counts_as_one(app: LabAPI) -> None:
    limiter = Limiter(1)
    for address, taken in (("2001:db8::1", True), ("2001:db8::2", False), ("2001:db8:0:1::1", True)):
        with app.test_request_context(environ_base={"REMOTE_ADDR": address}):
            assert (limiter.take() == 0) is taken


# JSON only


class Bomb:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.fixture(params=list(Delivery))
def celery(request: pytest.FixtureRequest, settings: Settings) -> Celery:
    """Celery as a worker runs it, over a broker in memory."""
    made = create_celery(settings.with_(celery_broker_url="memory://"), request.param)
    made.conf.result_backend = None
    return made


def test_celery_takes_json_and_nothing_else(celery: Celery) -> None:
    assert list(celery.conf.accept_content) == ["json"]
    assert celery.conf.result_accept_content in (None, ["json"])
    for name in ("task_serializer", "result_serializer", "event_serializer"):
        assert celery.conf[name] == "json"


@pytest.mark.parametrize("serializer", ["pickle", "yaml", "msgpack"])
def test_a_message_that_is_no_json_is_never_loaded(
    request: pytest.FixtureRequest, celery: Celery, tmp_path: Path, serializer: str
) -> None:
    mark = tmp_path / "exploded"
    request.addfinalizer(lambda: registry.disable(serializer))
    registry.enable(serializer)
    body = Bomb(mark) if serializer == "pickle" else [1]
    data = pickle.dumps(body) if serializer == "pickle" else dumps(body, serializer=serializer)[2]
    data = data.encode() if isinstance(data, str) else data
    content_type = registry.name_to_type[serializer]
    with celery.connection_for_read() as connection:
        queue = Queue("q", Exchange("q"), routing_key="q", channel=connection)
        queue.declare()
        connection.Producer().publish(
            data, exchange="q", routing_key="q", content_type=content_type, content_encoding="binary"
        )
        consumer = celery.amqp.TaskConsumer(connection, queues=[queue])
        message = queue.get(accept=consumer.accept)
        assert message is not None
        with pytest.raises(ContentDisallowed):
            message.decode()
    assert not mark.exists()
    if serializer == "pickle":
        loads(data, content_type, "binary", accept={content_type})
        assert mark.exists(), "the control: this is what loading it would have done"


def test_basic_credentials_change_nothing_where_there_is_no_login(client: FlaskClient) -> None:
    header = "Basic " + base64.b64encode(b"a:b").decode()
    assert client.get("/api/tasks", headers={"Authorization": header}).status_code == 200
    assert client.get("/login").location == "/"
