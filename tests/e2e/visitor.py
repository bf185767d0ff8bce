"""Somebody with a browser, who notices what a page should not do."""

from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

PATIENCE_MS = 20_000


class Visitor:
    """Opens pages in windows of their own, and listens: no page may complain or ask another host.

    `expect` are parts of complaints that a test provokes.
    """

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser = browser
        self.url = url
        self.contexts: list[BrowserContext] = []
        self.complaints: list[str] = []
        self.strangers: set[str] = set()
        self.expect: list[str] = []

    def open(self, path: str = "/", **options: Any) -> Page:
        """A page in a new window; `options` are those of a Playwright browser context."""
        chosen = {"viewport": {"width": 1280, "height": 900}, "locale": "en-US", **options}
        context = self._browser.new_context(**chosen)
        context.set_default_timeout(PATIENCE_MS)
        self.contexts.append(context)
        context.on("request", self._asked)
        context.on("console", self._said)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        page = context.new_page()
        page.goto(self.url + path)
        return page

    def close(self) -> None:
        """Closes all windows and fails where one of them had something to complain of."""
        for context in self.contexts:
            context.close()
        left = [c for c in self.complaints if not any(part in c for part in self.expect)]
        assert not left, left
        assert not self.strangers

    def _asked(self, request: Request) -> None:
        there, here = urlsplit(request.url), urlsplit(self.url)
        if there.netloc != here.netloc and there.scheme in ("http", "https", "ws", "wss"):
            self.strangers.add(request.url)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)
