"""The page: time to its first byte with a long history, and how soon it shows a change."""

import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import requests

from api.store import NewTask, Store
from harness.lab import Lab
from lab.status import StatusUpdate, TaskStatus

NOWHERE = "amqp://student:qwerty@127.0.0.1:1/"
SHORT, LONG = 1_000, 100_000
SAMPLES = 200
STREAMS, CHANGES = 20, 50


def fill(url: str, count: int) -> None:
    """Puts `count` finished tasks into the store at `url`."""
    store = Store(url)
    for start in range(0, count, 1_000):
        method = ("celery", "rabbitmq", "sync")[start // 1_000 % 3]
        new = NewTask(method, "process_task", {"timeout": 1.0}, 1.0)
        ids = [row["id"] for row in store.add(new, min(1_000, count - start)).rows]
        for status in (TaskStatus.IN_PROGRESS, TaskStatus.DONE):
            store.apply([StatusUpdate(task_id=i, status=status, worker=f"{method}@bench") for i in ids])
    store.close()


def first_bytes(labs: list[Lab]) -> list[list[float]]:
    """Milliseconds to the first byte of the page, the labs taking turns."""
    found: list[list[float]] = [[] for _ in labs]
    for _ in range(SAMPLES):
        for lab, times in zip(labs, found, strict=True):
            begin = time.perf_counter()
            with lab.session.get(f"{lab.url}/", stream=True, timeout=30) as answer:
                answer.raise_for_status()
                next(answer.iter_content(1))
                times.append((time.perf_counter() - begin) * 1e3)
    return found


def change_delays(lab: Lab, database_url: str) -> list[float]:
    """Seconds from a status change's commit to its arrival at the last of the open pages."""
    store = Store(database_url)
    ids = [
        row["id"] for row in store.add(NewTask("celery", "process_task", {"timeout": 1.0}, 1.0), CHANGES).rows
    ]
    seen: list[dict[str, float]] = [{} for _ in range(STREAMS)]
    after = store.last_change()

    def follow(mine: dict[str, float]) -> None:
        with requests.get(f"{lab.url}/events?after={after}", stream=True, timeout=60) as answer:
            for line in answer.iter_lines(chunk_size=1):
                arrived = time.perf_counter()
                for task_id in ids:
                    if task_id.encode() in line:
                        mine.setdefault(task_id, arrived)
                if len(mine) == CHANGES:
                    return

    threads = [threading.Thread(target=follow, args=(mine,), daemon=True) for mine in seen]
    for thread in threads:
        thread.start()
    time.sleep(2)
    sent = {}
    for task_id in ids:
        store.apply([StatusUpdate(task_id=task_id, status=TaskStatus.DONE)])
        sent[task_id] = time.perf_counter()
        time.sleep(0.05)
    for thread in threads:
        thread.join(30)
    store.close()
    return [max(mine[task_id] for mine in seen) - sent[task_id] for task_id in ids]


def run() -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Rows for the table, and the ratios."""
    with tempfile.TemporaryDirectory(prefix="lab-bench-") as folder:
        labs = [Lab(Path(folder, name), NOWHERE) for name in ("short", "long")]
        urls = [f"sqlite:///{lab.base}/lab.sqlite3" for lab in labs]
        try:
            for lab, url, count in zip(labs, urls, (SHORT, LONG), strict=True):
                lab.start_api()
                fill(url, count)
            short, long = (statistics.median(times) for times in first_bytes(labs))
            delay = statistics.median(change_delays(labs[1], urls[1]))
        finally:
            for lab in labs:
                lab.stop()
    rows = [
        {"figure": f"page, first byte, {SHORT:,} tasks (median)", "value": short, "unit": "ms"},
        {"figure": f"page, first byte, {LONG:,} tasks (median)", "value": long, "unit": "ms"},
        {
            "figure": f"status change to the last of {STREAMS} open pages (median)",
            "value": delay,
            "unit": "s",
        },
    ]
    return rows, {"page_100k_vs_1k": long / short, "page_100k_first_byte_ms": long, "change_delay_s": delay}
