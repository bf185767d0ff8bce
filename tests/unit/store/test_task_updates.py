import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lab.status import StatusUpdate, TaskStatus
from store.tasks import NewTask, Store
from tests.tasks import TIMED, statuses, update


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    made = Store(database_url)
    yield made
    made.close()


def test_a_task_goes_its_way_and_keeps_its_times(store: Store) -> None:
    task = store.add(TIMED).rows[0]["id"]
    store.apply([update(task, "IN_PROGRESS", 1, worker="w", progress=0.0)])
    store.apply([update(task, "DONE", 6, worker="w", result={"a": [1, "ж"]})])
    row = store.get(task)
    assert row is not None
    assert (row["status"], row["worker"], row["result"]) == ("DONE", "w", {"a": [1, "ж"]})
    assert row["finished_us"] - row["started_us"] == 5_000_000
    assert row["progress"] == 1.0
    assert statuses(store, 1) == [("PENDING", 0), ("IN_PROGRESS", 1), ("DONE", 1)]


@pytest.mark.parametrize(
    "result",
    [
        math.factorial(25),
        -math.factorial(1500),
        2**63,
        0,
        1.5,
        1e300,
        "7",
        "1e5",
        True,
        [2**70],
        {"n": 2**70},
    ],
    ids=str,
)
def test_a_result_is_kept_to_its_last_digit(store: Store, result: object) -> None:
    task = store.add(TIMED).rows[0]["id"]
    store.apply([update(task, "DONE", 1, result=result)])
    row = store.get(task)
    assert row is not None
    assert (type(row["result"]), row["result"]) == (type(result), result)
    assert store.apply([update(task, "DONE", 2)])[0].status is TaskStatus.DONE


def test_an_update_that_comes_twice_or_late_changes_nothing(store: Store) -> None:
    task = store.add(TIMED).rows[0]["id"]
    begin, done = update(task, "IN_PROGRESS", 1), update(task, "DONE", 2)
    answers = store.apply([done, begin, done, update(task, "FAILED", 3, error="late")])
    assert [answer.applied for answer in answers] == [True, False, False, False]
    assert {answer.status for answer in answers} == {TaskStatus.DONE}
    row = store.get(task)
    assert row is not None
    assert (row["status"], row["error"], row["started_us"]) == ("DONE", None, None)
    assert statuses(store, 1) == [("PENDING", 0), ("DONE", 1)]


def test_progress_moves_forward_only_and_makes_no_history(store: Store) -> None:
    task = store.add(TIMED).rows[0]["id"]
    shares = [0.0, 0.5, 0.25, 0.5]
    answers = [store.apply([update(task, "IN_PROGRESS", progress=share)])[0].applied for share in shares]
    assert answers == [True, True, False, False]
    row = store.get(task)
    assert row is not None
    assert row["progress"] == 0.5
    assert len(store.history(1)) == 2


def test_a_second_attempt_begins_anew_and_the_first_is_history(store: Store) -> None:
    task = store.add(TIMED).rows[0]["id"]
    store.apply([update(task, "IN_PROGRESS", 1, progress=0.0), update(task, "IN_PROGRESS", 2, progress=0.9)])
    store.apply([update(task, "IN_PROGRESS", 3, attempt=2, worker="second", progress=0.0)])
    row = store.get(task)
    assert row is not None
    assert (row["attempt"], row["progress"], row["worker"]) == (2, 0.0, "second")
    assert not store.apply([update(task, "DONE", 4, attempt=1)])[0].applied
    assert statuses(store, 1) == [("PENDING", 0), ("IN_PROGRESS", 1), ("IN_PROGRESS", 2)]


def test_an_unknown_task_is_said_so_and_hurts_no_other(store: Store) -> None:
    task = store.add(TIMED).rows[0]["id"]
    answers = store.apply([update("nobody", "DONE"), update(task, "DONE")])
    assert [(answer.applied, answer.error) for answer in answers] == [(False, "unknown task"), (True, None)]


def test_counts_follow_every_change(store: Store) -> None:
    tasks = [row["id"] for row in store.add(TIMED, 3).rows]
    store.add(NewTask("sync", "process_task", {"timeout": 0.0}, 0.0), 2)
    store.apply([update(tasks[0], "IN_PROGRESS"), update(tasks[1], "DONE"), update(tasks[1], "DONE")])
    assert {k: v for k, v in store.counts().items() if v} == {"PENDING": 3, "IN_PROGRESS": 1, "DONE": 1}
    assert {k: v for k, v in store.counts("sync").items() if v} == {"PENDING": 2}


def test_writers_at_once_lose_nothing(store: Store) -> None:
    tasks = [row["id"] for row in store.add(TIMED, 40).rows]

    def work(task: str) -> None:
        store.apply([update(task, "IN_PROGRESS")])
        store.add(TIMED)
        store.apply([update(task, "DONE")])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, tasks))
    assert {k: v for k, v in store.counts().items() if v} == {"PENDING": 40, "DONE": 40}
    changes = [row["change_id"] for row in store.changed_since(0, 1000)]
    assert changes == sorted(set(changes))
    assert store.last_change() == changes[-1]


def test_changes_since_a_moment_show_each_task_once_as_it_stands(store: Store) -> None:
    first, second = (row["id"] for row in store.add(TIMED, 2).rows)
    seen = store.last_change()
    store.apply([update(second, "IN_PROGRESS")])
    store.apply([update(first, "IN_PROGRESS")])
    store.apply([update(second, "DONE")])
    assert [(row["id"], row["status"]) for row in store.changed_since(seen, 10)] == [
        (first, "IN_PROGRESS"),
        (second, "DONE"),
    ]


def asks(task: str, run: str, attempt: int = 1, *, first: bool = True) -> StatusUpdate:
    return update(task, "IN_PROGRESS", progress=0.0, run=run, attempt=attempt, first=first)


def test_a_copy_of_a_message_that_is_worked_on_is_told_to_skip(store: Store) -> None:
    task = store.add(TIMED).rows[0]["id"]
    assert [answer.run for answer in store.apply([asks(task, "a"), asks(task, "b")])] == [True, False]


def test_whoever_asks_again_about_its_own_run_goes_on(store: Store) -> None:
    task = store.add(TIMED).rows[0]["id"]
    assert [answer.run for answer in store.apply([asks(task, "a"), asks(task, "a")])] == [True, True]


def test_a_message_that_was_delivered_before_is_never_called_a_copy(store: Store) -> None:
    task = store.add(TIMED).rows[0]["id"]
    store.apply([asks(task, "a")])
    assert store.apply([asks(task, "b", first=False)])[0].run
    assert store.apply([asks(task, "c", 2, first=False)])[0].run


def test_a_retry_is_no_copy_and_its_own_copy_is(store: Store) -> None:
    task = store.add(TIMED).rows[0]["id"]
    store.apply([asks(task, "a"), update(task, "RETRYING", error="once")])
    assert not store.apply([asks(task, "copy of the first")])[0].run
    assert store.apply([asks(task, "b", 2)])[0].run
    assert not store.apply([asks(task, "copy of the second", 2)])[0].run


def test_one_batch_may_take_a_task_from_its_begin_to_its_end(store: Store) -> None:
    first, second = (row["id"] for row in store.add(TIMED, 2).rows)
    answers = store.apply(
        [
            update(first, "IN_PROGRESS", 1, worker="w", run="r"),
            update(second, "IN_PROGRESS", 2, progress=0.0),
            update(first, "DONE", 3, worker="w", result=[1]),
            update(second, "IN_PROGRESS", 4, progress=0.5),
            update(second, "RETRYING", 5, error="once"),
        ]
    )
    assert all(answer.applied for answer in answers)
    one, two = store.get(first), store.get(second)
    assert one is not None
    assert two is not None
    assert (one["status"], one["worker"], one["run"], one["result"]) == ("DONE", "w", "r", [1])
    assert one["finished_us"] - one["started_us"] == 2_000_000
    assert (two["status"], two["error"], two["finished_us"]) == ("RETRYING", "once", None)
    assert statuses(store, 1) == [("PENDING", 0), ("IN_PROGRESS", 1), ("DONE", 1)]
    assert {k: n for k, n in store.counts().items() if n} == {"DONE": 1, "RETRYING": 1}


def stamped(task: str, run: str, status: str = "DONE", **fields: Any) -> StatusUpdate:
    """A run that began at second 1 and ended at second 3."""
    return update(task, status, 3, run=run, began_at=update(task, status, 1).at, **fields)


def test_an_end_that_tells_of_the_begin_is_two_entries_and_one_answer(store: Store) -> None:
    task = store.add(TIMED).rows[0]["id"]
    (answer,) = store.answers([stamped(task, "a", worker="w", result=7)])
    assert answer == {"task_id": task, "applied": True, "status": "DONE", "cancel": False}
    row = store.get(task)
    assert row is not None
    assert (row["run"], row["worker"], row["result"], row["progress"]) == ("a", "w", 7, 1.0)
    assert row["finished_us"] - row["started_us"] == 2_000_000
    assert statuses(store, 1) == [("PENDING", 0), ("IN_PROGRESS", 1), ("DONE", 1)]
    began, ended = store.history(1)[1:]
    assert (began["worker"], began["at_us"], ended["at_us"]) == ("w", row["started_us"], row["finished_us"])


def test_a_stamped_failure_and_its_retry_are_told_in_order(store: Store) -> None:
    task = store.add(TIMED).rows[0]["id"]
    store.apply([stamped(task, "a", "RETRYING", error="once"), stamped(task, "b", attempt=2)])
    assert statuses(store, 1) == [
        ("PENDING", 0),
        ("IN_PROGRESS", 1),
        ("RETRYING", 1),
        ("IN_PROGRESS", 2),
        ("DONE", 2),
    ]
    assert [event["error"] for event in store.history(1)] == [None, None, "once", None, None]


def begins(store: Store) -> int:
    return statuses(store, 1).count(("IN_PROGRESS", 1))


def test_a_job_of_an_experiment_that_was_stamped_twice_ran_twice(store: Store) -> None:
    task = store.add(TIMED, experiment_id="e").rows[0]["id"]
    store.apply([stamped(task, "a"), stamped(task, "b", worker="second")])
    before = store.get(task)
    assert before is not None
    assert (before["run"], before["worker"]) == ("a", None)
    assert begins(store) == 2
    assert statuses(store, 1).count(("DONE", 1)) == 1


def test_a_stamp_that_is_sent_again_is_no_second_run(store: Store) -> None:
    task = store.add(TIMED, experiment_id="e").rows[0]["id"]
    store.apply([stamped(task, "a")])
    change = store.last_change()
    store.apply([stamped(task, "a")])
    assert (begins(store), store.last_change()) == (1, change)


def test_of_runs_that_ask_first_only_those_that_go_on_are_kept(store: Store) -> None:
    task = store.add(TIMED, experiment_id="e").rows[0]["id"]
    store.apply([asks(task, "a"), asks(task, "copy"), asks(task, "delivered again", first=False)])
    assert begins(store) == 2
    store.apply([update(task, "DONE", run="a"), asks(task, "late", first=False)])
    assert begins(store) == 2


def test_other_tasks_keep_no_second_run(store: Store) -> None:
    task = store.add(TIMED).rows[0]["id"]
    store.apply([stamped(task, "a"), stamped(task, "b")])
    assert begins(store) == 1


def test_an_answer_says_what_a_verdict_says(store: Store) -> None:
    task = store.add(TIMED).rows[0]["id"]
    updates = [update(task, "IN_PROGRESS"), update(task, "IN_PROGRESS"), update("nobody", "DONE")]
    assert store.answers(updates) == [
        {"task_id": task, "applied": True, "status": "IN_PROGRESS", "cancel": False},
        {"task_id": task, "applied": False, "status": "IN_PROGRESS", "cancel": False},
        {"task_id": "nobody", "applied": False, "cancel": False, "error": "unknown task"},
    ]


def test_a_batch_of_thousands_is_taken_as_one_by_one(store: Store) -> None:
    ids = [row["id"] for row in store.add(TIMED, 2_500).rows]
    assert all(answer.applied for answer in store.apply([update(one, "DONE") for one in ids]))
    assert store.counts()["DONE"] == 2_500
    assert [row["change_id"] for row in store.changed_since(2_500, 3_000)] == list(range(2_501, 5_001))


@pytest.mark.parametrize("result", [0, 5, 2.5, "5", "text", True, False, [], {}, ["ж", None], {"a": "\x00"}])
def test_any_result_comes_back_as_it_was(store: Store, result: Any) -> None:
    task = store.add(TIMED).rows[0]["id"]
    store.apply([update(task, "DONE", result=result)])
    row = store.get(task)
    assert row is not None
    assert row["result"] == result


def test_a_waiting_task_whose_cancellation_was_taken_ends_cancelled(store: Store) -> None:
    tasks = [row["id"] for row in store.add(TIMED, 150).rows]
    with ThreadPoolExecutor() as threads:
        for task in tasks:
            ended = threads.submit(store.apply, [update(task, "DONE", 1)])
            asked = store.request_cancel([task])[task]
            ended.result()
            assert (asked.before, asked.row["status"]) in [("PENDING", "CANCELLED"), ("DONE", "DONE")]
