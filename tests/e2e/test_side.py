"""The page Side by side in a browser: both codes, both runs, on every screen."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from api.side.rows import ROWS
from harness.lab import Lab
from tests.e2e.test_look import CONTRASTS, FAULTS, PHONE, assert_fits, overflow
from tests.e2e.visitor import Visitor

PATH = "/side-by-side"


def press(page: Page, feature: str) -> None:
    """Runs both, and waits until both have ended."""
    place = page.locator(f"#run-{feature}")
    place.get_by_role("button").first.click()
    expect(place.locator("[data-outcome]")).to_have_attribute("data-ended", "true", timeout=40_000)


def open_in_place(page: Page, feature: str) -> None:
    page.locator(f'[data-feature="{feature}"] a').click()
    expect(page.locator(f"#open #run-{feature}")).to_be_visible()


def test_one_feature_at_a_time_is_open_below_its_row(
    visitor: Visitor, lab: Lab, shoot: Callable[..., None]
) -> None:
    page = visitor.open(PATH, viewport={"width": 1280, "height": 1000})
    expect(page.locator("[data-feature]")).to_have_count(len(ROWS))
    assert page.evaluate("document.body.scrollHeight") < 2_500
    open_in_place(page, "prefetch")
    open_in_place(page, "late-acks")
    expect(page.locator("[data-run]")).to_have_count(1)
    expect(page).to_have_url(re.compile("#late-acks$"))
    celery, by_hand = page.locator("#open section.side-half").all()
    expect(celery.locator(".side-lines")).to_have_text("2 lines")
    expect(celery.locator(".side-code").first).to_contain_text("app.conf.task_acks_late = True")
    celery.get_by_text("In this lab: 3 lines").click()
    expect(celery.get_by_text('"task_acks_late": True')).to_be_visible()
    expect(by_hand).to_contain_text("consumer/worker.py")
    assert page.locator(".side-code").evaluate_all(
        "(all) => all.every((code) => code.scrollWidth <= code.clientWidth)"
    )
    assert page.evaluate(FAULTS) == []
    shoot(page, "side-light", whole=True)
    page.reload()
    expect(page.locator("#open #run-late-acks")).to_be_visible()
    page.locator('[data-feature="late-acks"] a').click()
    expect(page.locator("#open")).to_have_count(0)


def test_both_are_run_in_place_and_their_histories_stand_beside_each_other(
    visitor: Visitor, lab: Lab, shoot: Callable[..., None]
) -> None:
    page = visitor.open(PATH, viewport={"width": 1280, "height": 1000})
    open_in_place(page, "retry-fixed")
    press(page, "retry-fixed")
    place = page.locator("#run-retry-fixed")
    expect(place.locator("[data-note]")).to_have_text("Sent by both.")
    for method in ("celery", "rabbitmq"):
        half = place.locator(f'[data-outcome] [data-method="{method}"]').first
        expect(half.locator(".side-steps .word")).to_have_text(
            ["PENDING", "IN_PROGRESS", "RETRYING", "IN_PROGRESS", "DONE"]
        )
        message = half.locator(".side-message").first
        expect(message.locator("summary")).to_contain_text("confirmed")
        if message.get_attribute("open") is None:  # as it was after an earlier run
            message.locator("summary").click()
        expect(message.get_by_text('"fixed"')).to_be_visible()
    place.evaluate("(element) => element.scrollIntoView()")
    shoot(page, "side-run")
    assert page.evaluate(CONTRASTS) == []


def test_in_dark_and_in_russian(visitor: Visitor, lab: Lab, shoot: Callable[..., None]) -> None:
    page = visitor.open(
        f"{PATH}/callback", color_scheme="dark", locale="ru-RU", viewport={"width": 1280, "height": 1000}
    )
    expect(page.get_by_role("heading", level=1)).to_contain_text("errback")
    press(page, "callback")
    assert page.evaluate(CONTRASTS) == []
    assert page.evaluate(FAULTS) == []
    shoot(page, "side-dark-ru", whole=True)


def test_what_runs_by_celery_alone_says_why(visitor: Visitor, lab: Lab, shoot: Callable[..., None]) -> None:
    page = visitor.open(f"{PATH}/periodic")
    expect(page.locator("[data-none]")).to_contain_text("Not by hand, on purpose")
    press(page, "periodic")
    shoot(page, "side-periodic", whole=True)


@pytest.mark.slow
@pytest.mark.parametrize("locale", ["en-US", "ru-RU"])
def test_on_a_phone_nothing_scrolls_sideways(
    visitor: Visitor, lab: Lab, shoot: Callable[..., None], locale: str
) -> None:
    page = visitor.open(PATH, locale=locale, viewport=PHONE, is_mobile=True, has_touch=True)
    width, room = overflow(page)
    assert width <= room == 360
    shoot(page, f"side-phone-{locale[:2]}")
    page.goto(f"{visitor.url}{PATH}/priority")
    press(page, "priority")
    width, room = overflow(page)
    assert width <= room == 360
    shoot(page, f"side-phone-feature-{locale[:2]}", whole=True)
    assert page.evaluate(CONTRASTS) == []


def test_at_no_width_does_the_page_scroll_sideways(visitor: Visitor, lab: Lab) -> None:
    assert_fits(visitor.open(PATH, locale="ru-RU"), 480, 768, 1024, 1600)


@pytest.mark.smoke
def test_one_finds_the_same_while_typing_and_with_enter(visitor: Visitor, lab: Lab) -> None:
    page = visitor.open(PATH)
    rows = page.locator("[data-feature]")
    for text, found in (("basic_qos", 3), ("xyzzy", 0), ("retry", None)):
        page.get_by_role("searchbox").fill(text)
        expect(page).to_have_url(re.compile(f"q={text}$"))
        if found is not None:
            expect(rows).to_have_count(found)
        typed = rows.evaluate_all("(all) => all.map((row) => row.id)")
        page.get_by_role("searchbox").press("Enter")
        expect(page.get_by_role("link", name="All", exact=True)).to_be_visible()
        page.wait_for_load_state()
        assert rows.evaluate_all("(all) => all.map((row) => row.id)") == typed
    page.get_by_role("searchbox").fill("")
    expect(rows).to_have_count(len(ROWS))


@pytest.mark.smoke
def test_without_scripts_one_finds_runs_and_reads(visitor: Visitor, lab: Lab) -> None:
    page = visitor.open(PATH, java_script_enabled=False)
    page.get_by_role("searchbox").fill("prefetch")
    page.get_by_role("button", name="Find").click()
    expect(page.locator("#prefetch")).to_be_visible()
    expect(page.locator("#map")).to_have_count(0)
    page.get_by_role("link", name="Prefetch").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Prefetch")
    page.goto(f"{visitor.url}{PATH}/confirms")
    page.get_by_role("button", name="Run both").click()
    expect(page.locator("[data-note]")).to_have_text("Sent by both.")
    page.wait_for_load_state()
    lab.wait_for(list(page.locator("[data-task-id]").evaluate_all(IDS)))
    page.reload()
    expect(page.locator(".side-task-head .word")).to_have_text(["DONE", "DONE"])


IDS = "(rows) => rows.map((row) => row.dataset.taskId)"


def test_a_lab_without_a_broker_says_what_did_not_go_out(lonely_visitor: Visitor) -> None:
    lonely_visitor.expect.append("503")
    page = lonely_visitor.open(f"{PATH}/submit")
    page.get_by_role("button", name="Run both").click()
    expect(page.locator("[data-note]")).to_contain_text("Not everything went out", timeout=40_000)
    expect(page.locator(".side-error")).to_have_count(2)


def test_the_header_leads_here_from_every_page(visitor: Visitor) -> None:
    page = visitor.open()
    page.get_by_role("link", name="Side by side").click()
    expect(page).to_have_url(re.compile(f"{PATH}$"))
