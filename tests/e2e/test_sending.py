"""Sending jobs from the page, in every way that people do."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Request, expect

from harness.lab import Lab
from tests.e2e.visitor import Visitor
from tests.typed_numbers import CASES, LISTS

OBSERVE = """() => {
  window.seen = {};
  window.errors = {};
  const note = (row) => {
    const list = (window.seen[row.dataset.taskId] ??= []);
    if (list.at(-1) !== row.dataset.status) list.push(row.dataset.status);
    const error = row.querySelector(".row-error");  // none where it is the status in the row that has changed
    if (error) (window.errors[row.dataset.taskId] ??= []).push(error.textContent);
  };
  new MutationObserver((records) => {
    for (const record of records) {
      if (record.type === "attributes") note(record.target);
      else record.addedNodes.forEach((node) => node.matches?.("tr") && note(node));
    }
  }).observe(document.getElementById("rows"), {subtree: true, childList: true, attributeFilter: ["data-status"]});
}"""


def newest(page: Page) -> Locator:
    return page.locator("#rows tr").first


def send(page: Page, method: str, seconds: str, count: str = "1") -> list[dict[str, Any]]:
    form = page.locator(f"#form-{method}")
    form.locator("[name=timeout]").fill(seconds)
    form.locator("[name=count]").fill(count)
    with page.expect_response("**/api/tasks") as answer:
        form.locator("button.send").click()
    tasks: list[dict[str, Any]] = answer.value.json()["tasks"]
    return tasks


@pytest.mark.smoke
@pytest.mark.parametrize(("method", "label"), [("celery", "Celery"), ("rabbitmq", "RabbitMQ")])
def test_a_job_from_its_form_goes_from_pending_to_done_in_the_open_page(
    visitor: Visitor, method: str, label: str
) -> None:
    page = visitor.open()
    page.evaluate(OBSERVE)
    seen: list[str] = []
    for _ in range(3):  # a worker may begin before the page has heard of the task
        (task,) = send(page, method, "1.2")
        expect(page.locator(f'[data-task-id="{task["id"]}"] .badge-status')).to_have_text("DONE")
        seen = page.evaluate("id => window.seen[id]", task["id"])
        assert seen[-2:] == ["IN_PROGRESS", "DONE"]
        if len(seen) == 3:
            break
    assert seen == ["PENDING", "IN_PROGRESS", "DONE"]
    row = page.locator(f'[data-task-id="{task["id"]}"]')
    expect(row.locator(".badge-method")).to_have_text(label)
    expect(row).to_have_attribute("data-method", method)
    expect(row.locator(".badge-status")).to_have_text("DONE")
    expect(row.locator("progress")).to_have_js_property("value", 1)
    expect(row.locator(".c-worker")).to_contain_text("@")
    expect(row.locator(".c-ran")).to_have_text(re.compile(r"^1\.[2-9]\ss$"))


@pytest.mark.smoke
def test_a_job_in_the_request_shows_that_it_runs_and_then_that_it_is_done(
    visitor: Visitor, shoot: Callable[..., None]
) -> None:
    page = visitor.open()
    page.evaluate(OBSERVE)
    form = page.locator("#form-sync")
    form.locator("[name=timeout]").fill("3")
    button = form.locator("button.send")
    button.click()
    expect(button).to_have_attribute("aria-busy", "true")
    expect(button).to_have_text(re.compile(r"Running in the request: [01]\.\d\ss"))
    row = page.locator('#rows tr[data-status="IN_PROGRESS"][data-method="sync"]').first
    expect(row).to_be_visible()
    task_id = row.get_attribute("data-task-id")
    shoot(page, "sync-running")
    expect(form.locator("[data-note]")).to_contain_text("Run in the request: task #")
    expect(page.locator(f'[data-task-id="{task_id}"] .badge-status')).to_have_text("DONE")
    expect(button).not_to_have_attribute("aria-busy", "true")
    expect(button).to_contain_text("Run in the request")
    assert page.evaluate("id => window.seen[id]", task_id)[-2:] == ["IN_PROGRESS", "DONE"]


def test_several_jobs_are_sent_at_once_and_are_shared_out(visitor: Visitor) -> None:
    page = visitor.open()
    tasks = send(page, "celery", "0.1", "7")
    assert len(tasks) == 7
    note = page.locator("#form-celery [data-note]")
    expect(note).to_have_text(f"Sent: 7 tasks, #{tasks[0]['num']} to #{tasks[-1]['num']}.")
    for task in tasks:
        expect(page.locator(f'[data-task-id="{task["id"]}"]')).to_have_attribute("data-status", "DONE")
    numbers = page.locator("#rows tr").evaluate_all("rows => rows.map((row) => Number(row.dataset.num))")
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) <= 25


def test_numbers_are_sent_to_process_data_and_its_result_is_on_the_page_of_the_task(
    visitor: Visitor, shoot: Callable[..., None]
) -> None:
    page = visitor.open()
    form = page.locator("#form-rabbitmq")
    form.locator("summary").click()
    form.get_by_label("process_data").check()
    expect(form.locator("[name=timeout]")).to_be_hidden()
    form.locator("[name=numbers]").fill("1, 2.5; 4")
    shoot(page, "form-process-data")
    with page.expect_response("**/api/tasks") as answer:
        form.locator("button.send").click()
    (task,) = answer.value.json()["tasks"]
    row = page.locator(f'[data-task-id="{task["id"]}"]')
    expect(row.locator(".c-job")).to_contain_text("process_data")
    expect(row).to_have_attribute("data-status", "DONE")
    row.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Task #{task['num']}")
    facts = page.locator('[aria-labelledby="title-result"] .facts')
    expect(facts).to_contain_text("sum")
    expect(facts).to_contain_text("7.5")
    history = page.locator(".timeline > li").evaluate_all("items => items.map((item) => item.dataset.status)")
    assert history == ["PENDING", "IN_PROGRESS", "DONE"]
    shoot(page, "task")


@pytest.mark.parametrize(
    ("field", "text", "message"),
    [
        ("timeout", "-1", "A number from 0 to 3,600."),
        ("timeout", "", "A number from 0 to 3,600."),
        ("timeout", "3600.5", "A number from 0 to 3,600."),
        ("count", "0", "A whole number from 1 to 10,000."),
        ("count", "2.5", "A whole number from 1 to 10,000."),
    ],
)
def test_bad_input_is_named_at_its_field_and_nothing_is_sent(
    visitor: Visitor, shoot: Callable[..., None], field: str, text: str, message: str
) -> None:
    visitor.expect.append("422")
    page = visitor.open()
    before = page.locator('[data-count="all"]').inner_text()
    form = page.locator("#form-celery")
    form.locator(f"[name={field}]").fill(text)
    form.locator("button.send").click()
    expect(form.locator(f'[data-error="{field}"]')).to_have_text(message)
    expect(form.locator(f"[name={field}]")).to_be_focused()
    expect(form.locator(f"[name={field}]")).to_have_value(text)
    shoot(page, "error-at-field")
    page.reload()
    assert page.locator('[data-count="all"]').inner_text() == before


@pytest.mark.parametrize("locale", ["en-US", "ru-RU"])
def test_numbers_are_read_as_they_are_typed_in_script_and_form_alike(visitor: Visitor, locale: str) -> None:
    page = visitor.open(locale=locale)
    comma = locale == "ru-RU"
    module = f"{visitor.url}/static/web/number.js"
    read = (
        "async ([url, name, texts]) => { const m = await import(url); return texts.map((t) => m[name](t)); }"
    )
    found = page.evaluate(read, [module, "typed", [text for text, *_ in CASES]])
    assert found == [text if meant[comma] is None else meant[comma] for text, *meant in CASES]
    found = page.evaluate(read, [module, "typedList", [text for text, *_ in LISTS]])
    assert found == [meant[comma] for _, *meant in LISTS]
    form = page.locator("#form-celery")
    for typed, seconds in (("0,05", 0.05), (" 5e-2 ", 0.05), ("\u0660.\u0660\u0665", 0.05)):
        form.locator("[name=timeout]").fill("")
        form.locator("[name=timeout]").press_sequentially(typed)
        with page.expect_response("**/api/tasks") as answer:
            form.locator("button.send").click()
        assert answer.value.json()["tasks"][0]["timeout"] == seconds


def test_what_may_mean_two_numbers_is_refused_with_both(visitor: Visitor) -> None:
    visitor.expect.append("422")
    page = visitor.open()
    form = page.locator("#form-celery")
    for typed, said in (
        ("1,234", "“1,234” may mean two things: write 1234 or 1.234."),
        ("0x10", "A number from 0 to 3,600."),
    ):
        form.locator("[name=timeout]").fill("")
        form.locator("[name=timeout]").press_sequentially(typed)
        form.locator("button.send").click()
        expect(form.locator('[data-error="timeout"]')).to_have_text(said)
        expect(form.locator("[name=timeout]")).to_have_value(typed)


def test_a_request_that_would_run_too_long_is_refused_before_it_starts(visitor: Visitor) -> None:
    visitor.expect.append("422")
    page = visitor.open()
    form = page.locator("#form-sync")
    form.locator("[name=timeout]").fill("50")
    form.locator("[name=count]").fill("2")
    form.locator("button.send").click()
    expect(form.locator('[data-error="timeout"]')).to_contain_text("60 seconds in all")


@pytest.mark.smoke
def test_pressing_twice_sends_once(visitor: Visitor) -> None:
    page = visitor.open()
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request) if request.method == "POST" else None)
    page.locator("#form-celery [name=timeout]").fill("0.05")
    page.locator("#form-celery button.send").dblclick()
    expect(page.locator("#form-celery [data-note]")).to_contain_text("Sent: task #")
    assert len(asked) == 1


def test_the_second_click_of_a_slow_double_click_sends_nothing(visitor: Visitor) -> None:
    page = visitor.open()
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request) if request.method == "POST" else None)
    page.locator("#form-celery [name=timeout]").fill("0.05")
    button = page.locator("#form-celery button.send")
    button.click()
    expect(page.locator("#form-celery [data-note]")).to_contain_text("Sent: task #")
    button.dispatch_event("click", {"detail": 2})
    with page.expect_request("**/api/tasks"):
        button.dispatch_event("click", {"detail": 1})
    assert len(asked) == 2


def test_a_request_that_got_no_answer_keeps_its_key_when_it_is_sent_again(visitor: Visitor) -> None:
    visitor.expect.append("ERR_FAILED")
    page = visitor.open()
    keys: list[str | None] = []
    page.on(
        "request", lambda r: keys.append(r.header_value("Idempotency-Key")) if r.method == "POST" else None
    )
    page.route("**/api/tasks", lambda route: route.abort(), times=1)
    form = page.locator("#form-rabbitmq")
    form.locator("[name=timeout]").fill("0.05")
    form.locator("button.send").click()
    expect(form.locator("[data-note]")).to_contain_text("The lab does not answer.")
    form.locator("button.send").click()
    expect(form.locator("[data-note]")).to_contain_text("Sent: task #")
    with page.expect_request("**/api/tasks"):
        form.locator("button.send").click()
    expect(form.locator("button.send")).not_to_have_attribute("aria-busy", "true")
    assert keys[0] == keys[1]
    assert keys[2] != keys[0]


def test_receiving_by_hand_says_that_the_queue_is_empty(visitor: Visitor, shoot: Callable[..., None]) -> None:
    page = visitor.open()
    page.get_by_role("button", name="Receive by hand").click()
    expect(page.locator("#form-receive [data-note]")).to_have_text(
        "The queue is empty: there is nothing to receive."
    )
    shoot(page, "receive-empty")


@pytest.mark.smoke
def test_the_keyboard_alone_sends_a_job_and_opens_its_page(
    visitor: Visitor, shoot: Callable[..., None]
) -> None:
    page = visitor.open()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    shoot(page, "keyboard-skip")
    page.keyboard.press("Enter")
    for name in ("#all-timeout", "#all-count", "#form-all button", "#celery-timeout"):
        page.keyboard.press("Tab")
        expect(page.locator(name)).to_be_focused()
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Control+A")
    page.keyboard.type("0.2")
    page.keyboard.press("Tab")
    expect(page.locator("#celery-count")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    button = page.locator("#form-celery button.send")
    expect(button).to_be_focused()
    page.keyboard.press("Space")
    expect(page.locator("#form-celery [data-note]")).to_contain_text("Sent: task #")
    expect(button).to_be_focused()
    number = newest(page).get_attribute("data-num")
    while page.evaluate("document.activeElement.closest('#rows') === null"):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Task #{number}")


@pytest.mark.smoke
def test_without_javascript_a_job_is_sent_and_seen_done_after_reloading(
    visitor: Visitor, lab: Lab, shoot: Callable[..., None]
) -> None:
    page = visitor.open(java_script_enabled=False)
    page.locator("#form-rabbitmq [name=timeout]").fill("0.1")
    page.locator("#form-rabbitmq button.send").click()
    expect(page.locator("#form-rabbitmq [data-note]")).to_contain_text("Sent: task #")
    expect(page.locator(".still").last).to_be_visible()
    shoot(page, "no-script")
    task_id = newest(page).get_attribute("data-task-id")
    assert task_id is not None
    lab.wait_for([task_id])
    page.reload()
    expect(page.locator(f'[data-task-id="{task_id}"] .badge-status')).to_have_text("DONE")
    expect(page.locator("#form-rabbitmq [data-note]")).to_have_text("")


def test_without_javascript_bad_input_is_named_and_kept(visitor: Visitor, shoot: Callable[..., None]) -> None:
    visitor.expect.append("422")
    page = visitor.open(java_script_enabled=False)
    form = page.locator("#form-celery")
    form.locator("summary").click()
    form.get_by_label("process_data").check()
    form.locator("[name=numbers]").fill("1 two 3")
    form.locator("[name=count]").fill("99999")
    form.locator("button.send").click()
    expect(form.locator('[data-error="numbers"]')).to_have_text(
        "1 to 10,000 numbers, separated by spaces or commas."
    )
    expect(form.locator('[data-error="count"]')).to_have_text("A whole number from 1 to 10,000.")
    expect(form.locator("[name=numbers]")).to_have_value("1 two 3")
    expect(form.locator("[name=count]")).to_have_value("99999")
    shoot(page, "no-script-error")


def test_going_back_and_sending_the_same_form_again_sends_nothing_twice(visitor: Visitor, lab: Lab) -> None:
    page = visitor.open(java_script_enabled=False)
    key = page.locator("#form-celery [name=key]").input_value()
    fields = {
        "csrf_token": page.locator("#form-celery [name=csrf_token]").input_value(),
        "method": "celery",
        "kind": "process_task",
        "timeout": "0.05",
        "count": "1",
        "numbers": "",
        "key": key,
    }
    before = sum(lab.session.get(f"{lab.url}/api/tasks?limit=1").json()["counts"].values())
    for _ in range(2):
        answer = page.request.post(f"{lab.url}/submit", form=fields)
        assert answer.ok
        assert "Sent: task #" in answer.text()
    after = sum(lab.session.get(f"{lab.url}/api/tasks?limit=1").json()["counts"].values())
    assert after == before + 1


def test_what_the_scripts_are_given_is_data_and_not_code(visitor: Visitor) -> None:
    page = visitor.open("/?q=%3C/script%3E%3Cscript%3Ealert(1)%3C/script%3E")
    config = json.loads(page.locator("#config").text_content() or "")
    assert config["filter"]["q"] == "</script><script>alert(1)</script>"
    expect(page.locator("#q")).to_have_value("</script><script>alert(1)</script>")
