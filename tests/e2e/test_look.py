"""What the pages look like, and that everybody can use them."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from harness.lab import Lab
from tests.e2e.visitor import Visitor

PHONE = {"width": 360, "height": 740}

# Contrast as WCAG 2.2 has it: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
CONTRASTS = """() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].map((n, i) => (i === 3 ? n / 255 : n));
  };
  const over = (top, under) => top.slice(0, 3).map((n, i) => n * top[3] + under[i] * (1 - top[3]));
  const ground = (element) => {
    if (!element) return rgba(getComputedStyle(document.documentElement).getPropertyValue("--paper") || "#fff");
    return over(rgba(getComputedStyle(element).backgroundColor), ground(element.parentElement));
  };
  const light = (color) => {
    const [r, g, b] = color.map((n) => n / 255).map((n) => (n <= 0.04045 ? n / 12.92 : ((n + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const poor = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !element.checkVisibility({visibilityProperty: true})) continue;
    if (element.closest(".visually-hidden, svg, template")) continue;
    const back = ground(element);
    const front = over(rgba(getComputedStyle(element).color), back);
    const [a, b] = [light(front), light(back)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const name = `${element.className || element.tagName}: ${element.textContent.trim().slice(0, 30)}`;
    if (ratio < 4.5) poor.push(`${name} ${ratio.toFixed(2)}`);
  }
  return poor;
}"""

FAULTS = """() => {
  const faults = [];
  for (const input of document.querySelectorAll("input:not([type=hidden]), select, textarea"))
    if (!input.labels.length && !input.ariaLabel) faults.push("no label: " + input.outerHTML);
  for (const one of document.querySelectorAll("a, button"))
    if (!one.textContent.trim() && !one.ariaLabel && !one.hidden) faults.push("no name: " + one.outerHTML);
  for (const image of document.images) if (!image.hasAttribute("alt")) faults.push("no alt: " + image.outerHTML);
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) faults.push("twice: " + id);
  for (const name of ["aria-labelledby", "aria-describedby", "for"])
    for (const element of document.querySelectorAll(`[${name}]`))
      for (const id of element.getAttribute(name).split(" "))
        if (!document.getElementById(id)) faults.push(`${name} leads nowhere: ${id}`);
  if (document.querySelectorAll("h1").length !== 1) faults.push("not one h1");
  for (const element of document.querySelectorAll("*"))
    for (const {name, value} of element.attributes)  // a screenshot leaves empty styles behind
      if ((name === "style" && value) || name.startsWith("on"))
        faults.push("inline: " + element.outerHTML.slice(0, 80));
  for (const script of document.scripts)
    if (!script.src && script.type !== "application/json") faults.push("inline script");
  if (document.querySelector("body style, head style")) faults.push("inline style sheet");
  const levels = [...document.querySelectorAll("h1, h2, h3")].map((heading) => Number(heading.tagName[1]));
  if (levels.some((level, i) => level - (levels[i - 1] ?? 0) > 1)) faults.push("a heading level is left out");
  return faults;
}"""


@pytest.fixture
def busy_lab(lab: Lab) -> Iterator[Lab]:
    """The lab with tasks of all three methods, waiting, running and done: each worker runs three. What has not ended
    is cancelled, so that the next test need not wait for it."""
    lab.wait_for([task["id"] for method in ("celery", "rabbitmq") for task in lab.submit(method, 0.4, 2)])
    long = lab.submit("rabbitmq", 60) + lab.submit("celery", 54, 2)
    lab.submit("sync", 0.9)
    rest = lab.submit("rabbitmq", 54, 2) + lab.submit("celery", 48)
    lab.wait_for([task["id"] for task in long + rest], "IN_PROGRESS", "DONE")
    held = [*long, *rest, *lab.submit("celery", 3), *lab.submit("rabbitmq", 2)]
    yield lab
    lab.cancel(*(task["id"] for task in held))
    lab.wait_for([task["id"] for task in held], "CANCELLED", "DONE")


@pytest.fixture
def used_lab(lab: Lab) -> Lab:
    """The lab with a few tasks in its table."""
    tasks = lab.submit("sync", 0) + lab.submit("celery", 0, 2) + lab.submit("rabbitmq", 0.1, 2)
    lab.wait_for([task["id"] for task in tasks])
    return lab


# What moves without end, as the sign of a task that runs, is not waited for, and what moves again and again not for
# long.
STILL = """() => new Promise((still) => {
  const begun = performance.now();
  const look = () => {
    const moving = document.getAnimations().some((one) => one.playState === "running"
      && one.effect.getComputedTiming().endTime !== Infinity);
    if (moving && performance.now() - begun < 700) requestAnimationFrame(look);
    else requestAnimationFrame(() => requestAnimationFrame(still));
  };
  look();
})"""


def settled(page: Page) -> Page:
    """`page`, once it hears of what happens, knows how the lab is, and nothing in it moves to its place any more."""
    if page.locator("#stream").count():
        expect(page.locator("#stream")).to_have_attribute("data-state", "up")
    expect(page.locator('[data-chip="broker"]')).to_have_attribute("data-state", "up")
    expect(page.locator('[data-chip="celery"]')).to_have_attribute("data-state", "up")
    page.evaluate(STILL)
    return page


def overflow(page: Page) -> list[int]:
    widths: list[int] = page.evaluate("[document.scrollingElement.scrollWidth, innerWidth]")
    return widths


def assert_fits(page: Page, *widths: int) -> None:
    """Fails where the page scrolls sideways in a window of one of these widths; leaves it in the last."""
    for width in widths:
        page.set_viewport_size({"width": width, "height": 900})
        wide, room = overflow(page)
        assert wide <= room == width


@pytest.mark.smoke
def test_the_page_in_light(visitor: Visitor, busy_lab: Lab, shoot: Callable[..., None]) -> None:
    page = settled(visitor.open(viewport={"width": 1280, "height": 960}))
    assert page.evaluate("document.documentElement.dataset.bsTheme") == "light"
    for status in ("PENDING", "IN_PROGRESS", "DONE"):
        expect(page.locator(f'#rows tr[data-status="{status}"]').first).to_be_visible()
    page.evaluate(STILL)
    shoot(page, "page-light")
    statuses = page.locator("#rows tr").evaluate_all("rows => rows.map((row) => row.dataset.status)")
    assert {"PENDING", "IN_PROGRESS", "DONE"} <= set(statuses)


@pytest.mark.smoke
def test_the_page_in_dark(visitor: Visitor, busy_lab: Lab, shoot: Callable[..., None]) -> None:
    page = settled(visitor.open(color_scheme="dark", viewport={"width": 1280, "height": 960}))
    assert page.evaluate("document.documentElement.dataset.bsTheme") == "dark"
    shoot(page, "page-dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(19, 20, 22)"


def test_a_theme_that_was_chosen_stays_and_is_there_before_the_first_paint(visitor: Visitor) -> None:
    page = visitor.open()
    page.get_by_role("button", name="Dark").click()
    assert page.evaluate("document.documentElement.dataset.bsTheme") == "dark"
    page.add_init_script(
        "new MutationObserver(() => document.body && (window.before ??= document.documentElement.dataset.bsTheme))"
        ".observe(document, {childList: true, subtree: true})"
    )
    page.reload()
    assert page.evaluate("window.before") == "dark"
    expect(page.get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")


@pytest.mark.smoke
def test_the_page_speaks_russian_to_a_russian_browser(
    visitor: Visitor, busy_lab: Lab, shoot: Callable[..., None]
) -> None:
    page = settled(visitor.open(locale="ru-RU", viewport={"width": 1280, "height": 960}))
    assert page.locator("html").get_attribute("lang") == "ru"
    assert page.locator("#title-celery").inner_text() == "✨ Celery (Рекомендуется)"
    assert page.locator("#title-rabbitmq").inner_text() == "📨 RabbitMQ (Напрямую)"
    assert page.locator("#title-sync").inner_text() == "📋 Синхронное получение"
    for title in ("Celery (Рекомендуется)", "RabbitMQ (Напрямую)", "Синхронное получение", "Статус задач"):
        expect(page.get_by_role("heading", name=title)).to_be_visible()
    for button in ("🚀 Отправить через Celery", "📤 Отправить через RabbitMQ"):
        expect(page.get_by_role("button", name=button)).to_be_visible()
    table = page.get_by_role("table", name="Статус задач")
    expect(table.get_by_role("columnheader", name="Метод")).to_be_visible()
    page.locator("#form-celery [name=timeout]").fill("0.25")
    page.locator("#form-celery [name=count]").fill("3")
    page.locator("#form-celery button.send").click()
    expect(page.locator("#form-celery [data-note]")).to_contain_text("Отправлены 3 задачи: №")
    expect(page.locator("#rows tr").first.locator(".c-job")).to_have_text("0,25\N{NO-BREAK SPACE}с")
    shoot(page, "page-ru")


def test_the_language_is_switched_and_stays(visitor: Visitor) -> None:
    page = visitor.open("/?status=DONE")
    page.get_by_role("link", name="Русский").click()
    expect(page.locator("#title-tasks")).to_have_text("Статус задач")
    assert page.url.endswith("/?status=DONE")
    page.goto(visitor.url)
    expect(page.locator("#title-tasks")).to_have_text("Статус задач")
    page.get_by_role("link", name="English").click()
    expect(page.locator("#title-tasks")).to_have_text("Task status")


@pytest.mark.smoke
@pytest.mark.parametrize("locale", ["en-US", "ru-RU"])
def test_on_a_phone_nothing_scrolls_sideways(
    visitor: Visitor, used_lab: Lab, shoot: Callable[..., None], locale: str
) -> None:
    page = settled(visitor.open(locale=locale, viewport=PHONE, is_mobile=True, has_touch=True))
    width, room = overflow(page)
    assert width <= room == 360
    language = locale[:2]
    shoot(page, f"page-phone-{language}" if language != "en" else "page-phone")
    page.locator("#title-tasks").scroll_into_view_if_needed()
    page.evaluate("document.getElementById('tasks').scrollIntoView({behavior: 'instant'})")
    shoot(page, f"table-phone-{language}" if language != "en" else "table-phone")
    page.locator("#rows a").first.click()
    page.wait_for_url("**/tasks/*")
    width, room = overflow(page)
    assert width <= room == 360
    shoot(page, f"task-phone-{language}" if language != "en" else "task-phone", whole=True)


def test_at_no_width_does_the_page_scroll_sideways(visitor: Visitor) -> None:
    assert_fits(visitor.open(locale="ru-RU"), 480, 768, 1024, 1600)


@pytest.mark.smoke
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_stands_out_from_its_ground(visitor: Visitor, used_lab: Lab, scheme: str) -> None:
    page = settled(visitor.open(color_scheme=scheme))
    assert page.evaluate(CONTRASTS) == []
    page.goto(f"{visitor.url}/tasks/{page.locator('#rows tr').first.get_attribute('data-task-id')}")
    assert page.evaluate(CONTRASTS) == []


@pytest.mark.smoke
@pytest.mark.parametrize("locale", ["en-US", "ru-RU"])
def test_pages_are_built_so_that_everybody_can_use_them(visitor: Visitor, used_lab: Lab, locale: str) -> None:
    visitor.expect.append("404")
    page = settled(visitor.open(locale=locale))
    assert page.locator("html").get_attribute("lang") == locale[:2]
    assert page.evaluate(FAULTS) == []
    page.goto(f"{visitor.url}/tasks/{page.locator('#rows tr').first.get_attribute('data-task-id')}")
    assert page.evaluate(FAULTS) == []
    page.goto(f"{visitor.url}/tasks/none")
    assert page.evaluate(FAULTS) == []


def test_who_wants_no_motion_gets_none(visitor: Visitor, lab: Lab) -> None:
    (task,) = lab.submit("celery", 60)
    lab.wait_for([task["id"]], "IN_PROGRESS")
    page = settled(visitor.open(reduced_motion="reduce"))
    icon = page.locator('.badge-status[data-status="IN_PROGRESS"] .icon').first
    assert icon.evaluate("icon => getComputedStyle(icon).animationName") == "none"
    lab.cancel(task["id"])


@pytest.mark.smoke
def test_pages_work_under_a_strict_content_security_policy(visitor: Visitor, lab: Lab) -> None:
    page = visitor.open()

    def strict(route) -> None:  # type: ignore[no-untyped-def]
        answer = route.fetch()
        policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'"
        route.fulfill(response=answer, headers={**answer.headers, "content-security-policy": policy})

    page.route(visitor.url + "/", strict)
    page.goto(visitor.url + "/")
    page.locator("#form-celery [name=timeout]").fill("0.1")
    page.locator("#form-celery button.send").click()
    expect(page.locator("#form-celery [data-note]")).to_contain_text("Sent: task #")
    expect(page.locator("#stream")).to_have_attribute("data-state", "up")


def test_a_task_that_does_not_exist_has_a_page_that_says_so(
    visitor: Visitor, shoot: Callable[..., None]
) -> None:
    visitor.expect.append("404")
    page = visitor.open("/tasks/00000000-0000-4000-8000-000000000000")
    expect(page.get_by_role("heading", level=1)).to_have_text("There is no such task")
    shoot(page, "not-found")
    page.get_by_role("link", name="To the lab").click()
    expect(page.locator("#form-celery")).to_be_visible()


def test_an_empty_lab_tells_what_to_do_next(lonely_visitor: Visitor, shoot: Callable[..., None]) -> None:
    page = lonely_visitor.open()
    expect(page.get_by_text("No tasks yet.")).to_be_visible()
    expect(page.locator(".task-table")).to_be_hidden()
    shoot(page, "empty")
    page.get_by_role("link", name="To the Celery form").click()
    page.locator("#form-sync [name=timeout]").fill("0")
    page.locator("#form-sync button.send").click()
    expect(page.locator("#rows tr")).to_have_count(1)
    expect(page.get_by_text("No tasks yet.")).to_be_hidden()


def test_tasks_wait_while_the_broker_is_away_and_the_page_says_so(
    lonely_visitor: Visitor, shoot: Callable[..., None]
) -> None:
    lonely_visitor.expect.append("503")
    page = lonely_visitor.open()
    expect(page.locator('[data-chip="broker"]')).to_have_attribute("data-state", "down")
    page.locator("#form-celery [name=count]").fill("3")
    page.locator("#form-celery button.send").click()
    expect(page.locator("#waiting")).to_have_text("3 tasks wait for it")
    page.get_by_role("button", name="Receive by hand").click()
    expect(page.locator("#form-receive [data-note]")).to_have_text(
        "The broker does not answer. Nothing was received."
    )
    expect(page.locator('[data-chip="celery"]')).to_have_attribute("data-state", "unknown")
    shoot(page, "broker-away")


def test_the_api_is_described_without_the_internet(visitor: Visitor, shoot: Callable[..., None]) -> None:
    page = visitor.open("/docs")
    expect(page.get_by_text("Submit tasks")).to_be_visible()
    shoot(page, "docs")
