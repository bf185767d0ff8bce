"""What the clean-up removes, what it leaves, and how long it holds the store."""

import time
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from api.services import Services
from experiments.model import ArmTurn, Figures
from experiments.plan import Arm, Plan
from lab.clock import to_us
from lab.status import StatusUpdate, TaskStatus
from store.schedule import Cleanup
from store.tables import (
    experiment_runs,
    experiments,
    fault_runs,
    reports,
    schedule_runs,
    submissions,
    task_counts,
    task_events,
    task_groups,
    tasks,
    workflows,
)
from store.tasks import NewGroup, NewTask, Store
from tests.fault_samples import a_document, keep

TIMED = NewTask("celery", "process_task", {"timeout": 1.0}, 1.0)
NOW = datetime.now(UTC)
OLD, YOUNG = NOW - timedelta(days=40), NOW - timedelta(days=20)
CUTOFF = to_us(NOW - timedelta(days=30))


def ended(store: Store, ids: list[str], at: datetime, status: TaskStatus = TaskStatus.DONE) -> None:
    store.apply([StatusUpdate(task_id=one, status=status, at=at) for one in ids])


def add(store: Store, count: int = 1, group: str | None = None) -> list[str]:
    rows = store.add([TIMED] * count, group=NewGroup(group) if group else None).rows
    return [row["id"] for row in rows]


def make_old(store: Store) -> None:
    """Lets all that has a time of making have been made 40 days ago."""
    with store.engine.begin() as connection:
        for table in (tasks, task_groups, reports, schedule_runs, submissions, workflows):
            connection.execute(table.update().values(created_us=to_us(OLD)))


def clean(store: Store, batch: int = 500) -> dict[str, int]:
    cleanup, removed = Cleanup(store.engine, batch), dict[str, int]()
    while True:
        step, more = cleanup.step(CUTOFF)
        for name, n in step.items():
            removed[name] = removed.get(name, 0) + n
        if not more:
            return removed


def count(store: Store, table: sa.Table) -> int:
    with store.engine.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def real_counts(store: Store) -> dict[tuple[str, str], int]:
    query = sa.select(tasks.c.method, tasks.c.status, sa.func.count()).group_by(
        tasks.c.method, tasks.c.status
    )
    with store.engine.connect() as connection:
        return {(method, status): n for method, status, n in connection.execute(query)}


def kept_counts(store: Store) -> dict[tuple[str, str], int]:
    query = sa.select(task_counts).where(task_counts.c.n != 0)
    with store.engine.connect() as connection:
        return {(row.method, row.status): row.n for row in connection.execute(query)}


def test_old_tasks_go_with_their_histories_and_the_counts_stay_right(parts: Services) -> None:
    store = parts.store
    ids = add(store, 9)
    ended(store, ids[:3], OLD)
    ended(store, ids[3:5], OLD, TaskStatus.FAILED)
    ended(store, ids[5:7], YOUNG)
    assert clean(store, batch=2) == {"tasks": 5}
    assert [store.get(one) is None for one in ids] == [True] * 5 + [False] * 4
    assert count(store, task_events) == 2 * 2 + 2
    assert kept_counts(store) == real_counts(store) == {("celery", "DONE"): 2, ("celery", "PENDING"): 2}


def test_what_waits_or_runs_is_never_touched_however_old(parts: Services) -> None:
    store = parts.store
    waiting, running, retrying = add(store, 3)
    store.apply(
        [StatusUpdate(task_id=one, status=TaskStatus.IN_PROGRESS, at=OLD) for one in (running, retrying)]
    )
    store.apply([StatusUpdate(task_id=retrying, status=TaskStatus.RETRYING, at=OLD)])
    make_old(store)
    assert clean(store) == {}
    assert all(store.get(one) for one in (waiting, running, retrying))


def test_a_group_goes_when_all_of_it_is_old_and_as_a_whole(parts: Services) -> None:
    store = parts.store
    whole, half, mixed = add(store, 5, "whole"), add(store, 3, "half"), add(store, 2, "mixed")
    make_old(store)
    ended(store, whole, OLD)
    ended(store, half[:2], OLD)
    ended(store, mixed, OLD)
    ended(store, mixed[1:], YOUNG)  # an end is an end: the first counts
    assert clean(store, batch=2) == {"tasks": 7, "groups": 2}
    assert [parts.groups.rows.get(one) is None for one in ("whole", "half", "mixed")] == [True, False, True]
    assert all(store.get(one) for one in half)


def test_a_workflow_goes_with_its_tasks_and_not_before_it_has_ended(parts: Services) -> None:
    store = parts.store
    ids = add(store, 4)
    ended(store, ids, OLD)
    values = {
        "pattern": "chain",
        "method": "celery",
        "params": {},
        "plan": {},
        "created_us": to_us(OLD),
        "deadline_us": 0,
    }
    with store.engine.begin() as connection:
        for name, status, end in (("a", "DONE", to_us(OLD)), ("b", "IN_PROGRESS", None)):
            connection.execute(workflows.insert().values(id=name, status=status, finished_us=end, **values))
        for name, some in (("a", ids[:2]), ("b", ids[2:])):
            connection.execute(tasks.update().where(tasks.c.id.in_(some)).values(workflow_id=name))
    assert clean(store) == {"tasks": 2, "workflows": 1}
    assert count(store, workflows) == 1
    assert count(store, tasks) == 2


def test_old_reports_runs_and_keys_go_too(parts: Services) -> None:
    store, schedule = parts.store, parts.schedule
    schedule.reports.make("a", 0, 1)
    schedule.runs.add("daily-report", 1, "a")
    store.add(TIMED, key="api:a key")
    make_old(store)
    schedule.reports.make("b", 0, 1)
    schedule.runs.add("daily-report", 2, "b")
    assert clean(store) == {"reports": 1, "schedule_runs": 1, "submissions": 1}
    assert count(store, reports) == count(store, schedule_runs) == 1


def test_a_run_outlives_the_task_that_it_was(parts: Services) -> None:
    store = parts.store
    (task,) = add(store)
    parts.schedule.runs.add("daily-report", 1, task)
    ended(store, [task], OLD)
    clean(store)
    (run,) = parts.schedule.runs.newest("daily-report", 5)
    assert (run["task_id"], run["num"], run["status"]) == (task, None, None)


def test_an_experiment_goes_with_its_repetitions_when_it_ended_long_ago(parts: Services) -> None:
    rows, plan = parts.experiments.rows, Plan(arms=[Arm(method="sync")], jobs=1)
    figures = Figures(jobs=1, seconds=1, throughput=1, spreads={}, usage={}, per_job={}, per_worker={})
    ids = [rows.add(plan) for _ in range(3)]
    for one in ids[:2]:
        assert rows.claim() == one
        rows.keep_run(one, ArmTurn(turn=1, arm=0, begun_us=0, figures=figures), b"")
        rows.finish(one, "DONE", None, [], [])
        rows.release(one)
    with parts.store.engine.begin() as connection:
        connection.execute(
            experiments.update().where(experiments.c.id == ids[0]).values(finished_us=to_us(OLD))
        )
    assert clean(parts.store) == {"experiments": 1}
    assert [rows.get(one) is None for one in ids] == [True, False, False]
    assert count(parts.store, experiment_runs) == 1


def test_a_fault_run_goes_when_it_ended_long_ago(parts: Services) -> None:
    old, young = keep(parts, a_document("celery:safe")), keep(parts, a_document("celery:safe"))
    with parts.store.engine.begin() as connection:
        connection.execute(fault_runs.update().where(fault_runs.c.id == old).values(finished_us=to_us(OLD)))
    assert clean(parts.store) == {"fault_runs": 1}
    assert [parts.faults.get(one) is None for one in (old, young)] == [True, False]


def test_writers_hardly_wait_while_much_is_removed(parts: Services) -> None:
    store = parts.store
    ids = [row["id"] for row in store.add(TIMED, 4000).rows]
    for start in range(0, len(ids), 1000):
        ended(store, ids[start : start + 1000], OLD)
    cleanup, longest = Cleanup(store.engine), 0.0
    while True:
        began = time.monotonic()
        _, more = cleanup.step(CUTOFF)
        longest = max(longest, time.monotonic() - began)
        if not more:
            break
    assert count(store, tasks) == 0
    assert longest < 5.0  # a step is several transactions; SQLite's writers wait up to 15 s
