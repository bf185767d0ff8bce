"""Workflows in a browser: run from the page, followed in the picture, failing, cancelled, fetched."""

import re
from collections.abc import Callable
from itertools import cycle
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from api.workflows.schemas import PATTERNS
from harness.lab import Lab
from tests import flows
from tests.e2e.test_look import CONTRASTS, FAULTS, PHONE, assert_fits, settled
from tests.e2e.visitor import Visitor

ENDED_MS = 90_000
WITH_FILE = ("chain", "chord", "chain_group_chord", "conditional_map")

PLACES = """() => Object.fromEntries([...document.querySelectorAll(".flow-wide [data-node], .flow-wide [data-stack]")]
  .map((box) => [box.dataset.node ?? box.dataset.stack, box.querySelector(".flow-box")])
  .map(([key, box]) => [key, ["x", "y", "width", "height"].map((name) => box.getAttribute(name)).join()]))"""


def run(page: Page, pattern: str, method: str = "celery", **fields: str) -> None:
    """Fills in the form, presses the button and waits for the workflow's page."""
    page.locator(f"#pattern-{pattern}").check()
    page.locator(f"#by-{method}").check()
    for name, value in fields.items():
        field = page.locator(f"#{name}")
        (field.select_option if name == "fail" else field.fill)(value)
    page.locator("#form-workflow button.send").click()
    page.wait_for_url("**/workflows/*")


def until_ended(page: Page, status: str = "DONE") -> None:
    expect(page.locator("#workflow")).to_have_attribute("data-ended", "", timeout=ENDED_MS)
    expect(page.locator("#workflow")).to_have_attribute("data-status", status)


def statuses(page: Page, what: str) -> list[str]:
    found: list[str] = page.locator(what).evaluate_all("all => all.map((one) => one.dataset.status)")
    return found


def ended(lab: Lab, pattern: str, status: str = "DONE", **more: Any) -> str:
    """The id of a workflow that was run without a browser, and has ended."""
    return str(flows.wait_for(lab, flows.send(lab, pattern, "rabbitmq", **more)["id"], status)["id"])


@pytest.mark.slow
def test_an_end_that_comes_while_the_page_reads_itself_again_is_shown(visitor: Visitor, lab: Lab) -> None:
    page = visitor.open("/workflows")
    old: list[str] = []

    def answer_late(route: Route) -> None:
        workflow_id = route.request.url.rpartition("/")[2]
        answer = route.fetch()
        if (
            route.request.resource_type == "fetch"
            and 'data-status="IN_PROGRESS"' in answer.text()
            and not old
        ):
            old.append(workflow_id)
            flows.wait_for(lab, workflow_id, "DONE")
            page.wait_for_timeout(1000)  # the stream has told of it meanwhile
        route.fulfill(response=answer)

    page.route(re.compile("/workflows/[0-9a-f-]{36}$"), answer_late)
    for _ in range(10):
        run(page, "chain_group_chord", "celery", count="8")
        until_ended(page)
        if old:
            return
        page.goto(f"{visitor.url}/workflows")
    pytest.fail("no page was read while its workflow ran")


# tests/integration/test_workflows.py runs each pattern by each method.
@pytest.mark.parametrize(
    ("pattern", "method"), list(zip(PATTERNS, cycle(["celery", "rabbitmq"]), strict=False))
)
def test_each_pattern_runs_from_the_page_to_its_end(
    visitor: Visitor, shoot: Callable[..., None], pattern: str, method: str
) -> None:
    page = visitor.open("/workflows")
    run(page, pattern, method, count="3")
    until_ended(page)
    assert set(statuses(page, ".flow-step")) == {"DONE"}
    boxes = page.locator(".flow-wide a.flow-node")
    assert boxes.count() == page.locator(".flow-step").count() >= 3
    assert set(statuses(page, ".flow-wide a.flow-node")) == {"DONE"}
    assert page.locator(".flow-wide .flow-curve:not([data-done])").count() == 0
    expect(page.locator("#counted")).to_have_text(f"{boxes.count()} of {boxes.count()} done")
    expect(page.locator("#form-cancel button")).to_be_hidden()
    expect(page.locator(".badge-method").first).to_have_attribute("data-method", method)
    shoot(page, f"workflow-{pattern}-{method}", whole=True)
    if pattern not in WITH_FILE:
        expect(page.locator(".fetched li")).to_have_count(3)
        return
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the file").click()
    assert download.value.path().read_text().rstrip("\n") == page.locator("pre.content").inner_text().rstrip(
        "\n"
    )


@pytest.mark.smoke
def test_the_form_works_without_scripts(visitor: Visitor, lab: Lab) -> None:
    page = visitor.open("/workflows", java_script_enabled=False)
    run(page, "chord", "rabbitmq", count="2")
    flows.wait_for(lab, page.url.rpartition("/")[2])
    page.reload()
    expect(page.locator("#workflow")).to_have_attribute("data-status", "DONE")
    expect(page.locator(".flow-step")).to_have_count(3)


def test_what_is_wrong_in_the_form_is_said_and_run_then(visitor: Visitor) -> None:
    visitor.expect.append("422")
    page = visitor.open("/workflows")
    page.locator("#pattern-map").check()
    page.locator("#from-paths").check()
    page.locator("#paths").fill("ftp://nowhere")
    page.locator("#form-workflow button.send").click()
    expect(page.locator('[data-error="source"]')).to_contain_text("Paths, one on each line")
    expect(page.locator("#pattern-map")).to_be_checked()
    page.locator("#paths").fill("data:,one\ndata:,two")
    page.locator("#form-workflow button.send").click()
    page.wait_for_url("**/workflows/*")
    until_ended(page)
    expect(page.locator(".fetched li")).to_have_count(2)


def test_who_comes_back_and_presses_again_gets_another_one(visitor: Visitor) -> None:
    page = visitor.open("/workflows")
    run(page, "group", "rabbitmq", count="1")
    first = page.url
    page.go_back()
    run(page, "group", "rabbitmq", count="1")
    assert page.url != first


@pytest.mark.smoke
@pytest.mark.parametrize("method", ["celery", "rabbitmq"])
def test_a_step_that_fails_is_shown_with_those_that_never_ran(
    visitor: Visitor, shoot: Callable[..., None], method: str
) -> None:
    page = visitor.open("/workflows")
    run(page, "chain", method, fail="middle")
    until_ended(page, "FAILED")
    expect(page.locator(".trouble")).to_contain_text("It failed at count: StepFailed")
    expect(page.locator(".never")).to_have_text("Never run: merge.")
    assert statuses(page, ".flow-wide a.flow-node") == ["DONE", "DONE", "FAILED", "CANCELLED"]
    shoot(page, f"workflow-failed-{method}")
    page.locator(".trouble a").click()
    page.get_by_role("link", name="its step count").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Chain")


@pytest.mark.smoke
@pytest.mark.parametrize("method", ["celery", "rabbitmq"])
def test_a_workflow_is_cancelled_while_it_runs(
    visitor: Visitor, shoot: Callable[..., None], method: str
) -> None:
    page = visitor.open("/workflows")
    run(page, "chord", method, count="400")
    expect(page.locator(".flow-wide [data-stack]")).to_have_attribute(
        "data-status", "IN_PROGRESS", timeout=ENDED_MS
    )
    shoot(page, f"workflow-running-{method}")
    page.get_by_role("button", name="Cancel the workflow").click()
    until_ended(page, "CANCELLED")
    expect(page.locator("#form-cancel [data-note]")).to_contain_text("Cancelled: what waited will never run")
    expect(page.locator(".trouble")).to_contain_text("The workflow was cancelled.")
    expect(page.locator(".flow-wide [data-stack]")).to_have_attribute(
        "data-status", "CANCELLED", timeout=ENDED_MS
    )
    assert page.evaluate("document.activeElement.tagName") == "H1"
    shoot(page, f"workflow-cancelled-{method}")


@pytest.mark.parametrize("pattern", ["chain_group_chord", "conditional_map"])
def test_while_it_fills_in_no_box_moves(visitor: Visitor, lab: Lab, pattern: str) -> None:
    sent = flows.send(lab, pattern, "rabbitmq", count=6)
    page = visitor.open(f"/workflows/{sent['id']}")
    before = page.evaluate(PLACES)
    until_ended(page)
    after = page.evaluate(PLACES)
    kept = before.keys() & after.keys()
    assert len(kept) >= 2
    assert {key: before[key] for key in kept} == {key: after[key] for key in kept}


def test_a_stack_counts_while_its_tasks_run_and_leads_to_them(visitor: Visitor, lab: Lab) -> None:
    sent = flows.send(lab, "chord", "rabbitmq", count=120)
    page = visitor.open(f"/workflows/{sent['id']}")
    until_ended(page)
    stack = page.locator(".flow-wide [data-stack]")
    expect(stack.locator('[data-count="DONE"] text')).to_have_text("120 done")
    expect(stack.locator('[data-count="PENDING"] text')).to_have_text("0 waiting")
    bar = stack.locator(".flow-bar-done")
    assert float(bar.get_attribute("width") or 0) == float(bar.get_attribute("data-room") or -1)
    expect(page.locator(".step-counted")).to_have_text("120 of 120 done")
    stack.click()
    expect(page.locator("#steps-0 .flow-step").last).to_be_visible()
    fresh = page.locator(".flow-wide").inner_html()
    page.goto(f"{visitor.url}/workflows/{sent['id']}")
    assert page.locator(".flow-wide").inner_html() == fresh


def test_the_list_of_recent_workflows_is_live(visitor: Visitor, lab: Lab) -> None:
    page = settled(visitor.open("/workflows"))
    sent = flows.send(lab, "chain", "rabbitmq")
    row = page.locator(f'#workflow-list [data-workflow-id="{sent["id"]}"]')
    expect(row.locator(".badge-status")).to_have_attribute("data-status", "DONE", timeout=ENDED_MS)
    expect(row).to_contain_text("4 of 4 done")
    row.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Chain")


def test_it_can_all_be_done_by_keyboard(visitor: Visitor) -> None:
    page = visitor.open("/workflows")
    page.locator("#pattern-chain").focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#pattern-group")).to_be_checked()
    page.locator("#count").focus()
    page.keyboard.type("2")
    page.keyboard.press("Enter")
    page.wait_for_url("**/workflows/*")
    until_ended(page)
    page.locator(".flow-wide a.flow-node").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/tasks/*")


def test_a_box_in_the_picture_has_a_name_and_a_status_to_be_heard(visitor: Visitor, lab: Lab) -> None:
    page = visitor.open(f"/workflows/{ended(lab, 'chain')}")
    picture = page.locator(".flow-wide")
    expect(picture).to_have_accessible_name("Chain")
    expect(picture).to_have_accessible_description(
        "The steps from first to last, and what goes between them; 4 of 4 done. The list below says the same."
    )
    name = page.locator(".flow-wide a.flow-node").first
    expect(name).to_contain_text("list")
    expect(name).to_contain_text("DONE")


@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "locale"), [("light", "en-US"), ("dark", "ru-RU")])
def test_the_pages_are_readable_in_light_and_dark(
    visitor: Visitor, lab: Lab, shoot: Callable[..., None], scheme: str, locale: str
) -> None:
    failed = ended(lab, "chain_group_chord", "FAILED", fail_at="count-2")
    for path, name in (("/workflows", "list"), (f"/workflows/{failed}", "one")):
        page = settled(visitor.open(path, color_scheme=scheme, locale=locale))
        assert page.evaluate(CONTRASTS) == []
        assert page.evaluate(FAULTS) == []
        shoot(page, f"workflows-{name}-{scheme}", whole=True)


@pytest.mark.slow
@pytest.mark.parametrize("locale", ["en-US", "ru-RU"])
def test_nothing_scrolls_sideways(
    visitor: Visitor, lab: Lab, shoot: Callable[..., None], locale: str
) -> None:
    for path, name in (
        ("/workflows", "list"),
        (f"/workflows/{ended(lab, 'conditional_map', count=3)}", "few"),
        (f"/workflows/{ended(lab, 'chain_group_chord', count=14)}", "many"),
    ):
        page = settled(visitor.open(path, locale=locale, viewport=PHONE))
        shoot(page, f"workflows-{name}-phone-{locale[:2]}", whole=True)
        for width in (360, 768, 1030, 1280):
            assert_fits(page, width)
            assert page.locator(".flow:visible").count() == (0 if name == "list" else 1)


def test_on_a_phone_the_places_lie_in_a_menu(visitor: Visitor, shoot: Callable[..., None]) -> None:
    page = settled(visitor.open("/", viewport=PHONE))
    expect(page.get_by_role("link", name="Workflows")).to_be_hidden()
    page.get_by_role("button", name="Menu").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Workflows")).to_be_visible()
    expect(page.get_by_role("button", name="Dark")).to_be_visible()
    shoot(page, "menu-phone")
    assert page.evaluate(CONTRASTS) == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Workflows")).to_be_hidden()
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("link", name="Workflows").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Workflows")


def test_one_press_runs_a_workflow_by_both_methods_and_says_how_they_compare(visitor: Visitor) -> None:
    page = visitor.open("/workflows")
    page.locator("#pattern-group").check()
    page.locator("#count").fill(" 2 ")
    page.get_by_role("button", name="Run it by both").click()
    page.wait_for_url("**/workflows?both=*")
    compared = page.locator("#both .race-sentence")
    expect(compared).to_have_text(
        re.compile(r"^Both done: \w+ after [\d.]+\ss, \w+ after [\d.]+\ss \([\d.]+\ss more\)\.$"),
        timeout=ENDED_MS,
    )
    for label in ("Celery", "RabbitMQ"):
        expect(compared).to_contain_text(label)
    page.locator("#both").get_by_role("link", name="RabbitMQ").click()
    until_ended(page)
