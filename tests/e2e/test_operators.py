"""The table in the hands of an operator, and pages that keep up by themselves."""

import csv
import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from harness.lab import Lab
from lab.clock import now_us
from store.letters import DeadLetters, Letter
from store.reports import ReportRows
from store.tasks import NewTask, Store
from tests.e2e.test_table import HIDE
from tests.e2e.visitor import Visitor
from transports.methods import CELERY, RABBITMQ

TIMED = NewTask(CELERY.name, "process_task", {"timeout": 5.0}, 5.0)
FLAKY = NewTask(RABBITMQ.name, "flaky_task", {"timeout": 0.0, "times": 9}, 0.0)


@pytest.fixture
def store(lonely_lab: Lab) -> Iterator[Store]:
    """The store of the lonely lab."""
    made = Store(f"sqlite:///{lonely_lab.base}/lab.sqlite3")
    yield made
    made.close()


def fail(store: Store, new: NewTask, count: int, error: str) -> None:
    assert store.fail({row["id"]: 1 for row in store.add(new, count).rows}, error) == count


def numbers(page: Page) -> list[int]:
    found: list[int] = page.locator("#rows tr").evaluate_all(
        "rows => rows.map((row) => Number(row.dataset.num))"
    )
    return found


def test_of_ten_thousand_tasks_five_hundred_are_found_sent_again_taken_back_and_all_exported(
    lonely_visitor: Visitor, store: Store, shoot: Callable[..., None]
) -> None:
    store.add(TIMED, 8_500)
    fail(store, TIMED, 500, "TemporaryError: no luck")
    fail(store, FLAKY, 500, "TemporaryError: no luck")
    fail(store, FLAKY, 500, "ValueError: wrong")
    page = lonely_visitor.open()
    expect(page.locator('[data-count="all"]')).to_have_text("10,000")
    page.locator(".narrow summary").click()
    page.get_by_label("Kind").select_option("flaky_task")
    page.get_by_label("Error contains").fill("NO LUCK")
    page.get_by_role("button", name="Filter").click()
    page.wait_for_url(re.compile(r"kind=flaky_task.*error=NO(\+|%20)LUCK"))
    assert "worker=" not in page.url
    assert numbers(page) == list(range(9_500, 9_475, -1))
    shoot(page, "operators-filtered")
    page.get_by_role("link", name="Send again…").click()
    expect(page.get_by_text("Send 500 tasks again?")).to_be_visible()
    shoot(page, "operators-question")
    page.get_by_role("button", name="Send again: 500").click()
    expect(page.locator("#bulk-said")).to_have_text("500 tasks were sent again.")
    assert store.counts()["PENDING"] == 9_000
    page.get_by_role("button", name="Undo: cancel the new ones").click()
    expect(page.locator("#bulk-said")).to_have_text("500 tasks are cancelled.")
    assert store.counts()["CANCELLED"] == 500
    page.goto(lonely_visitor.url)
    page.locator(".narrow summary").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV", exact=True).click()
    with download.value.path().open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["num"]) for row in rows] == list(range(10_500, 0, -1))
    assert sum(row["error"] == "TemporaryError: no luck" for row in rows) == 1_000


def test_tasks_are_found_sorted_and_told_by_the_time_of_the_one_who_looks(
    lonely_visitor: Visitor, store: Store, shoot: Callable[..., None]
) -> None:
    store.add(TIMED, 30)
    store.add(NewTask(CELERY.name, "health_check", {}), 3)
    store.add(NewTask(RABBITMQ.name, "process_data", {"numbers": [1.0] * 12}))
    page = lonely_visitor.open("/", timezone_id="Asia/Kolkata")
    assert numbers(page)[:2] == [34, 30]
    expect(page.locator('[data-count="all"]')).to_have_text("31")
    expect(page.locator('[data-num="34"] .c-job')).to_have_text(re.compile(r"process_data\s*numbers=\[12\]"))
    page.get_by_role("link", name="Health checks").click()
    expect(page.locator('[data-num="33"]')).to_be_visible()
    expect(page.locator('[data-count="all"]')).to_have_text("34")

    page.goto(f"{lonely_visitor.url}/")
    sent = page.locator('[data-num="34"] time')
    iso = sent.get_attribute("datetime") or ""
    expect(sent).not_to_have_text(iso[11:19])
    expect(sent).to_have_attribute("title", re.compile(f"{iso[11:19]} UTC"))
    page.get_by_role("button", name="UTC", exact=True).click()
    expect(sent).to_have_text(iso[11:19])
    page.reload()
    expect(sent).to_have_text(iso[11:19])

    page.get_by_role("columnheader", name="No.").get_by_role("link").click()
    expect(page.get_by_role("columnheader", name="No.")).to_have_attribute("aria-sort", "ascending")
    expect(page.locator("#rows tr").nth(1)).to_have_attribute("data-num", "2")
    assert numbers(page)[:2] == [1, 2]
    page.get_by_role("link", name="Further").click()
    expect(page.locator("#rows tr")).to_have_count(6)
    page.get_by_label("Jump to no.").fill("#12")
    page.get_by_role("button", name="Go", exact=True).click()
    expect(page.locator("#rows tr").first).to_have_attribute("data-num", "12")
    page.get_by_role("columnheader", name="Total").get_by_role("link").click()
    expect(page.locator(".sorted")).to_contain_text("the newest 10,000 tasks")
    page.wait_for_load_state()
    page.get_by_label("Find by number or id").fill("7")
    page.keyboard.press("Enter")
    expect(page.locator("#rows tr").first).to_have_attribute("data-num", "7")
    shoot(page, "operators-sorted")


def test_a_page_without_tasks_is_live_as_well_and_says_when_it_is_not(
    lonely_visitor: Visitor, lonely_lab: Lab, store: Store, shoot: Callable[..., None]
) -> None:
    lonely_visitor.expect += ["ERR_", "Failed to load resource"]
    page = lonely_visitor.open("/dead-letters")
    expect(page.locator("#stream")).to_have_attribute("data-state", "up")
    expect(page.locator("#as-of")).to_be_hidden()
    letter = Letter("tasks", "rejected", None, b"no job", {})
    DeadLetters(store).keep(letter)
    expect(page.locator("[data-letter-id]")).to_have_count(1)
    page.get_by_text("Discard…").click()
    DeadLetters(store).keep(letter)
    expect(page.locator("[data-letter-id]")).to_have_count(2)
    expect(page.get_by_role("button", name=re.compile("^Discard"))).to_be_visible()
    page.goto(f"{lonely_visitor.url}/schedule")
    expect(page.get_by_text("No reports yet.")).to_be_visible()
    expect(page.locator("#stream")).to_have_attribute("data-state", "up")
    ReportRows(store.engine).make("a task's id", 0, now_us())
    store.add(NewTask(CELERY.name, "generate_daily_report", {}))
    expect(page.locator(".report-list a")).to_have_count(1)
    lonely_lab.api.terminate(timeout=20)
    expect(page.locator("#as-of")).to_have_text(re.compile(r"^as of \d\d:\d\d:\d\d$"))
    expect(page.locator("body")).to_have_attribute("data-stale", "")
    shoot(page, "as-of")
    lonely_lab.api.start()
    lonely_lab.wait_for_api()
    expect(page.locator("#as-of")).to_be_hidden()


TELL = """window.told = [];
window.Notification = class {
  static permission = "granted";
  constructor(title, { body }) { window.told.push(body); }
};"""


def test_the_end_of_what_was_sent_is_told_in_the_title_to_screen_readers_and_to_who_looks_elsewhere(
    visitor: Visitor,
) -> None:
    page = visitor.open("/dead-letters")
    page.add_init_script(TELL)
    page.goto(visitor.url)
    form = page.locator("#form-celery")
    form.locator("[name=timeout]").fill("1")
    form.locator("[name=count]").fill("3")
    form.locator("button.send").click()
    expect(form.get_by_role("status")).to_contain_text("Sent: 3 tasks")
    page.evaluate(HIDE)
    expect(page).to_have_title("✓ 3 tasks have ended · Transport Lab")
    expect(page.locator("#announcer")).to_have_text("3 tasks have ended")
    assert page.evaluate("window.told") == ["3 tasks have ended"]
