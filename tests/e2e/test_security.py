"""What a browser makes of the lab's headers, cookies and login. A policy that is broken is logged to the
console, which a Visitor's closing complains of."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from harness.lab import Lab
from tests.e2e.conftest import NOWHERE
from tests.e2e.visitor import Visitor

USER, PASSWORD = "anna", "a good word"


@pytest.fixture(scope="module")
def closed_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab with a login and nothing behind it."""
    login = {"LAB_USER": USER, "LAB_PASSWORD": PASSWORD}
    base = tmp_path_factory.mktemp("closed")
    with Lab(base, NOWHERE, management_url="http://127.0.0.1:1/", env=login) as running:
        yield running


@pytest.fixture
def stranger(browser: Browser, closed_lab: Lab) -> Iterator[Visitor]:
    """Somebody with a browser at the lab with a login."""
    somebody = Visitor(browser, closed_lab.url)
    yield somebody
    somebody.close()


def log_in(page: Page, password: str = PASSWORD) -> None:
    page.get_by_label("User").fill(USER)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


@pytest.mark.parametrize("scripts", [True, False])
def test_the_policy_lets_every_page_work(visitor: Visitor, lab: Lab, scripts: bool) -> None:
    (task,) = lab.submit("sync")
    page = visitor.open("/", java_script_enabled=scripts)
    for path in (f"/tasks/{task['id']}", "/dead-letters", "/lang/ru", "/lang/en", "/docs", "/"):
        page.goto(visitor.url + path)
        page.wait_for_load_state("load")
    visitor.expect.append("404")
    page.goto(f"{visitor.url}/nothing")
    expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()


def test_what_a_page_may_not_do_the_browser_refuses(visitor: Visitor) -> None:
    visitor.expect.append("Content Security Policy")
    page = visitor.open("/")
    page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.broken = 1\">')"
    )
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {text: 'window.broken = 1'}))"
    )
    page.wait_for_timeout(300)
    assert page.evaluate("window.broken") is None
    assert any("Content Security Policy" in complaint for complaint in visitor.complaints)
    visitor.expect.append("404")


@pytest.mark.parametrize("scripts", [True, False])
def test_a_form_whose_cookie_is_gone_is_sent_at_the_second_press(visitor: Visitor, scripts: bool) -> None:
    visitor.expect.append("400")
    page = visitor.open("/", java_script_enabled=scripts)
    page.context.clear_cookies()
    if scripts:
        page.locator("#form-receive button").click()
        expect(page.locator("#form-receive [data-note]")).to_contain_text("Reload it and send again.")
        return
    page.locator("#form-sync input[name=timeout]").fill("0.01")
    page.locator("#form-sync button.send").click()
    expect(page.locator("#form-sync [data-note]")).to_contain_text("Reload it and send again.")
    expect(page.locator("#form-sync input[name=timeout]")).to_have_value("0.01")
    page.locator("#form-sync button.send").click()
    expect(page.locator("#form-sync [data-note]")).to_contain_text("Run in the request")


@pytest.mark.smoke
@pytest.mark.parametrize("scripts", [True, False])
def test_somebody_logs_in_works_and_logs_out(stranger: Visitor, scripts: bool) -> None:
    stranger.expect.append("401")
    page = stranger.open("/?method=sync", java_script_enabled=scripts)
    expect(page.locator("#health")).to_have_count(0)
    log_in(page, "a guess")
    expect(page.get_by_role("alert")).to_have_text("Wrong user or password.")
    log_in(page)
    expect(page).to_have_url(f"{stranger.url}/?method=sync")
    page.wait_for_load_state()
    page.locator("#form-sync input[name=timeout]").fill("0.01")
    page.locator("#form-sync button.send").click()
    expect(page.locator("#form-sync [data-note]")).to_contain_text("Run in the request")
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_url(f"{stranger.url}/login")
    page.goto(stranger.url)
    expect(page.locator("#form-login")).to_be_visible()


def test_a_page_that_was_logged_out_elsewhere_says_so(stranger: Visitor) -> None:
    stranger.expect += ["401"]
    page = stranger.open("/login")
    log_in(page)
    expect(page.locator("#form-celery")).to_be_visible()
    page.wait_for_load_state()  # before its scripts have run, a press would send the form
    page.context.clear_cookies()
    page.locator("#form-celery button.send").click()
    expect(page.locator("#form-celery [data-note]")).to_contain_text("Log in first")
