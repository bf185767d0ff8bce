"""The lab's memory: taking in tasks, with their history and the outbox.

What becomes of them is in `task_updates`.
"""

import hashlib
import json
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from operator import itemgetter
from typing import Any, Final

import sqlalchemy as sa

from lab.clock import now_us
from lab.delivery import Delivery
from lab.status import TaskStatus
from store import fast_sql
from store.engine import take_turn, writing
from store.followers import LINKS
from store.options import KEPT, settle
from store.tables import outbox, submissions, task_events, task_groups, tasks, workflows
from store.task_queries import Query, Row
from store.task_updates import EVENT, Cancellation, Updates

__all__ = [
    "Added",
    "Cancellation",
    "KeyReused",
    "NewGroup",
    "NewTask",
    "NewWorkflow",
    "Query",
    "Row",
    "Store",
]

OWN_LEASE_US: Final = 15_000_000
_COLUMNS: Final = tuple(column.name for column in tasks.columns)
_VALUES: Final = itemgetter(*_COLUMNS)
_EMPTY: Final = dict.fromkeys(_COLUMNS)
_OUTBOX: Final = ("num", "method", "lease_owner", "lease_until_us")


class KeyReused(Exception):
    """An Idempotency-Key came again with another request."""


@dataclass(frozen=True)
class NewTask:
    """A task as it is asked for; `node` is its name in the workflow that it is part of. One that `waits`
    is published when something before it has ended. `link` says that it is a "callback" or an "errback" of
    the task that is asked for `after` places before it."""

    method: str
    kind: str
    params: dict[str, Any]
    timeout: float | None = None
    delivery: Delivery = Delivery.SAFE
    max_retries: int | None = None
    time_limit: float | None = None
    retry_of: str | None = None
    options: dict[str, Any] | None = None
    node: str | None = None
    waits: bool = False
    link: str | None = None
    after: int = 0


_ASKED: Final = [field.name for field in fields(NewTask) if field.name in _COLUMNS]


@dataclass(frozen=True)
class NewGroup:
    """A group as it is asked for; `operation` is what is done to its images."""

    id: str
    operation: dict[str, Any] | None = None


@dataclass(frozen=True)
class NewWorkflow:
    """A workflow as it is asked for: `params` is the request, `plan` a `lab.plan.WorkflowPlan` as JSON holds it."""

    id: str
    pattern: str
    params: dict[str, Any]
    plan: dict[str, Any]
    deadline_us: int


@dataclass(frozen=True)
class Added:
    """Tasks that were stored: `anew` now, or earlier under the same Idempotency-Key."""

    rows: list[Row]
    anew: bool


def with_links(task: NewTask, callback: NewTask | None, errback: NewTask | None) -> list[NewTask]:
    """`task` and those that follow it, in the order in which they are stored."""
    found = [task]
    for link, new in (("callback", callback), ("errback", errback)):
        if new is not None:
            found.append(replace(new, waits=True, link=link, after=len(found)))
    return found


def again(row: Row) -> list[NewTask]:
    """The task in `row` to be submitted again, as new tasks: with those of its options that last, and with followers
    of its own."""
    options, delivery = row["options"] or {}, Delivery(row["delivery"])
    names = ("method", "kind", "params", "timeout", "max_retries", "time_limit")
    fields = {name: row[name] for name in names}
    kept = {name: options[name] for name in KEPT if name in options}
    news = {
        link: NewTask(row["method"], options[link]["kind"], options[link]["params"], delivery=delivery)
        for link in LINKS.keys() & options.keys()
    }
    task = NewTask(**fields, delivery=delivery, retry_of=row["id"], options=kept or None)
    return with_links(task, news.get("callback"), news.get("errback"))


def _tie(rows: Sequence[Row], news: Sequence[NewTask]) -> None:
    """Has rows that are about to be stored name what follows them, and what they follow."""
    for place, new in enumerate(news):
        if new.link is None:
            continue
        row, first = rows[place], rows[place - new.after]
        row["options"] = {"after": {"id": first["id"], "link": new.link}}
        named = {"id": row["id"], "num": row["num"], "kind": row["kind"], "params": row["params"]}
        first["options"] = {**(first["options"] or {}), new.link: named}


def pending(
    new: NewTask,
    num: int,
    change_id: int,
    now: int,
    group_id: str | None,
    workflow_id: str | None = None,
    experiment_id: str | None = None,
) -> Row:
    """The row of the task `new`, as it is stored first."""
    asked = vars(new)
    return {
        **_EMPTY,
        **{name: asked[name] for name in _ASKED},
        "num": num,
        "id": str(uuid.uuid4()),
        "status": TaskStatus.PENDING.value,
        "attempt": 0,
        "progress": 0.0,
        "created_us": now,
        "change_id": change_id,
        "delivery": new.delivery.value,
        "group_id": group_id,
        "options": settle(new.options, now),
        "workflow_id": workflow_id,
        "experiment_id": experiment_id,
    }


def fingerprint_of(new: NewTask | Sequence[NewTask], count: int, group: NewGroup | None) -> str:
    """What tells this request from another under the same Idempotency-Key."""
    asked: list[Any] = [asdict(one) for one in ([new] if isinstance(new, NewTask) else new)] + [count]
    text = json.dumps([*asked, group and group.operation] if group else asked, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


class Store(Updates):
    """Tasks in the database at `url`. May be shared by threads; processes have one each."""

    def add(
        self,
        new: NewTask | Sequence[NewTask],
        count: int = 1,
        *,
        relay: str | None = None,
        key: str | None = None,
        group: NewGroup | None = None,
        workflow: NewWorkflow | None = None,
        experiment_id: str | None = None,
        lease_us: int = OWN_LEASE_US,
    ) -> Added:
        """Stores `count` tasks like `new`, or `count` times one like each of several, as PENDING, the newest
        last.

        Args:
            relay: name of the relay that publishes them first; their outbox rows are committed with
                them. None for tasks that no broker carries.
            key: an Idempotency-Key; the same key with the same request returns the first one's tasks.
            group: the group that all of them make.
            workflow: the workflow whose nodes they are.
            experiment_id: the experiment that they are part of; such tasks are in no list, count or
                stream of changes.
            lease_us: for how long no other relay takes what `relay` has not published.

        Raises:
            KeyReused: `key` was used for another request.
        """
        news = [new] * count if isinstance(new, NewTask) else list(new) * count
        count, method = len(news), news[0].method
        now = now_us()
        with writing(self.engine) as connection:
            # Anyone who moves tasks takes the turn first and a number later; in another order two would wait for
            # each other.
            take_turn(connection)
            first = self.next(connection, "num", count)
            if key is not None:
                fingerprint = fingerprint_of(new, count, group)
                known = connection.execute(sa.select(submissions).where(submissions.c.key == key)).first()
                if known is not None:
                    if known.fingerprint != fingerprint:
                        raise KeyReused(key)
                    return Added(self._rows(connection, _nums(known)), anew=False)
                connection.execute(
                    submissions.insert().values(
                        key=key, fingerprint=fingerprint, first_num=first, count=count, created_us=now
                    )
                )
            if group is not None:
                values = {**asdict(group), "method": method, "count": count, "created_us": now}
                connection.execute(task_groups.insert().values(values))
            if workflow is not None:
                values = {
                    **asdict(workflow),
                    "method": method,
                    "status": TaskStatus.PENDING,
                    "created_us": now,
                }
                connection.execute(workflows.insert().values(values))
            rows = self.insert(
                connection,
                news,
                first,
                now,
                relay=relay,
                group_id=None if group is None else group.id,
                workflow_id=None if workflow is None else workflow.id,
                experiment_id=experiment_id,
                lease_us=lease_us,
            )
        return Added(rows, anew=True)

    def under_key(self, key: str) -> list[Row]:
        """The tasks that the Idempotency-Key `key` made, less those that were removed."""
        with self.engine.connect() as connection:
            known = connection.execute(sa.select(submissions).where(submissions.c.key == key)).first()
            return [] if known is None else self._rows(connection, _nums(known))

    def insert(
        self,
        connection: sa.Connection,
        news: Sequence[NewTask],
        first: int,
        now: int,
        *,
        relay: str | None,
        group_id: str | None = None,
        workflow_id: str | None = None,
        experiment_id: str | None = None,
        lease_us: int = OWN_LEASE_US,
    ) -> list[Row]:
        """Inserts tasks of one method with the numbers from `first`; `relay` as for `add`, "" for any relay."""
        method, count = news[0].method, len(news)
        change = self.next(connection, "change", count)
        rows = [
            pending(one, first + i, change + i, now, group_id, workflow_id, experiment_id)
            for i, one in enumerate(news)
        ]
        _tie(rows, news)
        fast_sql.insert(connection, tasks, _COLUMNS, list(_values(rows)))
        status = TaskStatus.PENDING.value
        begun = [(row["num"], status, 0, None, None, now, now) for row in rows]
        fast_sql.insert(connection, task_events, EVENT, begun)
        if relay is not None:
            lease = (method, relay or None, now + lease_us if relay else 0)
            ready = [(row["num"], *lease) for row, new in zip(rows, news, strict=True) if not new.waits]
            fast_sql.insert(connection, outbox, _OUTBOX, ready)
        if experiment_id is None:
            self.count(connection, Counter({(method, status): count}))
        return rows

    def _rows(self, connection: sa.Connection, nums: range) -> list[Row]:
        query = sa.select(tasks).where(tasks.c.num.between(nums.start, nums.stop - 1)).order_by(tasks.c.num)
        return [dict(row) for row in connection.execute(query).mappings()]


def _values(rows: Iterable[Row]) -> Iterator[tuple[Any, ...]]:
    params, text = None, None
    for row in rows:
        if row["params"] is not params:  # equal tasks share theirs
            params, text = row["params"], fast_sql.json_text(row["params"])
        texts = {"params": text, "options": fast_sql.json_text(row["options"]), "result": None}
        yield _VALUES(row | texts)


def _nums(known: sa.Row[Any]) -> range:
    return range(known.first_num, known.first_num + known.count)
