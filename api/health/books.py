"""The books: finds tasks that were published, have not ended, and are in no queue and with no worker.

A message is lost where somebody purges or deletes a queue, acknowledges what he does not run, or wipes the broker's
data, and where a naive worker dies. The broker tells nobody, so the lab counts: of each method and mode there are no
more tasks under way than messages in its queues, those handed out included, and jobs that its workers run.
"""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from api.control.queues import PASSIVE
from lab.clock import now_us, to_us
from lab.delivery import Delivery
from lab.settings import Settings
from lab.status import TaskStatus
from store.task_queries import Row
from store.tasks import Store
from store.under_way import LOST, UnderWay
from transports.methods import CELERY, QUEUES

MOST_TIMES: Final = 3
GAP_US: Final = 60_000_000
SETTLE_US: Final = 30_000_000

Picture = Mapping[str, Any]

logger = logging.getLogger(__name__)


class Missing(NamedTuple):
    """A task that is not accounted for; `certain` where its queues hold no message at all, so that it cannot be
    another one that is missing."""

    row: Row
    delivery: Delivery
    certain: bool


class Books:
    """Compares the tasks of `store` with pictures of queues and workers. `wake` has the relay of a method look into
    the outbox."""

    def __init__(self, store: Store, settings: Settings, wake: Callable[[str], None]) -> None:
        self._store = store
        self._tasks = UnderWay(store.engine)
        self._settings = settings
        self._wake = wake

    def reconcile(self, picture: Picture) -> dict[str, Any]:
        """What the books say by `picture`, which holds what they said last: `nowhere`, how many tasks were found;
        `open`, the ids of those that wait for somebody's decision; `suspects`, since when each has been missing
        (microseconds since the epoch), by number; `at`.

        A task is found when it was missing in every picture for LAB_NOWHERE_SECONDS. In the safe mode it is sent
        again where that is safe: no worker had begun it, or its run is over, since it is RETRYING or its worker is
        gone. In the naive mode it is FAILED, since nothing tells how far it came.
        """
        now, before = now_us(), picture.get("books") or {}
        since = before.get("suspects", {}) if now - before.get("at", 0) < GAP_US else {}
        missing = list(self._missing(picture)) if self._sees(picture, now) else []
        suspects = {str(one.row["num"]): since.get(str(one.row["num"]), now) for one in missing}
        bound = now - round(self._settings.nowhere_seconds * 1e6)
        found = [one for one in missing if suspects[str(one.row["num"])] <= bound]
        lost = [one.row["id"] for one in found if one.delivery is Delivery.NAIVE and one.certain]
        again = {one.row["id"] for one in found if _may_go_again(one, picture)}
        self.give_up(lost)
        sent = self.send_again(again, MOST_TIMES)
        settled = {*lost, *sent}
        if settled:
            logger.warning("%d tasks were lost: %d are sent again", len(settled), len(sent))
        left = [one.row["id"] for one in found if one.row["id"] not in settled]
        return {"at": now, "nowhere": len(found), "open": left, "suspects": suspects}

    def give_up(self, task_ids: Collection[str]) -> int:
        """Ends these tasks FAILED where they have not ended; returns how many."""
        rows = self._store.get_all(list(task_ids))
        return self._store.fail({row["id"]: row["attempt"] for row in rows}, LOST)

    def send_again(self, task_ids: Collection[str], most: int | None = None) -> list[str]:
        """Has these tasks published again where they are under way, and returns which; not those that were `most`
        times. One that was begun goes out as its next attempt: the store then refuses what the last one tells."""
        rows = self._tasks.into_outbox(task_ids, most) if task_ids else []
        for method in {row["method"] for row in rows}:
            self._wake(method)
        return [row["id"] for row in rows]

    def _sees(self, picture: Picture, now: int) -> bool:
        """Whether `picture` tells enough: workers that report, and a broker that has been there for a while, so that
        workers have connected again."""
        broker = picture["broker"]
        return self._settings.tracked and bool(broker["up"]) and now - _us(broker["since"]) > SETTLE_US

    def _missing(self, picture: Picture) -> Iterator[Missing]:
        """The tasks that are not accounted for."""
        for method, name in QUEUES.items():
            if method == CELERY.name and not self._settings.celery_on_rabbitmq:
                continue  # Redis does not count what it has handed out
            for delivery in Delivery:
                others = _others(picture, method, delivery, delivery.queue(name))
                if others is not None:
                    running = [one["id"] for one in _active(picture, method)]
                    rows = self._tasks.beyond(method, delivery, others, running)
                    yield from (Missing(row, delivery, others == 0) for row in rows)


def _others(picture: Picture, method: str, delivery: Delivery, name: str) -> int | None:
    """How many messages there may be of tasks that do not run. None where that cannot be told: a worker does not say
    what it holds, and the broker does not know."""
    queues = [
        queue
        for queue in picture["queues"]
        if queue["method"] == method and (".naive" in queue["name"]) is (delivery is Delivery.NAIVE)
    ]
    ready = sum(queue["ready"] or 0 for queue in queues)
    unacknowledged = sum(queue.get("unacknowledged") or 0 for queue in queues)
    workers = [
        worker
        for worker in picture["workers"]
        if worker["method"] == method and worker["delivery"] == delivery and worker["silent_since"] is None
    ]
    consumers = next((queue["consumers"] or 0 for queue in queues if queue["name"] == name), 0)
    if picture["queues_source"] == PASSIVE:
        if consumers > len(workers):
            return None
        held = sum((worker["reserved"] or 0) + (worker["scheduled"] or 0) for worker in workers)
        return ready + held + sum(worker["active"] is None for worker in workers)
    if delivery is Delivery.NAIVE and method == CELERY.name:
        # Messages are acknowledged when their jobs begin: of those the broker knows nothing.
        return ready + unacknowledged if consumers <= len(workers) else None
    return ready + max(0, unacknowledged - sum(len(worker["active"] or ()) for worker in workers))


def _active(picture: Picture, method: str) -> Iterator[Mapping[str, Any]]:
    for worker in picture["workers"]:
        if worker["method"] == method and worker["silent_since"] is None:
            yield from worker["active"] or ()


def _may_go_again(missing: Missing, picture: Picture) -> bool:
    row = missing.row
    if missing.delivery is not Delivery.SAFE:
        return False
    if row["status"] == TaskStatus.PENDING:
        return True
    # A step that was begun is sent with all that follows it: somebody is to decide.
    over = row["status"] == TaskStatus.RETRYING or not _lives(row, picture)
    return missing.certain and row["workflow_id"] is None and over


def _lives(row: Row, picture: Picture) -> bool:
    """Whether the process that began `row` answers: it may know how the task ended."""
    return any(
        worker["name"] == row["worker"]
        and worker["silent_since"] is None
        and (worker["started_at"] is None or _us(worker["started_at"]) <= (row["started_us"] or 0))
        for worker in picture["workers"]
    )


def _us(iso: str) -> int:
    return to_us(datetime.fromisoformat(iso))
