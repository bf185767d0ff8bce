"""The fault lab in a browser: predicted, watched, read."""

import re
from collections.abc import Callable

from playwright.sync_api import expect

from tests.e2e.test_look import CONTRASTS, FAULTS, PHONE, overflow
from tests.e2e.visitor import Visitor

ENDED_MS = 150_000


def test_a_card_is_played_from_the_prediction_to_what_came_of_it(
    lonely_visitor: Visitor, shoot: Callable[..., None]
) -> None:
    page = lonely_visitor.open("/faults")
    assert page.evaluate(CONTRASTS) == []
    assert page.evaluate(FAULTS) == []
    page.get_by_role("link", name="Worker killed (out of memory)").click()
    for contender in ("Celery, safe", "RabbitMQ, by the tutorial"):
        page.get_by_label(contender, exact=True).uncheck()
    page.get_by_label("Celery, as it comes: will be missing").fill("2")
    page.get_by_label("RabbitMQ, safe: will be missing").fill("0")
    page.get_by_label("Jobs, for each contender").fill("40")
    shoot(page, "faults-card", whole=True)
    page.get_by_role("button", name="Start the run").click()

    fault = page.locator("#fault")
    step = page.locator("[data-live=step]")
    expect(step).to_have_text(re.compile("The fault is in effect|Recovery"), timeout=ENDED_MS)
    expect(page.locator(".ex-wide [data-arm='rabbitmq:safe'] a").first).to_be_visible()
    shoot(page, "faults-running", whole=True)
    expect(fault).to_have_attribute("data-ended", "", timeout=ENDED_MS)
    expect(fault).to_have_attribute("data-status", "DONE")
    expect(page.locator("#announcer")).to_have_text("The run has ended.")

    figures = page.locator("section:has(#title-figures) tr[data-arm='rabbitmq:safe'] td")
    expect(figures.nth(0)).to_have_text("40")
    expect(figures.nth(3)).to_have_text("0")
    predicted = page.locator("section:has(#title-predicted) tr[data-arm='rabbitmq:safe']")
    expect(predicted).to_contain_text("as predicted")
    assert page.evaluate(CONTRASTS) == []
    assert page.evaluate(FAULTS) == []
    shoot(page, "faults-ended", whole=True)

    mark = page.locator(".ex-wide [data-arm='celery:naive'] a").last
    (number,) = re.findall(r"job=(\d+)", mark.get_attribute("href") or "")
    mark.click()
    expect(page.locator("#job .fault-job")).to_contain_text(f"job {number}")
    page.wait_for_load_state()  # at its end the page goes to #job, under a click that was made before
    job = page.url.removeprefix(lonely_visitor.url)
    page.get_by_role("link", name="Fault lab").first.click()
    page.get_by_role("link", name="All faults by all contenders: the matrix").click()
    expect(page.locator("tr[data-card='worker-killed'] td a")).to_have_count(2)

    matrix = page.url.removeprefix(lonely_visitor.url)
    small = lonely_visitor.open(matrix, locale="ru-RU", viewport=PHONE, is_mobile=True, has_touch=True)
    for path in (matrix, job, "/faults", "/faults/cards/deploy"):
        small.goto(lonely_visitor.url + path)
        wide, room = overflow(small)
        assert wide <= room, path
    shoot(small, "faults-card-phone", whole=True)
