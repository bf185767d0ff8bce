"""The store of one lab, filled and read past its API."""

from __future__ import annotations

import time
from typing import Final

import sqlalchemy as sa

from benchmarks import messages
from benchmarks.clients import Trouble
from harness.lab import Lab
from lab.delivery import Delivery
from lab.settings import Settings
from lab.token import sign
from store.engine import writing
from store.tables import outbox, task_events
from store.tasks import NewTask, Store

CHUNK: Final = 1_000
FAR: Final = 2**62


class Tracked:
    """Tasks of one method and mode of delivery in the store of `lab`."""

    def __init__(self, lab: Lab, method: str, delivery: Delivery) -> None:
        settings = Settings.from_env(lab.env)
        self.store = Store(settings.database_url)
        self._secret, self._method, self._delivery = settings.secret(), method, delivery
        self.nums: list[int] = []

    def add(self, count: int, *, with_outbox: bool) -> list[messages.Ticket]:
        """Stores `count` tasks as PENDING; what is in the outbox is leased until `release`."""
        tickets = []
        for start in range(0, count, CHUNK):
            news = [
                NewTask(self._method, messages.KIND, {"serial": number}, None, self._delivery)
                for number in range(start, min(start + CHUNK, count))
            ]
            added = self.store.add(news, relay="bench" if with_outbox else None)
            self._lease("bench", FAR)
            for row in added.rows:
                self.nums.append(row["num"])
                tickets.append(messages.Ticket(row["id"], sign(self._secret, row["id"])))
        return tickets

    def release(self) -> float:
        """Lets relays take what waits; when."""
        begin = time.monotonic()
        self._lease(None, 0)
        return begin

    def _lease(self, owner: str | None, until: int) -> None:
        with writing(self.store.engine) as connection:
            held = outbox.update().where(outbox.c.lease_owner == "bench")
            connection.execute(held.values(lease_owner=owner, lease_until_us=until))

    def wait_for_outbox(self, seconds: float) -> float:
        """Waits until nothing waits in the outbox any more; when that was."""
        deadline = time.monotonic() + seconds
        query = sa.select(outbox.c.num).limit(1)
        while time.monotonic() < deadline:
            with self.store.engine.connect() as connection:
                if connection.execute(query).first() is None:
                    return time.monotonic()
            time.sleep(0.005)
        raise Trouble(f"the outbox was not empty after {seconds:g} s")

    def done(self) -> int:
        """How many tasks are DONE."""
        return self.store.counts()["DONE"]

    def wait_done(self, count: int, seconds: float) -> tuple[int, float]:
        """Waits for `count` tasks that are DONE, `seconds` at most; how many are, and when."""
        deadline = time.monotonic() + seconds
        while (found := self.done()) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        return found, time.monotonic()

    def check(self) -> None:
        """Raises Trouble where the history of one of the tasks lacks a status, or has one twice."""
        query = (
            sa.select(task_events.c.status, sa.func.count(), sa.func.count(task_events.c.num.distinct()))
            .where(task_events.c.num.between(min(self.nums), max(self.nums)))
            .group_by(task_events.c.status)
        )
        with self.store.engine.connect() as connection:
            found = {status: (n, distinct) for status, n, distinct in connection.execute(query)}
        whole = (len(self.nums), len(self.nums))
        if found != dict.fromkeys(("PENDING", "IN_PROGRESS", "DONE"), whole):
            raise Trouble(f"the history of {len(self.nums)} tasks has {found}")
