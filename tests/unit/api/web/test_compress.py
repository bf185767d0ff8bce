"""Text is compressed where the client takes it; what is secret on a page looks different each time."""

import gzip
import re
import shutil
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from api import LabAPI
from api.web.form_token import masked_token, unmasked

GZIP = {"Accept-Encoding": "gzip, br"}


@pytest.fixture
def database_url(sqlite_template: Path, tmp_path: Path) -> str:
    """One kind of database is enough here."""
    shutil.copy(sqlite_template, tmp_path / "lab.sqlite3")
    return f"sqlite:///{tmp_path}/lab.sqlite3"


@pytest.mark.parametrize("path", ["/guide", "/openapi.json", "/static/app.css", "/static/tasks/table.js"])
def test_text_is_compressed_for_clients_that_take_it(client: FlaskClient, path: str) -> None:
    with client.get(path) as plain, client.get(path, headers=GZIP) as packed:
        assert "Content-Encoding" not in plain.headers
        assert packed.headers["Content-Encoding"] == "gzip"
        for answer in (plain, packed):
            assert "Accept-Encoding" in answer.headers["Vary"]
            assert int(answer.headers["Content-Length"]) == len(answer.data)
        assert len(packed.data) < len(plain.data) / 2
        text = gzip.decompress(packed.data)
        if path.startswith("/static"):
            assert text == plain.data
            known = {**GZIP, "If-None-Match": packed.headers["ETag"]}
            with client.get(path, headers=known) as again:
                assert again.status_code == 304


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/guide", {"Accept-Encoding": "gzip;q=0"}),
        ("/guide", {"Accept-Encoding": "br"}),
        ("/healthz", GZIP),
        ("/favicon.ico", GZIP),
    ],
)
def test_nothing_else_is_compressed(client: FlaskClient, path: str, headers: dict[str, str]) -> None:
    assert "Content-Encoding" not in client.get(path, headers=headers).headers
    assert "Content-Encoding" not in client.head("/guide", headers=GZIP).headers


def test_the_stream_of_events_is_not_compressed(client: FlaskClient) -> None:
    with client.get("/events", headers=GZIP, buffered=False) as stream:
        assert "Content-Encoding" not in stream.headers


def test_what_is_secret_on_a_page_and_how_long_it_is_differ_each_time(app: LabAPI) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    client = app.test_client()
    texts = [client.get("/?q=guess").text for _ in range(3)]
    tokens = [re.findall(r'name="csrf_token" value="([^"]+)"', text)[0] for text in texts]
    assert len(set(tokens)) == 3
    assert len({unmasked(token).split(".")[0] for token in tokens}) == 1
    assert client.post("/submit", data={"csrf_token": tokens[0], "method": "celery"}).status_code != 400
    sizes = {len(client.get("/openapi.json", headers=GZIP).data) for _ in range(20)}
    assert len(sizes) > 3


@pytest.mark.parametrize("text", ["", "x", "no token", "é", "AAAA", "a" * 9_999])
def test_what_was_never_masked_is_no_token(app: LabAPI, text: str) -> None:
    assert unmasked(text) != text or not text
    app.config["WTF_CSRF_ENABLED"] = True
    with app.test_request_context("/"):
        assert unmasked(masked_token())
    assert app.test_client().post("/submit", data={"csrf_token": text}).status_code == 400
