"""The page that asks before something is done to many tasks, without scripts."""

import html
import re

import pytest
from flask.testing import FlaskClient

from api.services import Services
from api.tasks import bulk
from api.tasks.bulk_pages import numbers, ranges
from api.tasks.filter import Filter
from store.tasks import NewTask
from transports.methods import CELERY

FLAKY = NewTask(CELERY.name, "flaky_task", {"timeout": 0.0, "times": 9}, 0.0)


def failed(parts: Services, count: int) -> None:
    rows = parts.store.add(FLAKY, count).rows
    parts.store.fail({row["id"]: 1 for row in rows}, "TemporaryError: no luck")


def form_of(page: str) -> dict[str, str]:
    """What the page's own form sends."""
    main = page[page.index('id="bulk"') :]
    found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', main)
    return {name: html.unescape(value) for name, value in found}


def test_an_act_is_asked_for_done_to_what_was_there_and_taken_back(
    client: FlaskClient, parts: Services
) -> None:
    failed(parts, 3)
    asked = client.get("/tasks/bulk?act=retry&kind=flaky_task&error=LUCK").text
    assert "Send 3 tasks again?" in asked
    failed(parts, 1)
    done = client.post("/tasks/bulk", data=form_of(asked))
    assert done.status_code == 202
    assert 'data-done="3" data-refused="0"' in done.text
    assert "3 tasks were sent again." in done.text
    assert parts.store.counts()["PENDING"] == 3
    back = client.post("/tasks/bulk/undo", data=form_of(done.text))
    assert "3 tasks are cancelled." in back.text
    again = client.post("/tasks/bulk/undo", data=form_of(back.text))
    assert "3 tasks were sent again." in again.text
    counts = parts.store.counts()
    assert (counts["FAILED"], counts["CANCELLED"], counts["PENDING"]) == (4, 3, 3)


def test_deleting_cannot_be_undone_and_says_what_stayed(client: FlaskClient, parts: Services) -> None:
    failed(parts, 2)
    parts.store.add(FLAKY)
    done = client.post("/tasks/bulk", data=form_of(client.get("/tasks/bulk?act=delete").text)).text
    assert "2 tasks were deleted." in done
    assert "1 task was left alone: not ended" in done
    assert "/undo" not in done


def test_more_than_an_act_takes_are_not_asked_about(
    client: FlaskClient, parts: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed(parts, 3)
    monkeypatch.setattr(bulk, "MOST", 2)
    page = client.get("/tasks/bulk?act=cancel").text
    assert "More than 2 tasks fit" in page
    assert '<form class="act-form"' not in page
    assert "No task fits this filter." in client.get("/tasks/bulk?act=cancel&worker=nobody").text
    for address in ("/tasks/bulk", "/tasks/bulk?act=eat"):
        assert client.get(address).location == "/#tasks"
    for data in ({"act": "cancel"}, {"act": "cancel", "through": "x"}):
        assert client.post("/tasks/bulk", data=data).status_code == 400
    for nums in ("", "1-99999999", "x"):
        assert client.post("/tasks/bulk/undo", data={"act": "cancel", "nums": nums}).status_code == 400
    assert client.post("/tasks/bulk/undo", data={"act": "delete", "nums": "1"}).status_code == 400


def test_numbers_are_written_as_ranges_and_read_again() -> None:
    assert ranges([9, 3, 4, 5]) == "3-5,9"
    assert numbers("3-5,9") == [3, 4, 5, 9]
    assert numbers("5-3") == numbers("1,") == []


def test_an_address_says_which_tasks_are_shown(client: FlaskClient) -> None:
    with client.application.test_request_context():
        args = {
            "kind": " a ",
            "since": "2026-01-31T12:00",
            "until": "2026-01-31T12:00:00+03:00",
            "sort": "-ran",
        }
        chosen = Filter.of({**args, "checks": "1", "before": "50"})
        assert chosen.url() == (
            "/?kind=a&since=2026-01-31T12:00:00Z&until=2026-01-31T09:00:00Z&checks=1&sort=-ran#tasks"
        )
        assert (chosen.query(1).offset, chosen.query(1).before_num) == (50, None)
        wrong = Filter.of({"since": "yesterday", "until": "1900-01-01T00:00", "sort": "x", "method": "x"})
        assert wrong == Filter()
        assert (Filter.of({"at": "#12", "sort": "ran"}).before, Filter.of({"at": "x"}).before) == (13, None)
        assert [Filter(sort=one).sorted_url("ran") for one in ("-num", "-ran", "ran")] == [
            "/?sort=-ran#tasks", "/?sort=ran#tasks", "/?sort=-ran#tasks",
        ]  # fmt: skip
