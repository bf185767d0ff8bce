"""No page breaks a rule of axe-core, in either theme and language, on a phone or a wide screen."""

from typing import Any

import pytest

from harness.lab import Lab
from tests.e2e.accessible import violations
from tests.e2e.test_look import overflow
from tests.e2e.visitor import Visitor

PAGES = (
    "/",
    "/?status=FAILED",
    "/?q=nothing",
    "/experiments",
    "/guide",
    "/guide?length=hour&loss=never&throughput=thousand&latency=tenth&languages=send&periodic=yes",
    "/side-by-side",
    "/side-by-side#retry-backoff",
    "/side-by-side/periodic",
    "/images",
    "/workflows",
    "/schedule",
    "/control",
    "/control/queues/celery/purge",
    "/dead-letters",
    "/faults",
    "/faults/cards/worker-killed",
    "/faults/matrix",
    "/docs",
    "/docs#tasks_page_get",
    "/nothing",
)
LOOKS: tuple[dict[str, Any], ...] = (
    {"color_scheme": "light", "locale": "ru-RU", "viewport": {"width": 320, "height": 740}},
    {"color_scheme": "dark", "locale": "en-US", "viewport": {"width": 1920, "height": 1080}},
)


@pytest.mark.parametrize("look", LOOKS, ids=["phone", "wide"])
def test_no_page_breaks_a_rule_or_scrolls_sideways(visitor: Visitor, lab: Lab, look: dict[str, Any]) -> None:
    visitor.expect.append("404")
    done = lab.submit("celery", 0.1)[0]["id"]
    failed = lab.submit("rabbitmq", 0.1, kind="failing_task")[0]["id"]
    lab.wait_for([done, failed], "DONE", "FAILED")
    page = visitor.open("/healthz", **look)
    found = {}
    for path in (*PAGES, f"/tasks/{done}", f"/tasks/{failed}"):
        page.goto(visitor.url + path)
        if path.startswith("/side-by-side#"):
            page.locator("#open").wait_for()
        width, room = overflow(page)
        found[path] = violations(page) + ([f"{width} px wide"] if width > room else [])
    assert {path: said for path, said in found.items() if said} == {}
