"""Many open pages: how soon the last of them has a change, and what that costs the API."""

from __future__ import annotations

import json
import math
import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from benchmarks.busy import family_seconds
from benchmarks.clients import Trouble
from benchmarks.contender import Contender, Measured
from benchmarks.lab_store import Tracked
from benchmarks.labs import tracked_lab
from benchmarks.messages import Ticket
from benchmarks.stand import Stand
from harness.lab import Lab
from lab.delivery import Delivery
from lab.status import TaskStatus

PAGES: Final = 200
RATE: Final = 500
TOGETHER: Final = 25
SETTLE_SECONDS: Final = 2.0


def _post(lab: Lab, store: Tracked, tickets: Sequence[Ticket]) -> list[tuple[int, float]]:
    """Posts both statuses of each task as a worker does, `RATE` a second; the change number that each POST
    brought, and when it was sent."""
    sent = []
    due = time.monotonic()
    for status in (TaskStatus.IN_PROGRESS, TaskStatus.DONE):
        for start in range(0, len(tickets), TOGETHER):
            due += TOGETHER / RATE
            time.sleep(max(0.0, due - time.monotonic()))
            both = {"status": status.value, "worker": "bench@here", "attempt": 1}
            updates = [
                {
                    "task_id": ticket.task_id,
                    "token": ticket.token,
                    "at": datetime.now(UTC).isoformat(),
                    **both,
                }
                for ticket in tickets[start : start + TOGETHER]
            ]
            at = time.monotonic()
            answer = lab.session.post(lab.env["API_URL"], json={"updates": updates}, timeout=30)
            verdicts = answer.json()["results"]
            if not all(verdict["applied"] for verdict in verdicts):
                raise Trouble(f"a status was not taken: {verdicts[0]}")
            sent.append((store.store.last_change(), at))
    return sent


def fan_out(stand: Stand, changes: int) -> Measured:
    """Median seconds from the POST of a status to its arrival at the last of the open pages; `api_cores` is how
    many processors the API took meanwhile."""
    with tracked_lab(stand, "rabbitmq", Delivery.SAFE) as (lab, store):
        tickets = store.add(changes // 2, with_outbox=False)
        with stand.client("streams", "127.0.0.1", str(lab.port), str(PAGES)) as client:
            client.line()
            time.sleep(SETTLE_SECONDS)
            with stand.measuring(api=lab.api):
                at, used = time.monotonic(), family_seconds(lab.api.pid)
                sent = _post(lab, store, tickets)
                seconds, used = time.monotonic() - at, family_seconds(lab.api.pid) - used
                time.sleep(SETTLE_SECONDS)
            told = json.loads(client.ask(json.dumps(sent)))
    delays: list[float] = told["delays"]
    lost = sum(1 for delay in delays if math.isinf(delay))
    if lost:
        raise Trouble(f"{lost} of {len(delays)} POSTs did not reach every page")
    more = {
        "api_cores": used / seconds,
        "reader_cores": told["cpu_seconds"] / seconds,
        "longest": max(delays),
        "changes_per_second": changes / seconds,
    }
    return Measured(statistics.median(delays), more)


CONTENDERS: Final = [
    Contender("fanout", f"status to the last of {PAGES} open pages, {RATE} a second", fan_out, 4_000, "s")
]
