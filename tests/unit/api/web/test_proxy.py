"""The lab behind a proxy that takes a prefix away, and says so."""

import re
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from api import create_app
from lab.settings import Settings

PAGES = ["/", "/images", "/workflows", "/schedule", "/control", "/experiments", "/docs", "/dead-letters"]
FORWARDED = {
    "X-Forwarded-Prefix": "/lab", "X-Forwarded-Host": "localhost", "X-Forwarded-Proto": "https",
    "X-Forwarded-For": "192.0.2.7",
}  # fmt: skip


@pytest.fixture
def behind(settings: Settings) -> Iterator[FlaskClient]:
    app = create_app(settings.with_(proxies=1))
    yield app.test_client()
    app.extensions["lab"].stop()


def test_every_address_on_a_page_has_the_prefix(behind: FlaskClient) -> None:
    for path in PAGES:
        answer = behind.get(path, headers=FORWARDED, follow_redirects=False)
        assert answer.status_code == 200, path
        page = answer.text
        found = re.findall(r'(?:href|src|action|data-url|formaction)="(/[^"]*)"', page)
        found += re.findall(r'"[a-zA-Z]+Url": ?"(/[^"]*)"', page)
        assert found, path
        assert not [one for one in found if not one.startswith("/lab")], path


def test_redirects_cookies_and_the_description_have_the_prefix(behind: FlaskClient) -> None:
    answer = behind.get("/favicon.ico", headers=FORWARDED)
    assert answer.location.startswith("/lab/static/")
    cookie = behind.get("/", headers=FORWARDED).headers["Set-Cookie"]
    assert "Path=/lab" in cookie
    assert "Secure" in cookie
    assert behind.get("/openapi.json", headers=FORWARDED).json["servers"] == [{"url": "/lab"}]
    answer = behind.get("/lang/ru?next=/lab/images", headers=FORWARDED)
    assert answer.location == "/lab/images"
    assert "Path=/lab" in answer.headers["Set-Cookie"]


def test_nobody_is_believed_where_no_proxy_is_set(client: FlaskClient) -> None:
    assert "/lab/" not in client.get("/", headers=FORWARDED).text
