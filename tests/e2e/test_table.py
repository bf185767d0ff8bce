"""The live table: it moves by itself, and holds still for whoever is at it."""

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from harness.lab import Lab
from tests.e2e.test_look import assert_fits
from tests.e2e.visitor import Visitor

HIDE = """() => {
  window.hiddenNow = true;
  Object.defineProperty(document, "hidden", {get: () => window.hiddenNow, configurable: true});
  document.dispatchEvent(new Event("visibilitychange"));
}"""
SHOW = "() => { window.hiddenNow = false; document.dispatchEvent(new Event('visibilitychange')); }"

CUT = """(span) => [span, span.parentElement].some((one) =>
  one.scrollHeight > one.clientHeight || one.scrollWidth > one.clientWidth)"""


def numbers(page: Page) -> list[int]:
    found: list[int] = page.locator("#rows tr").evaluate_all(
        "rows => rows.map((row) => Number(row.dataset.num))"
    )
    return found


def live(page: Page) -> Page:
    expect(page.locator("#stream")).to_have_attribute("data-state", "up")
    return page


@pytest.mark.smoke
def test_the_table_is_filtered_by_method_and_status(
    visitor: Visitor, lab: Lab, shoot: Callable[..., None]
) -> None:
    lab.wait_for([task["id"] for method in ("celery", "rabbitmq") for task in lab.submit(method, 0, 2)])
    page = visitor.open()
    filters = page.get_by_role("navigation", name="Filter")
    filters.get_by_role("link", name="RabbitMQ").click()
    page.wait_for_url("**method=rabbitmq**")
    filters.get_by_role("link", name="DONE").click()
    page.wait_for_url("**status=DONE**")
    expect(page.locator("#rows tr").first).to_be_visible()
    rows = page.locator("#rows tr").evaluate_all(
        "rows => rows.map((row) => [row.dataset.method, row.dataset.status])"
    )
    assert {tuple(row) for row in rows} == {("rabbitmq", "DONE")}
    counts = lab.session.get(f"{lab.url}/api/tasks?method=rabbitmq&limit=1").json()["counts"]
    expect(page.locator('[data-count="DONE"]')).to_have_text(f"{counts['DONE']:,}")
    expect(filters.get_by_role("link", name="RabbitMQ")).to_have_attribute("aria-current", "true")
    shoot(page, "filtered")


@pytest.mark.smoke
def test_a_task_is_found_by_its_number_and_by_the_beginning_of_its_id(visitor: Visitor, lab: Lab) -> None:
    first, second = lab.submit("celery", 0, 2)
    page = visitor.open()
    page.get_by_label("Find by number or id").fill(f"#{first['num']}")
    page.get_by_role("button", name="Find").click()
    expect(page.locator(f'[data-num="{first["num"]}"]')).to_be_visible()
    assert first["num"] in numbers(page)
    assert second["num"] not in numbers(page)
    page.get_by_label("Find by number or id").fill(second["id"][:13])
    page.keyboard.press("Enter")
    expect(page.locator(f'[data-num="{second["num"]}"]')).to_be_visible()
    expect(page.locator("#rows tr")).to_have_count(1)


def test_the_names_of_workers_are_not_cut_where_the_table_has_room(visitor: Visitor, lab: Lab) -> None:
    lab.wait_for([lab.submit("rabbitmq", 0)[0]["id"]])
    page = visitor.open(viewport={"width": 1280, "height": 900})
    name = page.locator("#rows .c-worker span").first
    height = page.locator("#rows tr").first.bounding_box()["height"]  # type: ignore[index]
    # As it is in a container.
    name.evaluate("(span) => { span.textContent = 'consumer@0123456789ab'; }")
    for width in (1280, 1249, 1200):
        page.set_viewport_size({"width": width, "height": 900})
        assert not name.evaluate(CUT), width
    assert page.locator("#rows tr").first.bounding_box()["height"] == height  # type: ignore[index]
    page.set_viewport_size({"width": 1090, "height": 900})
    assert name.evaluate("(span) => span.clientWidth") >= 50
    name.evaluate("(span) => { span.textContent = 'consumer@' + 'a-long-name.'.repeat(9); }")
    assert_fits(page, 1280, 390)


def test_a_search_without_a_match_says_what_to_do(visitor: Visitor, shoot: Callable[..., None]) -> None:
    page = visitor.open("/?q=no-such-task")
    expect(page.get_by_text("No task fits this filter.")).to_be_visible()
    shoot(page, "nothing-fits")
    page.get_by_role("link", name="Show all tasks").click()
    expect(page.locator("#q")).to_have_value("")


def test_pages_go_back_through_the_history_and_forward_to_the_newest(visitor: Visitor, lab: Lab) -> None:
    lab.wait_for([task["id"] for task in lab.submit("rabbitmq", 0, 60)])
    page = visitor.open()
    newest = numbers(page)
    assert len(newest) == 25
    page.get_by_role("link", name="Older").click()
    rows = page.locator("#rows tr")
    expect(rows.first).to_have_attribute("data-num", str(min(newest) - 1))
    expect(rows).to_have_count(25)
    assert max(numbers(page)) == min(newest) - 1
    page.get_by_role("link", name="Newest").click()
    expect(rows.last).to_have_attribute("data-num", str(newest[-1]))
    expect(page.get_by_role("link", name="Newest")).to_have_count(0)
    assert numbers(page) == newest


def test_on_an_older_page_new_tasks_are_only_told_of(visitor: Visitor, lab: Lab) -> None:
    lab.wait_for([task["id"] for task in lab.submit("celery", 0, 30)])
    page = visitor.open()
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_role("link", name="Newest")).to_be_visible()
    live(page)
    shown = numbers(page)
    tasks = lab.submit("celery", 0, 2)
    expect(page.locator("#fresh")).to_have_text("2 new tasks")
    assert numbers(page) == shown
    page.locator("#fresh").click()
    expect(page.locator(f'[data-num="{tasks[-1]["num"]}"]')).to_be_visible()


def test_rows_that_were_deleted_elsewhere_go_with_the_next_news(visitor: Visitor, lab: Lab) -> None:
    (task,) = lab.submit("celery", 0, 1)
    lab.wait_for([task["id"]])
    page = live(visitor.open())
    row = page.locator(f'[data-task-id="{task["id"]}"]')
    expect(row).to_be_visible()
    other = visitor.open(f"/tasks/bulk?act=delete&q={task['id']}")
    other.get_by_role("button", name="Delete: 1").click()
    expect(other.locator("#bulk-said")).to_contain_text("1 task")
    lab.submit("celery", 0, 1)
    expect(row).to_have_count(0)


def test_rows_hold_still_under_the_pointer_until_it_leaves(
    visitor: Visitor, lab: Lab, shoot: Callable[..., None]
) -> None:
    lab.wait_for([task["id"] for task in lab.submit("celery", 0, 3)])
    page = live(visitor.open())
    page.locator("#rows tr").nth(1).hover()
    shown = numbers(page)
    tasks = lab.submit("rabbitmq", 0, 3)
    expect(page.locator("#fresh")).to_have_text("3 new tasks")
    assert numbers(page) == shown
    shoot(page, "new-tasks-wait")
    page.get_by_role("heading", level=1).hover()
    expect(page.locator("#fresh")).to_be_hidden()
    assert numbers(page)[:3] == [task["num"] for task in reversed(tasks)]


def test_rows_hold_still_under_the_focus_and_come_in_when_asked_for(visitor: Visitor, lab: Lab) -> None:
    lab.wait_for([task["id"] for task in lab.submit("celery", 0, 2)])
    page = live(visitor.open())
    page.locator("#rows a").first.focus()
    shown = numbers(page)
    (task,) = lab.submit("rabbitmq")
    expect(page.locator("#fresh")).to_have_text("1 new task")
    assert numbers(page) == shown
    page.locator("#fresh").click()
    expect(page.locator("#rows tr").first).to_have_attribute("data-num", str(task["num"]))


def test_a_status_filter_takes_rows_in_and_lets_them_go(visitor: Visitor, lab: Lab) -> None:
    page = live(visitor.open("/?status=IN_PROGRESS&method=celery"))
    (task,) = lab.submit("celery", 60)
    row = page.locator(f'[data-task-id="{task["id"]}"]')
    expect(row).to_have_attribute("data-status", "IN_PROGRESS")
    lab.cancel(task["id"])
    expect(row).to_have_count(0)


def test_the_seconds_of_a_running_task_go_on_by_themselves(visitor: Visitor, lab: Lab) -> None:
    page = live(visitor.open())
    (task,) = lab.submit("celery", 60)
    cell = page.locator(f'[data-task-id="{task["id"]}"][data-status="IN_PROGRESS"] .c-ran')
    expect(cell).to_have_text(re.compile(r"^[0-9]\.[0-9]\ss$"))
    cell.scroll_into_view_if_needed()  # what nobody sees stands still
    seen = set()
    for _ in range(10):
        seen.add(cell.inner_text())
        page.wait_for_timeout(100)
    lab.cancel(task["id"])
    assert len(seen) >= 5


def quiet_counts(lab: Lab) -> dict[str, int]:
    """How many tasks stand at each status, once those that other tests left behind have ended."""
    deadline = time.monotonic() + 60
    while True:
        answer = lab.session.get(f"{lab.url}/api/tasks?limit=1&checks=false", timeout=30)
        counts: dict[str, int] = answer.json()["counts"]
        if not counts["PENDING"] + counts["IN_PROGRESS"] + counts["RETRYING"]:
            return counts
        assert time.monotonic() < deadline, counts
        time.sleep(0.2)


def test_counts_by_status_follow_what_happens(visitor: Visitor, lab: Lab) -> None:
    before = quiet_counts(lab)["DONE"]
    page = live(visitor.open())
    expect(page.locator('[data-count="DONE"]')).to_have_text(f"{before:,}")
    lab.wait_for([task["id"] for task in lab.submit("rabbitmq", 0, 3)])
    expect(page.locator('[data-count="DONE"]')).to_have_text(f"{before + 3:,}")


def test_the_stream_goes_on_where_it_was_after_the_api_restarts(
    visitor: Visitor, lab: Lab, shoot: Callable[..., None]
) -> None:
    visitor.expect += ["ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET"]
    visitor.expect += ["ERR_EMPTY_RESPONSE", "Failed to load resource"]
    page = live(visitor.open())
    lab.api.terminate(timeout=20)
    expect(page.locator("#stream")).to_have_attribute("data-state", "down")
    expect(page.locator("#stream")).to_have_text("reconnecting…")
    shoot(page, "stream-lost")
    lab.api.start()
    lab.wait_for_api()
    (task,) = lab.submit("rabbitmq", 0)
    live(page)
    expect(page.locator(f'[data-task-id="{task["id"]}"]')).to_have_attribute("data-status", "DONE")


def test_a_page_that_nobody_sees_gives_its_stream_back_and_catches_up_later(
    visitor: Visitor, lab: Lab
) -> None:
    page = live(visitor.open())
    page.evaluate(HIDE)
    (task,) = lab.submit("celery", 0)
    lab.wait_for([task["id"]])
    page.wait_for_timeout(400)
    assert task["num"] not in numbers(page)
    page.evaluate(SHOW)
    expect(page.locator(f'[data-task-id="{task["id"]}"]')).to_have_attribute("data-status", "DONE")


@pytest.mark.slow
def test_a_page_that_missed_too_much_to_follow_begins_afresh(visitor: Visitor, lab: Lab) -> None:
    page = live(visitor.open())
    page.evaluate(HIDE)
    tasks = lab.submit("celery", 0, 300) + lab.submit("rabbitmq", 0, 300)
    lab.wait_for([task["id"] for task in tasks])
    page.evaluate(SHOW)
    expect(page.locator("#rows tr").first).to_have_attribute("data-num", str(tasks[-1]["num"]))
    assert numbers(page) == [task["num"] for task in reversed(tasks)][:25]
    total = sum(lab.session.get(f"{lab.url}/api/tasks?limit=1&checks=false").json()["counts"].values())
    expect(page.locator('[data-count="all"]')).to_have_text(f"{total:,}")


def test_a_burst_of_tasks_leaves_the_newest_on_the_page_and_all_of_them_counted(
    visitor: Visitor, lab: Lab
) -> None:
    page = live(visitor.open())
    tasks = lab.submit("rabbitmq", 0, 200) + lab.submit("celery", 0, 200)
    lab.wait_for([task["id"] for task in tasks])
    expect(page.locator('[data-count="DONE"]')).to_have_text(f"{quiet_counts(lab)['DONE']:,}")
    assert numbers(page) == [task["num"] for task in reversed(tasks)][:25]
    expect(page.locator('#rows tr[data-status="DONE"]')).to_have_count(25)


@pytest.mark.smoke
def test_the_page_of_a_task_follows_it_to_its_end(visitor: Visitor, lab: Lab) -> None:
    (task,) = lab.submit("celery", 1.5)
    page = visitor.open(f"/tasks/{task['id']}")
    expect(page.locator(".timeline > li[data-status=DONE]")).to_be_visible()
    expect(page.locator("#task")).to_have_attribute("data-status", "DONE")
    expect(page.locator(".task-head .badge-status")).to_have_text("DONE")
