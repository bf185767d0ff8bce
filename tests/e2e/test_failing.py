"""Jobs that fail, are cancelled and sent again, and messages that nobody can read: as the pages show it."""

import re
from collections.abc import Callable, Iterator

import pika
import pytest
from playwright.sync_api import Locator, Page, expect

from harness.lab import Lab
from lab.broker import amqp
from tests.e2e.test_look import CONTRASTS, FAULTS, PHONE, assert_fits, overflow
from tests.e2e.test_sending import OBSERVE
from tests.e2e.test_table import live
from tests.e2e.visitor import Visitor

both = pytest.mark.parametrize("method", ["celery", "rabbitmq"])


def choose(page: Page, method: str, kind: str, seconds: str = "0.3", delivery: str = "safe") -> Locator:
    """Chooses a job in the form of `method` and returns the form."""
    form = page.locator(f"#form-{method}")
    form.locator("summary").click()
    form.get_by_label(kind).check()
    form.get_by_label(re.compile(f"^{delivery}")).check()
    form.locator("[name=timeout]").fill(seconds)
    return form


def send(page: Page, form: Locator) -> str:
    """Sends the form and returns the id of its task."""
    with page.expect_response("**/api/tasks") as answer:
        form.locator("button.send").click()
    assert answer.value.status == 202, answer.value.text()
    task_id: str = answer.value.json()["tasks"][0]["id"]
    return task_id


def row_of(page: Page, task_id: str) -> Locator:
    return page.locator(f'#rows [data-task-id="{task_id}"]')


def history(page: Page) -> list[str]:
    found: list[str] = page.locator(".timeline > li").evaluate_all(
        "items => items.map((item) => item.dataset.status)"
    )
    return found


@pytest.fixture
def busy(lab: Lab) -> Iterator[Callable[[str], str]]:
    """Gives a method's worker all that it can hold, and one task that has to wait, whose id it returns."""
    held: list[str] = []

    def fill(method: str) -> str:
        tasks = [task["id"] for task in lab.submit(method, 60, 3)]
        held.extend(tasks)
        lab.wait_for(tasks, "IN_PROGRESS")
        waiting: str = lab.submit(method, 0.1)[0]["id"]
        return waiting

    yield fill
    lab.cancel(*held)
    lab.wait_for(held, "CANCELLED")


def publish(lab: Lab, body: bytes, queue: str = amqp.RABBITMQ_QUEUE) -> int:
    """Publishes a message that is no job and returns the id of the letter that becomes of it."""
    before = {letter["id"] for letter in lab.wait_for_letters(0)}
    connection = pika.BlockingConnection(amqp.parameters(lab.env["RMQ_URL"], "test"))
    connection.channel().basic_publish("", queue, body, pika.BasicProperties(content_type="application/json"))
    connection.close()
    letters = lab.wait_for_letters(len(before) + 1)
    letter_id: int = max(letter["id"] for letter in letters)
    return letter_id


@both
def test_a_job_that_fails_twice_is_seen_retrying_and_then_done(
    visitor: Visitor, shoot: Callable[..., None], method: str
) -> None:
    page = live(visitor.open())
    page.evaluate(OBSERVE)
    form = choose(page, method, "flaky_task")
    form.get_by_label("How often it fails").fill("2")
    shoot(page, f"form-flaky-{method}")
    task = send(page, form)
    row = row_of(page, task)
    expect(row).to_have_attribute("data-status", "RETRYING")
    shoot(page, f"retrying-{method}")
    expect(row).to_have_attribute("data-status", "DONE")
    expect(row.locator(".more")).to_have_text("attempt 3")
    expect(row.locator(".row-error")).to_be_hidden()
    seen = page.evaluate("id => window.seen[id]", task)
    assert "RETRYING" in seen
    assert seen[-1] == "DONE"
    # It stands there for as long as the job waits, which may be over before one looks.
    assert "TemporaryError: attempt 1 of 2 that fail" in page.evaluate("id => window.errors[id]", task)
    row.get_by_role("link").click()
    page.wait_for_load_state()
    expect(page.locator("#task")).to_have_attribute("data-status", "DONE")
    assert history(page) == [
        "PENDING", "IN_PROGRESS", "RETRYING", "IN_PROGRESS", "RETRYING", "IN_PROGRESS", "DONE",
    ]  # fmt: skip
    expect(page.locator(".timeline")).to_contain_text("attempt 3")


@both
def test_the_page_of_a_retrying_task_says_by_when_it_goes_on(
    visitor: Visitor, lab: Lab, method: str, shoot: Callable[..., None]
) -> None:
    task = lab.submit(method, 0, kind="flaky_task", times=3)[0]["id"]
    page = live(visitor.open(f"/tasks/{task}"))
    expect(page.locator(".told")).to_have_text(
        re.compile(r"Tried again by [\d:.]+ UTC, where a worker is free\.")
    )
    shoot(page, f"task-retrying-{method}", whole=True)
    page.get_by_role("button", name="Cancel task #").click()
    expect(page.locator("#task")).to_have_attribute("data-status", "CANCELLED")


@both
def test_a_job_that_hangs_is_ended_by_its_time_limit(visitor: Visitor, method: str) -> None:
    page = live(visitor.open())
    form = choose(page, method, "hanging_task", "30")
    form.get_by_label("Time limit, seconds").fill("1")
    task = send(page, form)
    row = row_of(page, task)
    expect(row).to_have_attribute("data-status", "FAILED")
    expect(row.locator(".row-error")).to_contain_text("TimeLimitExceeded")


@pytest.mark.smoke
@both
def test_a_waiting_task_is_cancelled_from_its_row_by_the_keyboard(
    visitor: Visitor, busy: Callable[[str], str], method: str
) -> None:
    waiting = busy(method)
    page = live(visitor.open())
    row = row_of(page, waiting)
    number = row.get_attribute("data-num")
    row.get_by_role("link").focus()
    page.keyboard.press("Tab")
    expect(row.get_by_role("button", name=f"Cancel task #{number}", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(row).to_have_attribute("data-status", "CANCELLED")
    expect(page.locator("#act [data-note]")).to_have_text(f"Cancelled: task #{number}.")
    again = row.get_by_role("button", name=f"Send again: task #{number}", exact=True)
    expect(again).to_be_focused()
    page.goto(f"{visitor.url}/tasks/{waiting}")
    expect(page.locator(".told")).to_contain_text("before it began: it was not run.")
    assert history(page) == ["PENDING", "CANCELLED"]


@both
def test_a_running_task_is_cancelled_from_its_page_and_the_page_tells_how_it_came_out(
    visitor: Visitor, lab: Lab, shoot: Callable[..., None], method: str
) -> None:
    (task,) = lab.submit(method, 60)
    lab.wait_for([task["id"]], "IN_PROGRESS")
    page = live(visitor.open(f"/tasks/{task['id']}"))
    page.get_by_role("button", name=f"Cancel task #{task['num']}").click()
    expect(page.locator("#task")).to_have_attribute("data-status", "CANCELLED")
    expect(page.locator("#act [data-note]")).to_contain_text(f"task #{task['num']}")
    expect(page.locator(".told")).to_have_text(
        re.compile(r"^Cancellation requested at [\d:.]+ UTC, stopped at [\d:.]+ UTC\.$")
    )
    assert history(page) == ["PENDING", "IN_PROGRESS", "CANCELLED"]
    shoot(page, f"cancel-{method}")


def test_a_running_job_that_does_not_listen_shows_that_its_cancellation_is_requested(
    visitor: Visitor, lab: Lab, shoot: Callable[..., None]
) -> None:
    task = lab.submit("rabbitmq", 30, kind="hanging_task")[0]
    lab.wait_for([task["id"]], "IN_PROGRESS")
    page = live(visitor.open())
    row = row_of(page, task["id"])
    row.get_by_role("button", name="Cancel task #").click()
    expect(row.locator(".more")).to_have_text("cancellation requested")
    expect(row.locator(".act")).to_be_hidden()
    expect(row.get_by_role("link")).to_be_focused()
    shoot(page, "cancel")
    expect(row).to_have_attribute("data-status", "CANCELLED")


@pytest.mark.smoke
def test_without_javascript_a_task_is_cancelled_and_sent_once_more(
    visitor: Visitor, busy: Callable[[str], str], lab: Lab
) -> None:
    waiting = busy("rabbitmq")
    page = visitor.open("/?method=rabbitmq", java_script_enabled=False)
    row = row_of(page, waiting)
    number = row.get_attribute("data-num")
    row.get_by_role("button", name=f"Cancel task #{number}").click()
    expect(page).to_have_url(f"{visitor.url}/?method=rabbitmq#tasks")
    expect(page.locator("#act [data-note]")).to_have_text(f"Cancelled: task #{number}.")
    expect(row).to_have_attribute("data-status", "CANCELLED")
    page.goto(f"{visitor.url}/tasks/{waiting}")
    page.get_by_role("button", name=f"Send again: task #{number}").click()
    expect(page.locator("#act [data-note]")).to_contain_text(f"Task #{number} was sent again as task #")
    page.get_by_role("button", name="Cancel task #").click()
    expect(page.locator("#task")).to_have_attribute("data-status", "CANCELLED")


@pytest.mark.smoke
@both
def test_what_failed_is_sent_once_more_as_a_new_task_that_names_the_old(
    visitor: Visitor, lab: Lab, shoot: Callable[..., None], method: str
) -> None:
    failed = lab.submit(method, 0, kind="failing_task", max_retries=0)[0]
    lab.wait_for([failed["id"]], "FAILED")
    page = live(visitor.open(f"/tasks/{failed['id']}"))
    expect(page.locator('[aria-labelledby="title-result"]')).to_contain_text("this job always fails")
    shoot(page, "task-failed")
    page.get_by_role("button", name=f"Send again: task #{failed['num']}").click()
    expect(page.get_by_role("heading", level=1)).not_to_have_text(f"Task #{failed['num']}")
    expect(page.locator("#task")).to_have_attribute("data-status", "FAILED")
    page.get_by_role("link", name=f"after task #{failed['num']}").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Task #{failed['num']}")


def test_from_its_row_what_failed_is_sent_once_more_and_the_new_row_comes_in(
    visitor: Visitor, lab: Lab
) -> None:
    failed = lab.submit("celery", 0, kind="failing_task", max_retries=0)[0]
    lab.wait_for([failed["id"]], "FAILED")
    page = live(visitor.open())
    row_of(page, failed["id"]).get_by_role("button", name="Send again").click()
    note = page.locator("#act [data-note]")
    expect(note).to_contain_text(f"Task #{failed['num']} was sent again as task #")
    new = re.search(r"as task #(\d+)", note.inner_text())
    assert new
    page.get_by_role("heading", level=1).click()
    expect(page.locator(f'#rows [data-num="{new[1]}"]')).to_have_attribute("data-status", "FAILED")


@pytest.mark.parametrize(
    ("method", "command"),
    [
        ("celery", "DELIVERY=naive celery -A celery_app worker --concurrency=3 -n naive@%h"),
        ("rabbitmq", "DELIVERY=naive python -m consumer --concurrency 3 -n naive@%h"),
    ],
)
def test_naive_without_a_worker_says_so_and_how_to_start_one(
    visitor: Visitor, shoot: Callable[..., None], method: str, command: str
) -> None:
    page = live(visitor.open())
    form = page.locator(f"#form-{method}")
    expect(form).to_have_attribute("data-naive", "none")
    expect(form.locator(".nobody")).to_be_hidden()
    choose(page, method, "process_task", "0", "naive")
    expect(form.locator(".nobody")).to_be_visible()
    expect(form.locator(".nobody code").last).to_have_text(command)
    expect(page.locator(f'[data-chip="naive-{method}"]')).to_be_hidden()
    shoot(page, f"naive-{method}")
    task = send(page, form)
    row = row_of(page, task)
    expect(row.locator(".tag")).to_have_text("naive")
    expect(row).to_have_attribute("data-status", "PENDING")
    page.get_by_role("heading", level=1).click()
    row.get_by_role("button", name="Cancel task #").click()
    expect(row).to_have_attribute("data-status", "CANCELLED")


def test_a_naive_worker_is_shown_while_it_is_there(
    visitor: Visitor, lab: Lab, shoot: Callable[..., None]
) -> None:
    page = live(visitor.open())
    worker = lab.process("naive", "-m", "consumer", "--concurrency", "1", "-n", "naive@%h")
    worker.env["DELIVERY"] = "naive"
    worker.start().wait_for_log("waiting for tasks", timeout=60)
    try:
        chip = page.locator('[data-chip="naive-rabbitmq"]')
        expect(chip).to_be_visible()
        expect(chip.locator(".chip-value")).to_have_text("1")
        task = send(page, choose(page, "rabbitmq", "process_task", "0", "naive"))
        expect(page.locator("#form-rabbitmq .nobody")).to_be_hidden()
        expect(row_of(page, task)).to_have_attribute("data-status", "DONE")
        shoot(page, "naive-worker")
    finally:
        worker.terminate()
    expect(chip).to_be_hidden()


@pytest.mark.smoke
@pytest.mark.parametrize("script", [True, False])
def test_a_message_that_is_no_job_is_looked_at_and_discarded(
    visitor: Visitor, lab: Lab, shoot: Callable[..., None], script: bool
) -> None:
    publish(lab, b"\x80\x04\x95pickle", amqp.CELERY_QUEUE)
    letter = publish(lab, b'{"no": "job <b>at all</b>"}')
    page = visitor.open(java_script_enabled=script)
    link = page.get_by_role("link", name="Dead letters")
    expect(link).to_contain_text(re.compile(r"Dead letters\s+[1-9]\d*"))
    link.click()
    row = page.locator(f'[data-letter-id="{letter}"]')
    for part in ("RabbitMQ", "could not be read", "27 bytes"):
        expect(row).to_contain_text(part)
    shoot(page, "dead-letters")
    row.get_by_role("link", name=f"Look inside: letter {letter}").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Dead letter {letter}")
    expect(page.locator("[aria-labelledby=title-body]")).to_contain_text('"no": "job <b>at all</b>"')
    shoot(page, "dead-letter", whole=True)
    page.get_by_role("link", name="← Dead letters").click()
    row.locator("summary").nth(1).click()
    expect(row.get_by_text("It is gone for good then.")).to_be_visible()
    shoot(page, "dead-letter-discard")
    row.get_by_role("button", name=f"Discard: letter {letter}").click()
    expect(page.locator("#letters [data-note]")).to_have_text(f"Letter {letter} is discarded.")
    expect(row).to_have_count(0)


def test_a_letter_that_is_sent_again_comes_back_where_it_still_cannot_be_read(
    visitor: Visitor, lab: Lab
) -> None:
    letter = publish(lab, b"still no job")
    page = visitor.open(f"/dead-letters/{letter}")
    page.locator(".ask summary").first.click()
    page.get_by_role("button", name=f"Send again: letter {letter}").click()
    expect(page.locator("#letters [data-note]")).to_have_text(
        f"Letter {letter} went back to the queue tasks."
    )
    expect(page.locator(f'[data-letter-id="{letter}"]')).to_have_count(0)
    while lab.wait_for_letters(1)[0]["body"] != "still no job":
        page.wait_for_timeout(100)
    page.reload()
    expect(page.locator("[data-letter-id]").first).to_contain_text("12 bytes")


def test_a_new_letter_is_counted_in_the_open_page(visitor: Visitor, lab: Lab) -> None:
    page = live(visitor.open())
    letter = publish(lab, b"one more")
    count = len(lab.wait_for_letters(1))
    expect(page.locator("#letters-count")).to_have_text(str(count))
    lab.session.post(f"{lab.url}/api/dead-letters/{letter}/discard", timeout=10)


@pytest.mark.slow
@pytest.mark.parametrize("locale", ["en-US", "ru-RU"])
def test_everybody_can_use_the_pages_of_letters_and_choosers(
    visitor: Visitor, lab: Lab, shoot: Callable[..., None], locale: str
) -> None:
    letter = publish(lab, b"\xff\x00" * 40)
    failed = lab.submit("celery", 0, kind="failing_task", max_retries=0)[0]["id"]
    lab.wait_for([failed], "FAILED")
    for scheme in ("light", "dark"):
        page = visitor.open("/dead-letters", locale=locale, color_scheme=scheme)
        page.locator(".ask summary").first.click()
        for path in ("", f"/dead-letters/{letter}", f"/tasks/{failed}", "/"):
            if path:
                page.goto(visitor.url + path)
            if path == "/":
                page.locator("#form-celery summary").click()
                page.locator("#celery-hanging_task").check()
                page.locator("#celery-naive").check()
            assert page.evaluate(FAULTS) == []
            assert page.evaluate(CONTRASTS) == []
        shoot(page, f"chooser-{scheme}-{locale[:2]}")
    page = visitor.open("/dead-letters", locale=locale, viewport=PHONE, is_mobile=True, has_touch=True)
    shoot(page, f"dead-letters-phone-{locale[:2]}")
    page.locator(".ask summary").first.click()
    for path in ("", f"/dead-letters/{letter}", f"/tasks/{failed}"):
        if path:
            page.goto(visitor.url + path)
        wide, room = overflow(page)
        assert wide <= room == 360


@pytest.mark.slow
def test_at_no_width_do_the_pages_of_letters_scroll_sideways(visitor: Visitor, lab: Lab) -> None:
    letter = publish(lab, b"\xff" * 64)
    page = visitor.open("/dead-letters", locale="ru-RU")
    for path in ("/dead-letters", f"/dead-letters/{letter}"):
        page.goto(visitor.url + path)
        page.locator(".ask summary").first.click()
        assert_fits(page, 480, 768, 1100, 1600)


def test_a_lab_without_letters_says_how_to_get_one(bare_visitor: Visitor, shoot: Callable[..., None]) -> None:
    page = bare_visitor.open("/dead-letters")
    expect(page.get_by_text("No dead letters.")).to_be_visible()
    shoot(page, "dead-letters-empty")
