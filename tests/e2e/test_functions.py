"""Functions and options in the forms: fields made from a signature, times and priorities."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from harness.lab import Lab
from tests.e2e.test_failing import send
from tests.e2e.test_look import FAULTS, PHONE, overflow
from tests.e2e.visitor import Visitor

Shoot = Callable[..., None]


@pytest.mark.smoke
@pytest.mark.parametrize("method", ["celery", "rabbitmq", "sync"])
def test_a_function_is_chosen_filled_in_and_run(
    visitor: Visitor, lab: Lab, method: str, shoot: Shoot
) -> None:
    page = visitor.open("/")
    form = page.locator(f"#form-{method}")
    form.locator("summary").click()
    field = form.locator('[name="word_count.text"]')
    expect(field).to_be_hidden()
    form.get_by_label("word_count").check()
    expect(field).to_be_visible()
    expect(form.locator("[name=timeout]")).to_be_hidden()
    field.fill("one two one")
    shoot(page, f"function-{method}", whole=True)
    with page.expect_response("**/api/tasks") as answer:
        form.locator("button.send").click()
    task = answer.value.json()["tasks"][0]["id"]
    lab.wait_for([task])
    assert lab.task(task)["result"] == {"one": 2, "two": 1}
    page.goto(f"{lab.url}/tasks/{task}")
    expect(page.locator("dl.facts").last).to_contain_text("one")


def test_a_wrong_field_of_a_function_is_named_beside_it(visitor: Visitor) -> None:
    page = visitor.open("/")
    form = page.locator("#form-celery")
    form.locator("summary").click()
    form.get_by_label("multiply").check()
    form.locator('[name="multiply.x"]').fill("3")
    visitor.expect.append("422")
    form.locator("button.send").click()
    expect(form.locator('[data-error="multiply.y"]')).not_to_be_empty()
    expect(form.locator('[name="multiply.y"]')).to_be_focused()


def test_options_are_sent_and_stand_on_the_tasks_page(visitor: Visitor, lab: Lab, shoot: Shoot) -> None:
    page = visitor.open("/")
    form = page.locator("#form-rabbitmq")
    form.locator("summary").click()
    form.locator("[name=countdown]").fill("1.5")
    form.locator("[name=expires]").fill("600")
    form.locator("[name=priority]").fill("9")
    form.locator("[name=timeout]").fill("0.1")
    task = send(page, form)
    page.goto(f"{lab.url}/tasks/{task}")
    facts = page.locator("section", has=page.get_by_role("heading", name="Job")).locator("dl")
    for text in ("Not before", "Not after", "Priority"):
        expect(facts).to_contain_text(text)
    lab.wait_for([task])
    shoot(page, "task-with-options", whole=True)


@pytest.mark.parametrize("width", [1280, PHONE["width"]])
def test_the_open_chooser_fits_in_russian_and_dark(visitor: Visitor, shoot: Shoot, width: int) -> None:
    viewport = {"width": width, "height": 900}
    page: Page = visitor.open(locale="ru-RU", viewport=viewport, color_scheme="dark")
    form = page.locator("#form-celery")
    form.locator("summary").click()
    form.get_by_label("word_count").check()
    taken, room = overflow(page)
    assert taken <= room
    assert page.evaluate(FAULTS) == []
    shoot(page, f"function-ru-{width}", whole=True)
