import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from api.watch import Watch
from api.web.events import BATCH, Feed
from lab.settings import Settings
from lab.status import StatusUpdate, TaskStatus
from store.outbox import Outbox
from store.tasks import NewTask, Store

TIMED = NewTask("celery", "process_task", {"timeout": 5.0}, 5.0)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    made = Store(database_url)
    yield made
    made.close()


@pytest.fixture
def feed(store: Store, settings: Settings) -> Iterator[Feed]:
    made = Feed(store, Watch(settings, store, Outbox(store)))
    made.start()
    yield made
    made.stop()


def parse(text: str) -> list[tuple[str, int | None, Any]]:
    """The events in `text`: name, id, data."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "event" in fields:
            number = int(fields["id"]) if "id" in fields else None
            found.append((fields["event"], number, json.loads(fields["data"])))
    return found


def read(stream: Iterator[bytes], name: str) -> tuple[int | None, Any]:
    """The next event called `name`."""
    for message in stream:
        for event, number, data in parse(message.decode()):
            if event == name:
                return number, data
    raise AssertionError(f"the stream ended without {name}")


def open_stream(feed: Feed, after: int | None) -> Iterator[bytes]:
    assert feed.enter()
    return feed.stream(after)


def test_a_change_reaches_an_open_page(store: Store, feed: Feed) -> None:
    task = store.add(TIMED).rows[0]["id"]
    stream = open_stream(feed, store.last_change())
    read(stream, "health")
    store.apply([StatusUpdate(task_id=task, status=TaskStatus.IN_PROGRESS, worker="w")])
    number, data = read(stream, "tasks")
    assert number == store.last_change()
    assert [(row["id"], row["status"], row["worker"]) for row in data["tasks"]] == [
        (task, "IN_PROGRESS", "w")
    ]
    assert data["counts"]["IN_PROGRESS"] == 1


def test_a_page_that_comes_back_gets_what_it_missed_once(store: Store, feed: Feed) -> None:
    first, second = (row["id"] for row in store.add(TIMED, 2).rows)
    seen = store.last_change()
    store.apply([StatusUpdate(task_id=first, status=TaskStatus.IN_PROGRESS)])
    store.apply([StatusUpdate(task_id=second, status=TaskStatus.IN_PROGRESS)])
    store.apply([StatusUpdate(task_id=first, status=TaskStatus.DONE)])
    number, data = read(open_stream(feed, seen), "tasks")
    assert [(row["id"], row["status"]) for row in data["tasks"]] == [(second, "IN_PROGRESS"), (first, "DONE")]
    assert number == store.last_change()


def test_a_page_that_missed_too_much_is_told_to_fetch_afresh(store: Store, feed: Feed) -> None:
    store.add(TIMED, BATCH + 5)
    number, data = read(open_stream(feed, 0), "reset")
    assert (number, data) == (store.last_change(), {})


def test_every_stream_gets_every_change(store: Store, feed: Feed) -> None:
    tasks = [row["id"] for row in store.add(TIMED, 30).rows]
    last: list[dict[str, str]] = [{} for _ in range(5)]

    def follow(stream: Iterator[bytes], mine: dict[str, str]) -> None:
        while len(mine) < 30 or set(mine.values()) != {"DONE"}:
            _, data = read(stream, "tasks")
            mine.update((row["id"], row["status"]) for row in data["tasks"])

    start = store.last_change()
    threads = [
        threading.Thread(target=follow, args=(open_stream(feed, start), mine), daemon=True) for mine in last
    ]
    for thread in threads:
        thread.start()
    for task in tasks:
        store.apply([StatusUpdate(task_id=task, status=TaskStatus.IN_PROGRESS)])
        store.apply([StatusUpdate(task_id=task, status=TaskStatus.DONE)])
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


def test_pages_hear_nothing_of_experiments(
    store: Store, feed: Feed, caplog: pytest.LogCaptureFixture
) -> None:
    own = store.add(TIMED).rows[0]["id"]
    seen = store.last_change()
    streams = [open_stream(feed, None), open_stream(feed, seen)]
    for stream in streams:
        read(stream, "health")
    for _ in range(3):
        theirs = [row["id"] for row in store.add(TIMED, BATCH + 5, experiment_id="e" * 36).rows]
        store.apply([StatusUpdate(task_id=one, status=TaskStatus.DONE) for one in theirs])
    store.apply([StatusUpdate(task_id=own, status=TaskStatus.DONE)])
    streams.append(open_stream(feed, seen))
    for stream in streams:
        number, data = read(stream, "tasks")
        assert ([row["id"] for row in data["tasks"]], number) == ([own], store.last_change())
    assert caplog.records == []


def test_streams_end_when_the_process_is_to_end(store: Store, feed: Feed) -> None:
    stream = open_stream(feed, None)
    next(stream)
    feed.ending = True
    assert len(list(stream)) <= 1


def test_there_are_only_so_many_streams(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.web.events.MOST_STREAMS", 2)
    streams = [open_stream(feed, None) for _ in range(2)]
    for stream in streams:
        next(stream)
    assert not feed.enter()
    streams.pop().close()  # type: ignore[attr-defined]
    assert feed.enter()
