"""The schedule's page and a report's, as a reader meets them."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from harness.lab import Lab
from tests.e2e.test_look import PHONE, assert_fits
from tests.e2e.visitor import Visitor

Shoot = Callable[..., None]


def test_without_beat_the_page_says_so_and_how_to_start_one(bare_visitor: Visitor, shoot: Shoot) -> None:
    page = bare_visitor.open()
    page.get_by_role("link", name="Schedule", exact=True).click()
    silent = page.locator("[data-beat=silent]")
    expect(silent).to_contain_text("Beat has never been heard from.")
    expect(silent.locator("pre")).to_contain_text("celery -A celery_app beat --loglevel=info")
    expect(page.locator("#daily-report")).to_contain_text("every day at 08:00")
    expect(page.locator("#weekly-cleanup")).to_contain_text("every week: Monday, 09:00")
    expect(page.locator("#daily-report dl")).to_contain_text("never")
    expect(page.get_by_text("No reports yet.")).to_be_visible()
    shoot(page, "schedule-silent", whole=True)


@pytest.mark.smoke
@pytest.mark.parametrize("scripts", [True, False])
def test_run_now_makes_a_task_and_its_report_can_be_read(
    visitor: Visitor, lab: Lab, shoot: Shoot, scripts: bool
) -> None:
    tasks = lab.submit("celery", 0.0, count=3) + lab.submit("rabbitmq", 0.0, count=3)
    lab.wait_for([task["id"] for task in tasks])
    page = visitor.open("/schedule", java_script_enabled=scripts)
    page.get_by_role("button", name="Run now: Daily report").click()
    entry = page.locator("#daily-report")
    expect(entry.get_by_role("status")).to_have_text(re.compile(r"Daily report: sent as task #\d+\."))
    link = entry.get_by_role("link", name=re.compile(r"Task #\d+")).first
    task_id = (link.get_attribute("href") or "").rpartition("/")[2]
    lab.wait_for([task_id])
    page.goto(f"{lab.url}/schedule")
    expect(entry.locator(".entry-facts")).to_contain_text("DONE")
    shoot(page, "schedule", whole=True)
    page.locator(".report-list a").first.click()
    expect(page.get_by_role("heading", name="Report")).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("RabbitMQ process_task")).first).to_be_visible()
    expect(page.get_by_text("not sent by mail: no mail server is set")).to_be_visible()
    shoot(page, "report", whole=True)


@pytest.mark.parametrize(("scheme", "language"), [("light", "en-US"), ("dark", "ru-RU")])
def test_both_pages_fit_any_screen_in_either_language(
    visitor: Visitor, lab: Lab, shoot: Shoot, scheme: str, language: str
) -> None:
    answer = lab.session.post(f"{lab.url}/api/schedule/daily-report/run", timeout=30)
    (told,) = lab.wait_for([answer.json()["task"]["id"]]).values()
    page = visitor.open("/schedule", viewport=PHONE, color_scheme=scheme, locale=language)
    title = {"en-US": "Schedule", "ru-RU": "Расписание"}[language]
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    page.locator("#daily-report summary").click()
    for width in (360, 768, 1280):
        assert_fits(page, width)
        shoot(page, f"schedule-{width}-{scheme}", whole=True)
    page.goto(f"{lab.url}/reports/{told['result']['report']}")
    for width in (360, 768, 1280):
        assert_fits(page, width)
        shoot(page, f"report-{width}-{scheme}", whole=True)


def test_a_failed_check_shows_its_reason(lonely_visitor: Visitor, lonely_lab: Lab, shoot: Shoot) -> None:
    page = lonely_visitor.open("/schedule")
    page.get_by_role("button", name="Run now: Health check").click()
    expect(page.locator("#check-health-every-minute .entry-facts")).to_contain_text("PENDING")
    expect(page.locator("[data-beat=silent]")).to_be_visible()


def test_the_address_of_a_form_leads_back_and_a_report_that_is_none_is_said_so(
    bare_visitor: Visitor,
) -> None:
    bare_visitor.expect.append("404")
    page = bare_visitor.open("/schedule/daily-report/run")
    expect(page).to_have_url(f"{bare_visitor.url}/schedule#daily-report")
    answer = page.goto(f"{bare_visitor.url}/reports/77")
    assert answer is not None
    assert answer.status == 404
