"""The control page in a browser: who works, what waits, and orders."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from harness.lab import Lab
from lab.broker import amqp
from tests.e2e.test_look import CONTRASTS, FAULTS, PHONE, assert_fits, overflow
from tests.e2e.visitor import Visitor

both = pytest.mark.parametrize("method", ["celery", "rabbitmq"])


def card(page: Page, method: str) -> Locator:
    return page.locator(f'.worker[data-method="{method}"]:not([data-silent])').first


@pytest.fixture
def busy_lab(lab: Lab) -> Iterator[Lab]:
    """The lab with a job that runs with each worker, and three that wait for each of the queues."""
    held = lab.submit("celery", 120, 5) + lab.submit("rabbitmq", 120, 4)
    ids = [task["id"] for task in held]
    lab.wait_for([ids[0], ids[5]], "IN_PROGRESS")
    yield lab
    lab.cancel(*ids)
    lab.wait_for(ids, "CANCELLED")


def seen_busy(page: Page) -> Page:
    """`page`, once it shows both workers at work."""
    for method in ("celery", "rabbitmq"):
        expect(card(page, method).locator(".running li").first).to_be_visible(timeout=30_000)
    return page


@pytest.mark.smoke
def test_workers_of_both_kinds_stand_side_by_side_and_lead_to_their_tasks(
    visitor: Visitor, busy_lab: Lab, shoot: Callable[..., None]
) -> None:
    page = seen_busy(visitor.open("/control", viewport={"width": 1280, "height": 1000}))
    for method, name in (("celery", "celery@"), ("rabbitmq", "consumer@")):
        expect(card(page, method).get_by_role("heading", level=3)).to_contain_text(name)
        expect(card(page, method).locator(".tag")).to_have_text("safe")
        expect(card(page, method)).to_contain_text("alive since")
        expect(card(page, method).locator(".pool .n")).to_have_text("3")
    shoot(page, "control-light", whole=True)
    card(page, "celery").get_by_text("Registered tasks").click()
    expect(card(page, "celery").locator(".kinds li").filter(has_text="process_task")).to_be_visible()
    shoot(page, "control-kinds")
    asked = busy_lab.session.get(f"{busy_lab.url}/api/tasks?method=celery&status=IN_PROGRESS", timeout=30)
    running = ", ".join(f".running a[href*='{task['id']}']" for task in asked.json()["tasks"])
    card(page, "celery").locator(running).first.click(timeout=20_000)
    expect(page.locator("#task")).to_have_attribute("data-status", "IN_PROGRESS")


def test_the_page_in_dark_and_in_russian(visitor: Visitor, busy_lab: Lab, shoot: Callable[..., None]) -> None:
    page = seen_busy(
        visitor.open(
            "/control", color_scheme="dark", locale="ru-RU", viewport={"width": 1280, "height": 1000}
        )
    )
    expect(page.get_by_role("heading", level=1)).to_have_text("Worker’ы и очереди")
    expect(card(page, "celery")).to_contain_text("работает с")
    assert page.evaluate(CONTRASTS) == []
    assert page.evaluate(FAULTS) == []
    shoot(page, "control-dark-ru", whole=True)


@pytest.mark.parametrize("locale", ["en-US", "ru-RU"])
def test_on_a_phone_nothing_scrolls_sideways(
    visitor: Visitor, busy_lab: Lab, shoot: Callable[..., None], locale: str
) -> None:
    page = seen_busy(visitor.open("/control", locale=locale, viewport=PHONE, is_mobile=True, has_touch=True))
    width, room = overflow(page)
    assert width <= room == 360
    shoot(page, f"control-phone-{locale[:2]}", whole=True)
    assert page.evaluate(CONTRASTS) == []


def test_at_no_width_does_the_page_scroll_sideways(visitor: Visitor, lab: Lab) -> None:
    assert_fits(visitor.open("/control", locale="ru-RU"), 480, 768, 1024, 1600)


@both
def test_a_pool_grows_and_shrinks_by_the_keyboard_and_the_page_shows_it(
    visitor: Visitor, lab: Lab, method: str
) -> None:
    page = visitor.open("/control")
    number = card(page, method).locator(".pool .n")
    expect(number).to_have_text("3", timeout=20_000)
    card(page, method).get_by_role("button", name="One job more at once").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#control [data-note]")).to_contain_text("runs 1 job more at once.")
    expect(number).to_have_text("4", timeout=20_000)
    assert page.evaluate("document.activeElement.textContent") == "+"
    card(page, method).get_by_role("button", name="One job fewer at once").click()
    expect(page.locator("#control [data-note]")).to_contain_text("runs 1 job fewer at once")
    expect(number).to_have_text("3", timeout=20_000)


def test_a_ping_names_who_answers(visitor: Visitor, lab: Lab) -> None:
    page = visitor.open("/control")
    page.get_by_role("button", name="Ping all").click()
    expect(page.locator("#control [data-note]")).to_have_text(
        re.compile(r"Answered: .*celery@.*: [\d.]+.(ms|s), .*consumer@.*: [\d.]+.(ms|s)\.")
    )


def test_a_rate_limit_is_set_and_shown_and_lifted(
    visitor: Visitor, lab: Lab, shoot: Callable[..., None]
) -> None:
    page = visitor.open("/control")
    page.get_by_label("Kind").select_option("process_data")
    page.get_by_label("Rate", exact=True).fill("30/m")
    page.get_by_role("button", name="Set the limit").click()
    expect(page.locator("#control [data-note]")).to_contain_text("process_data: at most 30/m, at each of 2")
    for method in ("celery", "rabbitmq"):
        expect(card(page, method).locator(".limits")).to_contain_text("process_data 30/m", timeout=20_000)
    shoot(page, "control-limits", whole=True)
    page.get_by_label("Rate", exact=True).fill("0")
    page.keyboard.press("Enter")
    expect(page.locator("#control [data-note]")).to_contain_text("process_data: no limit any more")
    expect(page.locator(".limits")).to_have_count(0, timeout=20_000)


def test_a_queue_is_purged_after_a_question_that_says_how_much_goes(
    visitor: Visitor, busy_lab: Lab, shoot: Callable[..., None]
) -> None:
    page = visitor.open("/control")
    page.get_by_role("link", name="Purge tasks", exact=True).click(timeout=20_000)
    expect(page.locator(".lead-in")).to_contain_text("message goes from the queue tasks.")
    expect(page.locator(".lead-in")).to_contain_text("The task of each ends CANCELLED")
    assert page.evaluate(FAULTS) == []
    shoot(page, "control-purge")
    page.get_by_role("button", name="Purge 1 message").click()
    expect(page.locator("#control [data-note]")).to_contain_text("1 message is gone from tasks.")
    expect(page.locator("#control [data-note]")).to_contain_text("1 task is CANCELLED.")


@pytest.mark.slow
def test_what_is_open_or_has_the_focus_stays_so_while_the_page_brings_itself_up_to_date(
    visitor: Visitor, lab: Lab
) -> None:
    page = visitor.open("/control")
    card(page, "rabbitmq").locator("summary").click(timeout=20_000)
    page.get_by_label("Rate", exact=True).fill("7/m")
    task = lab.submit("rabbitmq", 25)[0]["id"]
    expect(card(page, "rabbitmq").locator(".running li")).to_have_count(1, timeout=25_000)
    assert card(page, "rabbitmq").locator("details").get_attribute("open") is not None
    expect(page.get_by_label("Rate", exact=True)).to_have_value("7/m")
    expect(page.get_by_label("Rate", exact=True)).to_be_focused()
    assert float(page.locator("#age").get_attribute("data-seconds") or 99) < 20
    lab.cancel(task)


@pytest.mark.smoke
def test_without_scripts_the_page_says_how_old_it_is_and_takes_orders(visitor: Visitor, lab: Lab) -> None:
    page = visitor.open("/control", java_script_enabled=False)
    expect(page.locator(".seen")).to_contain_text(re.compile(r"Seen at \d\d:\d\d:\d\d UTC · age \d+ s"))
    page.get_by_role("button", name="Ping all").click()
    expect(page.locator("#control [data-note]")).to_contain_text("Answered: ")
    page.get_by_role("link", name="Reload").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Workers and queues")


def test_a_lab_without_a_broker_says_so_and_what_to_start(
    bare_visitor: Visitor, shoot: Callable[..., None]
) -> None:
    bare_visitor.expect.append("503")
    page = bare_visitor.open("/control")
    expect(page.locator(".trouble")).to_contain_text("The broker has not answered since", timeout=20_000)
    expect(page.get_by_text("python -m consumer --concurrency 3")).to_be_visible()
    page.get_by_role("button", name="Ping all").click()
    expect(page.locator("#control [data-note]")).to_have_text("The broker does not answer. Nothing was done.")
    assert page.evaluate(CONTRASTS) == []
    assert page.evaluate(FAULTS) == []
    shoot(page, "control-empty", whole=True)


def test_the_header_leads_here_from_every_page(visitor: Visitor) -> None:
    page = visitor.open()
    page.get_by_role("link", name="Workers and queues").click()
    expect(page).to_have_url(re.compile("/control$"))


def test_the_queues_of_the_lab_are_there_with_celerys_delays_as_one_line(visitor: Visitor, lab: Lab) -> None:
    page = visitor.open("/control")
    for name in (amqp.CELERY_QUEUE, "celery.naive", "celery.dead", amqp.RABBITMQ_QUEUE, "tasks.naive"):
        expect(page.locator(f'[data-queue-name="{name}"]')).to_be_visible(timeout=20_000)
    folded = page.locator('[data-queue-name="celery_delayed_*"]')
    expect(folded.locator(".count")).to_have_text("28")
    assert folded.locator("details").get_attribute("open") is None
    expect(page.locator(".source")).to_contain_text("From RabbitMQ's management API")
