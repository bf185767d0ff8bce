"""The front page compares: one press, a race, a sentence, and the strip."""

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from harness.lab import Lab
from tests.e2e.visitor import Visitor
from transports.methods import METHODS

LABELS = ("Celery", "RabbitMQ", "Sync")


def counts(page: Page) -> list[str]:
    return page.locator('#compare [data-figure="count"]').all_inner_texts()


@pytest.mark.smoke
def test_one_press_leads_to_a_sentence_that_compares_all_three_without_scrolling(
    visitor: Visitor, shoot: Callable[..., None]
) -> None:
    began = time.monotonic()
    page = visitor.open()
    page.locator("#form-all button.send").click()
    sentence = page.locator(".race-sentence")
    expect(page.locator("#race")).to_be_visible()
    expect(sentence).to_have_text(
        re.compile(r"^All 3 done: (\w+) after [\d.]+\ss, (\w+) after .* more\), (\w+) after .* more\)\.$"),
        timeout=60_000,
    )
    assert time.monotonic() - began < 60
    expect(sentence).to_be_in_viewport(ratio=1)
    assert page.evaluate("scrollY") == 0
    shoot(page, "race")
    text = sentence.inner_text()
    assert all(label in text for label in LABELS)
    took = [float(found) for found in re.findall(r"after ([\d.]+)", text)]
    assert took == sorted(took)
    assert took[0] >= 1
    for method in METHODS:
        lane = page.locator(f'.race-lane[data-method="{method}"]')
        expect(lane.locator("progress")).to_have_js_property("value", 1)
        expect(lane).to_contain_text("3 of 3")


def test_the_strip_follows_what_is_sent_obeys_the_filter_and_begins_anew_at_a_press(
    visitor: Visitor, lab: Lab, shoot: Callable[..., None]
) -> None:
    lab.wait_for([task["id"] for method in ("celery", "rabbitmq") for task in lab.submit(method, 0.01, 2)])
    page = visitor.open("/?method=celery")
    strip = page.locator("#compare")
    own = strip.locator('[data-method="celery"]')
    expect(own.locator('[data-figure="waited-p50"]')).to_have_text(re.compile(r"^\d"))
    assert counts(page)[1:] == ["0", "0"]
    height = strip.bounding_box()
    strip.get_by_role("button", name="From now on").press("Enter")
    expect(strip).to_contain_text("No task since")
    assert counts(page) == ["0", "0", "0"]
    lab.submit("celery", 0.2, 3)
    expect(own.locator('[data-figure="count"]')).to_have_text("3")
    for figure in ("waited-p50", "ran-p50", "overhead-p50", "total-p99"):
        expect(own.locator(f'[data-figure="{figure}"]')).to_have_text(re.compile(r"^\d+\sms$"))
    assert strip.bounding_box() == height  # nothing has moved
    shoot(page, "strip-since")
    page.reload()
    expect(own.locator('[data-figure="count"]')).to_have_text("3")
    strip.get_by_role("button", name="All in view").click()
    expect(own.locator('[data-figure="count"]')).not_to_have_text("3")
    expect(strip.get_by_role("button", name="From now on")).to_be_focused()


def test_what_is_wrong_with_the_form_is_named_at_its_field(visitor: Visitor) -> None:
    visitor.expect.append("422")
    page = visitor.open()
    form = page.locator("#form-all")
    form.locator("[name=timeout]").fill("50")
    form.locator("button.send").click()
    expect(form.locator('[data-error="timeout"]')).to_contain_text("60 seconds in all")
    expect(form.locator("[name=timeout]")).to_be_focused()
    expect(page.locator("#race")).to_be_hidden()
