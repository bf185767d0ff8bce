"""The lab behind a real proxy that takes a prefix away."""

import re
from collections.abc import Iterator
from urllib.parse import urljoin

import pytest
import requests

from harness.lab import Lab
from tests.reverse_proxy import ReverseProxy

_FOLLOWED = (
    r'<script[^>]*\ssrc="([^"]+)"',
    r'<link[^>]*\shref="([^"]+)"',
    r'(?:\bfrom|\bimport)\s*"(\.[^"]+)"',
    r"""url\(["']?([^"')#]+)""",
)


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the proxy is; the API behind it has no broker."""
    lab = Lab(tmp_path_factory.mktemp("proxy"), "amqp://nobody:secret@127.0.0.1:1/", env={"LAB_PROXIES": "1"})
    with lab, ReverseProxy(lab.port, "/lab") as proxy:
        yield proxy.origin


def loaded(url: str, seen: dict[str, str]) -> dict[str, str]:
    """The types of `url` and all scripts and styles that it leads to, by their addresses."""
    if url not in seen:
        answer = requests.get(url, timeout=30)
        assert answer.status_code == 200, url
        seen[url] = answer.headers["Content-Type"].partition(";")[0]
        if seen[url] in ("text/html", "text/css", "text/javascript"):
            for pattern in _FOLLOWED:
                for found in re.findall(pattern, answer.text):
                    if not found.startswith("data:"):
                        loaded(urljoin(url, found), seen)
    return seen


@pytest.mark.parametrize("page", ["", "images", "workflows", "schedule", "experiments"])
def test_a_page_its_scripts_and_styles_are_loaded_under_the_prefix(origin: str, page: str) -> None:
    seen = loaded(f"{origin}/lab/{page}", {})
    assert all(url.startswith(f"{origin}/lab/") for url in seen)
    types = seen.values()
    assert "text/javascript" in types
    assert "text/css" in types


def test_a_form_that_is_sent_leads_on_under_the_prefix(origin: str) -> None:
    with requests.Session() as visitor:
        page = visitor.get(f"{origin}/lab/", timeout=30).text
        form = re.search(r'(?s)<form id="form-sync".*?</form>', page)
        assert form is not None
        action = re.search(r'action="([^"]+)"', form[0])
        assert action is not None
        fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form[0]))
        answer = visitor.post(
            urljoin(f"{origin}/lab/", action[1]),
            data={**fields, "timeout": "0"},
            headers={"Origin": origin},
            allow_redirects=False,
            timeout=30,
        )
        assert answer.status_code == 303, answer.text
        assert urljoin(answer.url, answer.headers["Location"]).startswith(f"{origin}/lab/")
        shown = visitor.get(urljoin(answer.url, answer.headers["Location"]), timeout=30)
        assert shown.status_code == 200
    tasks = requests.get(f"{origin}/lab/api/tasks", timeout=30).json()["tasks"]
    assert [task["method"] for task in tasks] == ["sync"]


def test_the_stream_of_changes_comes_through(origin: str) -> None:
    with requests.get(f"{origin}/lab/events", stream=True, timeout=30) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert next(answer.iter_content(1))


def test_nothing_is_given_outside_of_the_prefix(origin: str) -> None:
    assert requests.get(f"{origin}/", timeout=30).status_code == 404
