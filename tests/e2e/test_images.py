"""Images in a browser: chosen or dropped, sent as a group, followed, stopped, fetched."""

import base64
import io
import re
import zipfile
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Page, expect

from harness.lab import Lab
from tests.e2e.test_look import CONTRASTS, FAULTS, PHONE, overflow, settled
from tests.e2e.visitor import Visitor
from tests.pictures import encode, photo

ENDED_MS = 90_000

DROP = """(zone, files) => {
  const carried = new DataTransfer();
  for (const {name, type, data} of files)
    carried.items.add(new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], name, {type}));
  for (const event of ["dragenter", "dragover", "drop"])
    zone.dispatchEvent(new DragEvent(event, {dataTransfer: carried, bubbles: true, cancelable: true}));
}"""

# Awaited as a promise: `wait_for_function` evaluates its text in the page again and again, which the page's policy
# refuses whenever the first look was not enough.
LOADED = """() => Promise.all([...document.images].map((image) => image.complete
  || new Promise((loaded) => image.addEventListener("load", loaded, {once: true}))))"""


@cache
def picture(width: int, height: int, image_format: str = "JPEG") -> bytes:
    """A file with a picture of this size in it."""
    return encode(photo(width, height), image_format)


def payload(name: str, data: bytes) -> FilePayload:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": data}


def three() -> list[FilePayload]:
    """Three pictures of three formats."""
    return [
        payload("sea.jpg", picture(1200, 800)),
        payload("hills.png", picture(300, 400, "PNG")),
        payload("wood.webp", picture(640, 480, "WEBP")),
    ]


def choose(page: Page, files: list[FilePayload]) -> None:
    page.locator("#files").set_input_files(files)


def send(page: Page) -> None:
    """Presses the button and waits for the group's page."""
    page.locator("#form-images button.send").click()
    page.wait_for_url("**/images/*")
    expect(page.locator("#stream")).to_have_attribute("data-state", "up")


def until_ended(page: Page) -> None:
    expect(page.locator("#group")).to_have_attribute("data-ended", "", timeout=ENDED_MS)


def group(lab: Lab, count: int = 3, method: str = "celery", **operation: Any) -> str:
    """Uploads `count` pictures, sends them as a group without a browser, and returns its id."""
    files = [("files", (f"photo-{n}.jpg", picture(900, 600))) for n in range(count)]
    images = lab.session.post(f"{lab.url}/api/images", files=files, timeout=60).json()["images"]
    body = {
        "method": method,
        "images": [image["id"] for image in images],
        "operation": operation or {"name": "thumbnail"},
    }
    answer = lab.session.post(f"{lab.url}/api/groups", json=body, timeout=60)
    answer.raise_for_status()
    found: str = answer.json()["group"]["id"]
    return found


def waiting_group(lab: Lab, count: int) -> str:
    """A group whose tasks take their time; returns its id."""
    body = {"images": [f"image-{n}.jpg" for n in range(count)]}
    found: str = lab.session.post(f"{lab.url}/process_images", json=body, timeout=60).json()["group_id"]
    return found


def done_group(lab: Lab, method: str = "celery", **operation: Any) -> str:
    group_id = group(lab, 5, method, **operation)
    tasks = lab.session.get(f"{lab.url}/api/groups/{group_id}", timeout=30).json()["group"]["tasks"]
    lab.wait_for([task["id"] for task in tasks])
    return group_id


def boxes(page: Page) -> list[list[float]]:
    found: list[list[float]] = page.locator(".tile, .group-bar, .gallery").evaluate_all(
        "all => all.map((one) => one.getBoundingClientRect()).map(({x, y, width, height}) => [x, y, width, height])"
    )
    return found


def unpacked(page: Page) -> dict[str, Image.Image]:
    """The images of the archive that the page offers, by name."""
    with page.expect_download() as download:
        page.locator("#archive").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        return {name: Image.open(io.BytesIO(archive.read(name))) for name in archive.namelist()}


@pytest.mark.smoke
@pytest.mark.parametrize("method", ["celery", "rabbitmq"])
def test_three_images_are_dropped_followed_and_fetched_as_one_archive(
    visitor: Visitor, lab: Lab, shoot: Callable[..., None], method: str
) -> None:
    page = visitor.open("/images")
    dropped = [
        {"name": one["name"], "type": "image/jpeg", "data": base64.b64encode(one["buffer"]).decode()}
        for one in three()
    ]
    page.locator("#drop").evaluate(DROP, dropped)
    expect(page.locator("#file-list .file")).to_have_count(3)
    expect(page.locator("#file-list canvas")).to_have_count(3)
    expect(page.locator("#files-count")).to_contain_text("3 files")
    page.locator("#images-size").fill("120")
    page.locator(f"#by-{method}").check()
    shoot(page, f"images-chosen-{method}")
    send(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Thumbnail, 120 px")
    expect(page.locator(f'.tile[data-method="{method}"]')).to_have_count(3)
    until_ended(page)
    expect(page.locator('.tile[data-status="DONE"]')).to_have_count(3)
    expect(page.locator("#counted")).to_have_text("3 of 3 done")
    expect(page.locator("#share")).to_have_text("100%")
    expect(page.locator("#form-cancel")).to_be_hidden()
    for image in page.locator(".tile-result img").all():
        expect(image).to_have_js_property("complete", True)
        assert image.evaluate("image => image.naturalWidth") > 0
    shoot(page, f"images-group-{method}")
    images = unpacked(page)
    assert {name: (image.format, image.size) for name, image in images.items()} == {
        "001-sea.jpg": ("JPEG", (120, 80)),
        "002-hills.png": ("PNG", (90, 120)),
        "003-wood.webp": ("WEBP", (120, 90)),
    }


def test_the_end_of_a_group_is_said_once(visitor: Visitor, lab: Lab) -> None:
    page = settled(visitor.open(f"/images/{waiting_group(lab, 4)}"))
    page.evaluate("""() => {
      window.said = [];
      const place = document.getElementById("announcer");
      new MutationObserver(() => window.said.push(place.textContent)).observe(place, {childList: true});
    }""")
    page.get_by_role("button", name="Cancel the group").click()
    until_ended(page)
    page.wait_for_timeout(500)
    said = page.evaluate("said.filter((text) => text.startsWith('The group has ended'))")
    assert said == ["The group has ended: 0 of 4 done · 4 cancelled."]


def test_a_bad_file_among_good_ones_is_named_and_does_them_no_harm(
    visitor: Visitor, lab: Lab, shoot: Callable[..., None]
) -> None:
    visitor.expect.append("422")
    page = visitor.open("/images")
    choose(page, [*three(), payload("notes.png", b"only text"), payload("nothing.gif", b"")])
    send(page)
    expect(page.locator(".tile")).to_have_count(3)
    refused = page.locator("#refused li")
    expect(refused).to_have_count(2)
    expect(refused.first).to_have_text(
        "Not taken: notes.png. This is not an image. Choose a PNG, JPEG, WebP or GIF file."
    )
    expect(refused.last).to_contain_text("nothing.gif. The file is empty.")
    until_ended(page)
    shoot(page, "images-refused")
    page.reload()
    expect(page.locator("#refused")).to_be_hidden()


def test_where_no_file_is_good_the_page_says_why_and_stays(
    visitor: Visitor, lab: Lab, shoot: Callable[..., None]
) -> None:
    visitor.expect.append("422")
    page = visitor.open("/images")
    choose(
        page, [payload("cut.jpg", picture(900, 600)[:4000]), payload("drawing.svg", b"<svg onload='x()'/>")]
    )
    button = page.locator("#form-images button.send")
    button.click()
    expect(page.locator("#images-files-error")).to_have_text("None of these files was taken. Choose others.")
    expect(page.locator(".file-error").first).to_have_text(
        "The image is damaged or cut short. Choose another copy of it."
    )
    expect(page.locator(".file-error").last).to_contain_text("This is not an image.")
    expect(button).to_have_text("Send as one group")
    shoot(page, "images-none-taken")
    page.locator("#files-clear").click()
    expect(page.locator("#file-list .file")).to_have_count(0)
    choose(page, three())
    send(page)


def test_two_hundred_files_are_refused_before_anything_is_sent(visitor: Visitor, lab: Lab) -> None:
    page = visitor.open("/images")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    choose(page, [payload(f"{n}.png", b"x") for n in range(200)])
    expect(page.locator("#images-files-error")).to_have_text(
        "Too many files: 200. One group takes 100 at most. Choose fewer."
    )
    expect(page.locator("#file-list .file")).to_have_count(0)
    page.locator("#form-images button.send").click()
    expect(page.locator("#images-files-error")).to_have_text("Choose at least one image first.")
    assert not [url for url in asked if "/api/" in url]


def test_what_did_not_arrive_is_tried_again_and_the_rest_is_kept(
    visitor: Visitor, lab: Lab, shoot: Callable[..., None]
) -> None:
    visitor.expect.append("ERR_FAILED")
    page = visitor.open("/images")
    tries: list[str] = []

    def break_the_second(route: Any) -> None:
        tries.append(route.request.url)
        if len(tries) == 2:
            route.abort()
        else:
            route.continue_()

    page.route("**/api/images", break_the_second)
    choose(page, three())
    button = page.locator("#form-images button.send")
    button.click()
    expect(button).to_have_text("Try again")
    expect(page.locator("#form-images [data-note]")).to_have_text(
        "1 file did not arrive. Try again: the others are kept."
    )
    expect(page.locator(".file[data-uploaded]")).to_have_count(2)
    shoot(page, "images-broken")
    send(page)
    expect(page.locator(".tile")).to_have_count(3)
    assert len(tries) == 4


def test_pressing_twice_sends_one_group(visitor: Visitor, lab: Lab) -> None:
    page = visitor.open("/images")
    sent: list[str] = []
    page.on(
        "request", lambda request: sent.append(request.url) if request.url.endswith("/api/groups") else None
    )
    choose(page, three())
    page.locator("#form-images button.send").dblclick()
    page.wait_for_url("**/images/*")
    assert len(sent) == 1


def test_an_unanswered_group_keeps_its_key(visitor: Visitor, lab: Lab) -> None:
    visitor.expect.append("ERR_FAILED")
    page = visitor.open("/images")
    keys: list[str | None] = []

    def swallow_the_first_answer(route: Any) -> None:
        keys.append(route.request.header_value("Idempotency-Key"))
        if len(keys) == 1:
            route.fetch()
            route.abort()
        else:
            route.continue_()

    page.route("**/api/groups", swallow_the_first_answer)
    choose(page, three())
    page.locator("#form-images button.send").click()
    expect(page.locator("#form-images [data-note]")).to_contain_text("nothing is sent twice")
    send(page)
    assert keys[0]
    assert keys == [keys[0], keys[0]]
    expect(page.locator(".tile")).to_have_count(3)


def test_a_field_out_of_bounds_is_named_before_anything_is_uploaded(visitor: Visitor, lab: Lab) -> None:
    page = visitor.open("/images")
    choose(page, three())
    page.locator("#images-size").fill("9999")
    page.locator("#form-images button.send").click()
    expect(page.locator("#images-size-error")).to_have_text("A whole number from 16 to 2,048.")
    expect(page.locator("#images-size")).to_be_focused()
    page.locator("#do-watermark").check()
    expect(page.locator("#images-size")).to_be_hidden()
    page.locator("#images-text").fill("  ")
    page.locator("#form-images button.send").click()
    expect(page.locator("#images-text-error")).to_be_visible()
    expect(page.locator(".file[data-uploaded]")).to_have_count(0)


@pytest.mark.smoke
def test_a_group_is_cancelled_and_the_page_says_what_became_of_it(
    visitor: Visitor, lab: Lab, shoot: Callable[..., None]
) -> None:
    page = settled(visitor.open(f"/images/{waiting_group(lab, 12)}"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Waiting in place of images")
    expect(page.locator('.tile[data-status="IN_PROGRESS"]').first).to_be_visible()
    shoot(page, "images-waiting")
    page.get_by_role("button", name="Cancel the group").click()
    expect(page.locator("#group-told [data-note]")).to_contain_text("Cancelled before they began:")
    until_ended(page)
    expect(page.locator("#counted")).to_contain_text("cancelled")
    expect(page.locator("#form-cancel")).to_be_hidden()
    assert page.locator('.tile[data-status="CANCELLED"]').count() >= 6
    shoot(page, "images-cancelled")


def test_nothing_in_the_gallery_moves_while_its_images_come_in(visitor: Visitor, lab: Lab) -> None:
    page = visitor.open(f"/images/{group(lab, 8, 'rabbitmq', name='blur', radius=9)}")
    before = boxes(page)
    until_ended(page)
    page.evaluate(LOADED)
    assert boxes(page) == before


def test_the_recent_groups_move_on_by_themselves(visitor: Visitor, lab: Lab) -> None:
    page = settled(visitor.open("/images"))
    group_id = group(lab, 3)
    row = page.locator(f'#groups [data-group-id="{group_id}"]')
    expect(row.locator(".group-counted")).to_have_text("3 of 3 done", timeout=ENDED_MS)
    expect(page.locator("#groups > li").first).to_have_attribute("data-group-id", group_id)
    expect(row.locator('[data-part="DONE"]')).to_have_attribute("width", "100.0%")
    row.get_by_role("link").click()
    expect(page.locator(".tile")).to_have_count(3)


def test_a_page_that_missed_too_much_reads_its_group_again(visitor: Visitor, lab: Lab) -> None:
    page = visitor.open("/images")
    page.route(
        "**/events*",
        lambda route: route.fulfill(content_type="text/event-stream", body="event: reset\ndata: {}\n\n"),
    )
    page.goto(f"{visitor.url}/images/{group(lab, 3)}")
    until_ended(page)
    expect(page.locator(".tile[data-shown]")).to_have_count(3)


@pytest.mark.smoke
def test_without_scripts_a_plain_form_does_it_all(
    visitor: Visitor, lab: Lab, shoot: Callable[..., None]
) -> None:
    page = visitor.open("/images", java_script_enabled=False)
    expect(page.locator("#files")).to_be_visible()
    choose(page, [*three(), payload("notes.png", b"only text")])
    page.locator("#do-rotate").check()
    expect(page.locator("#images-degrees")).to_be_visible()
    expect(page.locator("#images-size")).to_be_hidden()
    shoot(page, "images-no-script")
    page.locator("#form-images button.send").click()
    expect(page.locator(".tile")).to_have_count(3)
    expect(page.locator("#refused")).to_contain_text("Not taken: notes.png.")
    tasks = page.locator(".tile").evaluate_all("tiles => tiles.map((tile) => tile.dataset.taskId)")
    lab.wait_for(tasks)
    page.reload()
    expect(page.locator(".tile[data-shown]")).to_have_count(3)
    assert {image.size for image in unpacked(page).values()} == {(800, 1200), (400, 300), (480, 640)}
    shoot(page, "images-group-no-script")
    page.goto(f"{visitor.url}/images/{waiting_group(lab, 8)}")
    page.get_by_role("button", name="Cancel the group").click()
    expect(page.locator("#group-told [data-note]")).to_contain_text("Cancelled before they began:")


def test_the_page_is_operated_by_keyboard_alone(visitor: Visitor, lab: Lab) -> None:
    page = visitor.open("/images")
    choose(page, three())
    page.locator("#files").focus()
    outline = page.locator("#drop").evaluate("drop => getComputedStyle(drop).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Tab")
    expect(page.locator("#files-clear")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Remove sea.jpg")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Remove hills.png")).to_be_focused()
    expect(page.locator("#file-list .file")).to_have_count(2)
    page.locator("#do-thumbnail").focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#do-grayscale")).to_be_checked()
    page.locator("#by-celery").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#by-rabbitmq")).to_be_checked()
    page.keyboard.press("Enter")
    page.wait_for_url("**/images/*")
    expect(page.get_by_role("heading", level=1)).to_have_text("Grayscale")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("phone", {"viewport": PHONE, "is_mobile": True, "has_touch": True}),
        ("phone-ru", {"viewport": PHONE, "is_mobile": True, "has_touch": True, "locale": "ru-RU"}),
        ("tablet-ru", {"viewport": {"width": 768, "height": 1024}, "locale": "ru-RU"}),
        ("light", {}),
        ("dark", {"color_scheme": "dark"}),
        ("ru", {"locale": "ru-RU", "reduced_motion": "reduce"}),
    ],
)
def test_the_pages_of_images_look_right_everywhere(
    visitor: Visitor, lab: Lab, shoot: Callable[..., None], name: str, options: dict[str, Any]
) -> None:
    group_id = done_group(lab, "rabbitmq", name="watermark", text="Transport Lab")
    page = settled(visitor.open("/images", **options))
    choose(page, three())
    expect(page.locator("#file-list canvas")).to_have_count(3)
    for path in ("", f"/{group_id}"):
        if path:
            page.goto(f"{visitor.url}/images{path}")
            expect(page.locator(".tile[data-shown]")).to_have_count(5)
            settled(page)
        width, room = overflow(page)
        assert width <= room
        assert page.evaluate(FAULTS) == []
        assert page.evaluate(CONTRASTS) == []
        shoot(page, f"images{'-group' if path else ''}-{name}", whole=True)


def test_a_result_is_opened_in_full_and_saved_under_its_own_name(visitor: Visitor, lab: Lab) -> None:
    visitor.expect.append("404")  # an image alone has no icon, and the browser asks for one
    page = visitor.open(f"/images/{done_group(lab, 'rabbitmq', name='grayscale')}")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the result of photo-1.jpg").click()
    assert download.value.suggested_filename == "photo-1.jpg"
    assert Image.open(io.BytesIO(download.value.path().read_bytes())).mode == "L"
    page.get_by_role("link", name="Open the result of photo-1.jpg").click()
    expect(page.locator("img")).to_have_js_property("naturalWidth", 900)


def test_a_row_of_the_live_table_leads_to_its_group(visitor: Visitor, lab: Lab) -> None:
    page = settled(visitor.open("/"))
    group_id = group(lab, 1)
    link = page.locator("#rows tr").first.locator(".c-job a")
    expect(link).to_have_attribute("href", f"/images/{group_id}")
    link.click()
    expect(page.locator(".tile")).to_have_count(1)


def test_an_unknown_group_has_the_usual_page(visitor: Visitor, lab: Lab) -> None:
    visitor.expect.append("404")
    page = visitor.open("/images/00000000-0000-4000-8000-000000000000")
    expect(page.get_by_role("heading", level=1)).to_have_text("There is no such page")


def test_one_press_sends_images_by_both_methods_and_says_how_they_compare(visitor: Visitor) -> None:
    page = visitor.open("/images")
    choose(page, [payload("sea.png", picture(120, 80, "PNG"))])
    page.get_by_role("button", name="Send by both").click()
    page.wait_for_url("**/images?both=*")
    compared = page.locator("#both .race-sentence")
    expect(compared).to_have_text(
        re.compile(r"^Both done: \w+ after .*, \w+ after .* more\)\.$"), timeout=90_000
    )
    for label in ("Celery", "RabbitMQ"):
        expect(compared).to_contain_text(label)
