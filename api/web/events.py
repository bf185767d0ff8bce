"""Server-sent events: every change of a task, to every open page.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Iterator
from itertools import takewhile
from typing import Any, Final

from flask import Blueprint, Response, current_app, request
from sqlalchemy.exc import SQLAlchemyError

from api.watch import Watch
from api.web.present import task_json
from api.web.problems import problem
from store.tasks import Row, Store

POLL_SECONDS: Final = 0.1
PING_SECONDS: Final = 15.0
BATCH: Final = 500
KEPT: Final = 200
MOST_STREAMS: Final = 150

logger = logging.getLogger(__name__)


class Feed:
    """Follows the store's changes for all streams of this process.

    The id of an event is the number of the newest change in it. The store gives each change of any
    process a greater number than those before, so a page can resume at any process.
    """

    def __init__(self, store: Store, watch: Watch) -> None:
        self._store = store
        self._watch = watch
        self._news = threading.Condition()
        self._recent: deque[tuple[int, int, bytes]] = deque(maxlen=KEPT)
        self._newest = 0
        self._health = b""
        self._streams = 0
        self._thread: threading.Thread | None = None
        self.ending = False

    def start(self) -> None:
        """Starts following."""
        self._thread = threading.Thread(target=self._follow, name="feed", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends following, and with it all streams within a second."""
        self.ending = True
        if self._thread is not None:
            self._thread.join(5.0)

    def enter(self) -> bool:
        """Counts one stream in; False when there are as many as this process serves."""
        with self._news:
            if self._streams >= MOST_STREAMS:
                return False
            self._streams += 1
            return True

    def stream(self, after: int | None) -> Iterator[bytes]:
        """Events after change number `after` (from now on where it is None), until the page leaves.
        Call `enter` before."""
        try:
            position = self._store.last_change() if after is None else after
            health = b""
            yield b"retry: 1000\n\n"
            while not self.ending:
                messages, position = self._since(position)
                if self._health != health:
                    health = self._health
                    messages.append(health)
                if messages:
                    yield messages[0] if len(messages) == 1 else b"".join(messages)
                    continue
                yield from self._wait(position, health)
        finally:
            with self._news:
                self._streams -= 1

    def _wait(self, position: int, health: bytes) -> Iterator[bytes]:
        deadline = time.monotonic() + PING_SECONDS
        while not self.ending:
            with self._news:
                if self._newest > position or self._health != health:
                    return
                self._news.wait(1.0)
            if time.monotonic() > deadline:
                yield b"event: ping\ndata: {}\n\n"
                return

    def _since(self, position: int) -> tuple[list[bytes], int]:
        with self._news:
            if self._recent and self._recent[0][0] <= position:
                news = takewhile(lambda kept: kept[1] > position, reversed(self._recent))
                messages = [message for _, _, message in news]
                return messages[::-1], max(position, self._recent[-1][1])
        newest = self._store.last_change()
        if newest <= position:
            return [], min(position, newest)
        rows = self._store.changed_since(position, BATCH)
        if not rows:
            return [], newest
        if len(rows) == BATCH:
            return [_message("reset", {}, newest)], newest
        return [self._tasks_message(rows)], rows[-1]["change_id"]

    def _follow(self) -> None:
        last: int | None = None
        while not self.ending:
            try:
                last = self._look(last) if self._streams else None
            except SQLAlchemyError as error:
                logger.warning("feed: the store does not answer: %s", error)
                time.sleep(1.0)
            except Exception:
                logger.exception("feed")
                time.sleep(1.0)
            time.sleep(POLL_SECONDS)

    def _look(self, last: int | None) -> int:
        health = _message("health", self._watch.snapshot())
        if last is None:
            last = self._store.last_change()
            with self._news:
                self._recent.clear()
                self._newest = last
        fresh = []
        newest = self._store.last_change()
        if newest > last:
            rows = self._store.changed_since(last, BATCH)
            if rows:
                fresh.append((last, rows[-1]["change_id"], self._tasks_message(rows)))
            seen = rows[-1]["change_id"] if rows else 0
            # What was changed up to `newest` and is not among the rows was no task of these pages.
            last = seen if len(rows) == BATCH else max(newest, seen)
        if fresh or health != self._health:
            with self._news:
                self._recent.extend(fresh)
                self._newest = max(self._newest, *(newest for _, newest, _ in fresh), 0)
                self._health = health
                self._news.notify_all()
        return last

    def _tasks_message(self, rows: list[Row]) -> bytes:
        counts = {"counts": self._store.counts(), "checks": self._store.check_counts()}
        data = {"tasks": [task_json(row) for row in rows], **counts}
        return _message("tasks", data, rows[-1]["change_id"])


def _message(event: str, data: dict[str, Any], number: int | None = None) -> bytes:
    """Written once, and then sent as it is to each page."""
    head = "" if number is None else f"id: {number}\n"
    return f"{head}event: {event}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


events = Blueprint("events", __name__)


@events.get("/events")
def stream() -> Response:
    """Changes since `Last-Event-ID` (or the parameter `after`), and on as they come."""
    feed: Feed = current_app.extensions["lab"].feed
    text = request.headers.get("Last-Event-ID") or request.args.get("after", "")
    if text and not (text.isascii() and text.isdigit() and len(text) < 19):
        return problem(400, "Bad Request", "Last-Event-ID takes the id of an event of this stream")
    if not feed.enter():
        response = problem(503, "Too many streams", "reload the page by hand, or try again in a minute")
        response.headers["Retry-After"] = "30"
        return response
    return Response(
        feed.stream(int(text) if text else None),
        content_type="text/event-stream; charset=utf-8",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )
