"""Experiments in a browser: planned, watched, read, compared, handed on."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from harness.lab import Lab
from tests.e2e.accessible import violations
from tests.e2e.test_look import CONTRASTS, FAULTS, PHONE, assert_fits, settled
from tests.e2e.visitor import Visitor

ENDED_MS = 150_000
PLAN: dict[str, Any] = {
    "arms": [{"method": "celery"}, {"method": "rabbitmq"}],
    "jobs": 20,
    "work": "noop",
    "duration": {"law": "fixed", "seconds": 0},
    "repetitions": 3,
}


def until_ended(page: Page, status: str = "DONE") -> None:
    article = page.locator("#experiment")
    expect(article).to_have_attribute("data-ended", "", timeout=ENDED_MS)
    expect(article).to_have_attribute("data-status", status)


def started(lab: Lab, **changes: Any) -> str:
    """The id of an experiment that was started without a browser."""
    answer = lab.session.post(f"{lab.url}/api/experiments", json={**PLAN, **changes}, timeout=30)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


@pytest.fixture(scope="module")
def finished(browser: Browser, lab: Lab) -> str:
    """The id of an experiment that has ended."""
    found = started(lab, title="Twenty no-ops")
    page = browser.new_page()
    page.goto(f"{lab.url}/experiments/{found}")
    until_ended(page)
    page.close()
    return found


@pytest.mark.timeout(480)
def test_five_hundred_jobs_over_three_methods_from_the_page_to_the_report(
    visitor: Visitor, shoot: Callable[..., None], tmp_path: Path
) -> None:
    page = settled(visitor.open("/experiments"))
    page.locator("#work-noop").check(force=True)
    page.locator("#jobs").fill("500")
    page.locator("#repetitions").fill("1")
    expect(page.locator("#estimate")).to_contain_text("1,500 jobs in all")
    shoot(page, "experiments-form", whole=True)
    page.get_by_role("button", name="Start the experiment").click()
    page.wait_for_url(re.compile("/experiments/[0-9a-f-]{36}$"))
    expect(page.locator('[data-live="race"] svg:visible path').first).to_be_attached()
    shoot(page, "experiment-running")
    expect(page.locator("#experiment")).to_have_attribute("data-ended", "", timeout=400_000)
    expect(page.locator("#experiment")).to_have_attribute("data-status", "DONE")
    expect(page.locator("#title-verdict")).to_be_visible()
    expect(page.locator(".ex-chart")).to_have_count(5)
    for name in ("Celery, safe", "RabbitMQ, safe", "Sync"):
        expect(page.locator("#title-figures ~ table").get_by_role("columnheader", name=name)).to_be_visible()
    for lost in page.locator('[data-count="lost"] td').all_inner_texts():
        assert lost == "0"
    assert page.evaluate(FAULTS) == []
    shoot(page, "experiment-done", whole=True)
    with page.expect_download() as download:
        page.get_by_role("link", name="HTML, one file").click()
    report = tmp_path / "report.html"
    download.value.save_as(report)
    read_without_network(visitor, report, shoot)


def read_without_network(visitor: Visitor, report: Path, shoot: Callable[..., None]) -> None:
    """Opens the file from disk, with the network off, and looks for its charts."""
    page = visitor.open("/healthz")
    page.context.set_offline(True)
    visitor.expect.append("ERR_INTERNET_DISCONNECTED")  # the former page's own icon, where it comes late
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report.as_uri())
    drawings = page.locator("svg[role=img]:visible")
    assert drawings.count() >= 4
    for drawing in drawings.all():
        box = drawing.bounding_box()
        assert box is not None
        assert box["width"] > 200
        assert box["height"] > 80
    assert asked == [report.as_uri()]
    assert "http" not in {
        url.split(":")[0]
        for url in page.evaluate(
            "[...document.querySelectorAll('[src],link[href]')].map((one) => one.src ?? one.href)"
        )
    }
    shoot(page, "experiment-report", whole=True)


def test_what_differs_follows_the_form(visitor: Visitor) -> None:
    page = settled(visitor.open("/experiments"))
    deadline = time.monotonic() + 60
    while page.locator(".ex-there").count() < 2:  # the workers of both kinds have been heard of
        assert time.monotonic() < deadline
        page.reload()
    table = page.locator("[data-differences-table]")
    expect(table.get_by_role("columnheader", name="Sync")).to_be_visible()
    expect(page.locator("#show-differences")).to_be_hidden()
    page.get_by_label("Sync").uncheck()
    expect(table.get_by_role("columnheader", name="Sync")).to_have_count(0)
    expect(table.locator('[data-key="pool"] .ex-unequal')).to_have_text("differs")


@pytest.mark.smoke
def test_it_works_without_scripts(visitor: Visitor, lab: Lab) -> None:
    page = visitor.open("/experiments", java_script_enabled=False)
    page.get_by_label("Sync").uncheck()
    page.get_by_text("Reports, message size, deadline, title").click()
    page.locator("#title").fill("By hand")
    page.get_by_role("button", name="Show what differs").click()
    expect(page.locator("#title")).to_have_value("By hand")
    expect(page.locator("[data-differences-table]").get_by_role("columnheader", name="Sync")).to_have_count(0)
    page.locator("#jobs").fill("5")
    page.locator("#repetitions").fill("1")
    page.get_by_role("button", name="Start the experiment").click()
    page.wait_for_url(re.compile("/experiments/[0-9a-f-]{36}$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("By hand")
    page.get_by_role("button", name="Cancel the experiment").click()
    expect(page.locator(".experiment > .note")).not_to_be_empty()


def test_what_is_wrong_is_said_at_its_field(visitor: Visitor) -> None:
    visitor.expect.append("422")
    page = visitor.open("/experiments")
    page.locator("#jobs").fill("0")
    page.get_by_role("button", name="Start the experiment").click()
    expect(page.locator('[data-error="jobs"]')).to_have_text("A whole number from 1 to 100,000.")
    expect(page.locator("#jobs")).to_have_attribute("aria-invalid", "true")


def test_on_a_phone_a_refused_form_goes_to_its_fault(visitor: Visitor) -> None:
    visitor.expect.append("422")
    page = settled(visitor.open("/experiments", viewport=PHONE, is_mobile=True, has_touch=True))
    page.locator("#jobs").fill("0")
    page.get_by_role("button", name="Start the experiment").click()
    expect(page.locator("#jobs")).to_be_focused()
    expect(page.locator("#jobs-error")).to_be_in_viewport()


def test_the_estimate_stays_with_durations_of_ones_own(visitor: Visitor) -> None:
    page = settled(visitor.open("/experiments"))
    page.locator('input[value="values"]').check(force=True)
    page.locator("#values").fill("0.05\n" * 1000)
    expect(page.locator("#estimate")).to_contain_text("7,500 jobs in all, about 3 minutes")


def test_a_time_is_offered_to_jobs_that_come_at_a_rate_alone(visitor: Visitor) -> None:
    page = settled(visitor.open("/experiments"))
    seconds = page.locator("#amount-seconds")
    expect(seconds).to_be_disabled()
    page.locator("#arrival-open").check(force=True)
    seconds.check(force=True)
    expect(page.locator("#seconds")).to_be_visible()
    page.locator("#arrival-burst").check(force=True)
    expect(seconds).to_be_disabled()
    expect(page.locator("#amount-jobs")).to_be_checked()


@pytest.mark.slow
def test_a_running_one_is_cancelled_from_its_page(visitor: Visitor, lab: Lab) -> None:
    found = started(lab, work="wait", duration={"law": "fixed", "seconds": 0.2}, jobs=600)
    page = visitor.open(f"/experiments/{found}")
    expect(page.locator('[data-live="step"]')).to_have_text(
        re.compile("Warming up|Turn 1 of 3"), timeout=60_000
    )
    expect(page.get_by_role("heading", name="Differences other than the method")).to_be_visible()
    page.get_by_role("button", name="Cancel the experiment").click()
    until_ended(page, "CANCELLED")
    expect(page.get_by_role("link", name="Run again")).to_be_visible()


@pytest.mark.slow
def test_nothing_jumps_while_it_runs(visitor: Visitor, lab: Lab) -> None:
    found = started(lab, work="wait", duration={"law": "fixed", "seconds": 0.05}, jobs=60)
    page = visitor.open(f"/experiments/{found}")
    expect(page.locator('[data-live="step"]')).to_contain_text("of 3", timeout=60_000)
    before = page.locator(".ex-asked").bounding_box()
    share = page.locator('[data-live="share"]')
    first = share.inner_text()
    expect(share).not_to_have_text(first)
    assert page.locator(".ex-asked").bounding_box() == before
    until_ended(page)


def test_two_are_chosen_and_compared(visitor: Visitor, lab: Lab, finished: str) -> None:
    other = started(lab, seed=2)
    until_ended(visitor.open(f"/experiments/{other}"))
    page = visitor.open("/experiments")
    for found in (finished, other):
        page.locator(f'input[value="{found}"]').check()
    page.get_by_role("button", name="Compare two").click()
    page.wait_for_url("**/experiments/compare?one=*")
    expect(page.get_by_role("heading", level=1)).to_have_text("Two experiments")
    expect(page.locator("tr", has=page.get_by_role("rowheader", name="Seed"))).to_contain_text("2")
    assert page.evaluate(FAULTS) == []


def test_the_winners_and_their_chart_stand_above_the_fold_with_what_to_do_next(
    visitor: Visitor, finished: str, shoot: Callable[..., None]
) -> None:
    page = settled(visitor.open(f"/experiments/{finished}", viewport={"width": 1280, "height": 900}))
    verdict = page.locator(".ex-verdict")
    winners, chart = verdict.locator(".ex-winners"), verdict.locator(".ex-drawing")
    for part in (winners, chart, verdict.get_by_role("button", name="At half the load")):
        box = part.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 900
    beside, table = chart.bounding_box(), winners.bounding_box()
    assert beside is not None
    assert table is not None
    assert beside["x"] >= table["x"] + table["width"]
    expect(winners.locator('tr[data-figure="throughput"]')).to_contain_text("of 3 turns")
    shoot(page, "experiment-verdict")


def test_run_again_brings_the_form_as_it_was(visitor: Visitor, finished: str) -> None:
    page = visitor.open(f"/experiments/{finished}")
    page.get_by_role("link", name="Run again").click()
    expect(page.locator("#jobs")).to_have_value("20")
    expect(page.locator("#work-noop")).to_be_checked()
    expect(page.locator("#title")).to_have_value("Twenty no-ops")


@pytest.mark.smoke
def test_it_can_be_started_by_keyboard(visitor: Visitor) -> None:
    page = visitor.open("/experiments")
    page.get_by_label("Sync").focus()
    page.keyboard.press("Space")
    expect(page.get_by_label("Sync")).not_to_be_checked()
    page.locator("#work-wait").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#work-cpu")).to_be_checked()
    page.locator("#jobs").fill("1")
    page.locator("#repetitions").fill("1")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/experiments/[0-9a-f-]{36}$"))


@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "locale"), [("light", "en-US"), ("dark", "ru-RU")])
def test_the_pages_are_readable_in_light_and_dark(
    visitor: Visitor, shoot: Callable[..., None], finished: str, scheme: str, locale: str
) -> None:
    for path, name in (("/experiments", "list"), (f"/experiments/{finished}", "one"), ("/guide", "guide")):
        page = settled(visitor.open(path, color_scheme=scheme, locale=locale))
        assert page.evaluate(CONTRASTS) == []
        assert page.evaluate(FAULTS) == []
        assert violations(page) == []
        shoot(page, f"experiments-{name}-{scheme}", whole=True)


@pytest.mark.slow
@pytest.mark.parametrize("locale", ["en-US", "ru-RU"])
def test_nothing_scrolls_sideways(
    visitor: Visitor, shoot: Callable[..., None], finished: str, locale: str
) -> None:
    compared = f"/experiments/compare?one={finished}&other={finished}"
    for path, name in (
        ("/experiments", "list"),
        (f"/experiments/{finished}", "one"),
        (compared, "two"),
        ("/guide", "guide"),
    ):
        page = visitor.open(path, locale=locale, viewport=PHONE)
        shoot(page, f"experiments-{name}-phone-{locale[:2]}", whole=True)
        assert_fits(page, 360, 768, 1030, 1280)
