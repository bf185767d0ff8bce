from typing import Any

import pytest

from api.services import Services
from experiments.model import ArmTurn, FairnessRow, Figures, Sample
from experiments.plan import Arm, Plan, Reports
from experiments.sampling import pack
from lab.status import StatusUpdate, TaskStatus
from store.experiments import INTERRUPTED, LEASE_US, REST_US, ExperimentRows, conclude
from store.tables import experiments
from store.tasks import KeyReused, NewTask

PLAN = Plan(arms=[Arm(method="celery"), Arm(method="sync")], jobs=3)


@pytest.fixture
def rows(parts: Services) -> ExperimentRows:
    return parts.experiments.rows


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    now = [1_800_000_000_000_000]
    for module in ("experiments", "experiment_queries"):
        monkeypatch.setattr(f"store.{module}.now_us", lambda: now[0])
    return now


def made_run(turn: int = 1, arm: int = 0, throughput: float = 10.0) -> ArmTurn:
    figures = Figures(
        jobs=3, seconds=0.3, throughput=throughput, spreads={}, usage={}, per_job={}, per_worker={}
    )
    return ArmTurn(turn=turn, arm=arm, begun_us=5, figures=figures)


def test_an_experiment_begins_as_it_was_asked_for(rows: ExperimentRows) -> None:
    found = rows.get(rows.add(PLAN))
    assert found is not None
    assert (found.status, found.plan, found.progress, found.runs) == ("PENDING", PLAN, 0.0, [])
    assert rows.get("nothing") is None


def test_the_same_plan_under_the_same_key_is_taken_once(rows: ExperimentRows) -> None:
    first = rows.add(PLAN, "a key")
    assert rows.add(PLAN, "a key") == first
    assert rows.add(PLAN) != first
    with pytest.raises(KeyReused):
        rows.add(PLAN.model_copy(update={"jobs": 4}), "a key")


def test_one_runs_at_a_time_and_the_oldest_is_next(rows: ExperimentRows) -> None:
    first, second = rows.add(PLAN), rows.add(PLAN)
    assert rows.claim() == first
    assert rows.claim() is None
    assert rows.finish(first, "DONE", None, [], [])
    assert rows.claim() is None  # its process sets the workers back
    rows.release(first)
    assert rows.claim() == second
    assert not rows.waiting()


def test_an_experiment_that_has_ended_stays_as_it_ended(rows: ExperimentRows) -> None:
    experiment_id = rows.add(PLAN)
    rows.claim()
    assert rows.finish(experiment_id, "FAILED", "because", [], [])
    assert not rows.finish(experiment_id, "DONE", None, [], [])
    rows.tell(experiment_id, 0.5, "a late word", {})
    found = rows.get(experiment_id)
    assert found is not None
    assert (found.status, found.error, found.step) == ("FAILED", "because", "")


def test_a_lease_that_nobody_renews_runs_out(rows: ExperimentRows, clock: list[int]) -> None:
    experiment_id = rows.add(PLAN)
    rows.claim()
    clock[0] += 3 * LEASE_US  # its process takes long to start
    assert rows.overdue() == []
    assert rows.renew(experiment_id) == (True, False)
    clock[0] += LEASE_US
    assert rows.overdue() == []
    clock[0] += 1
    assert rows.overdue() == [experiment_id]


def test_one_that_has_ended_keeps_its_lease_until_it_is_given_back(
    rows: ExperimentRows, clock: list[int]
) -> None:
    experiment_id, second = rows.add(PLAN), rows.add(PLAN)
    rows.claim()
    rows.finish(experiment_id, "FAILED", "because", [], [])
    clock[0] += LEASE_US - 1
    assert rows.renew(experiment_id) == (False, False)
    clock[0] += LEASE_US - 1
    assert (rows.claim(), rows.not_cleaned_up()) == (None, [])
    clock[0] += 2
    assert (rows.overdue(), rows.not_cleaned_up()) == ([], [experiment_id])
    rows.release(experiment_id)
    assert rows.renew(experiment_id) == (False, False)
    assert rows.not_cleaned_up() == []
    assert rows.claim() == second


def test_one_that_is_held_back_keeps_the_next_from_beginning_for_a_while(
    rows: ExperimentRows, clock: list[int]
) -> None:
    experiment_id, second = rows.add(PLAN), rows.add(PLAN)
    rows.claim()
    clock[0] += LEASE_US + 1
    rows.hold_back(experiment_id)
    rows.finish(experiment_id, "FAILED", "because", [], [])
    rows.release(experiment_id, late=True)
    assert rows.claim() is None
    clock[0] += REST_US + 1
    rows.release(experiment_id, late=True)
    assert rows.claim() == second


def test_cancelling_ends_what_waits_at_once_and_tells_what_runs(rows: ExperimentRows) -> None:
    running, waiting = rows.add(PLAN), rows.add(PLAN)
    rows.claim()
    assert rows.request_cancel(running)
    assert rows.request_cancel(waiting)
    assert rows.renew(running) == (True, True)
    found = rows.get(waiting)
    assert found is not None
    assert found.status == "CANCELLED"
    assert not rows.request_cancel(waiting)
    assert not rows.request_cancel("nothing")


def test_what_an_experiment_found_comes_back(rows: ExperimentRows) -> None:
    experiment_id = rows.add(PLAN)
    rows.claim()
    fairness = [FairnessRow(key="prefetch", values=["3", "none"], equal=False)]
    rows.keep_setting(experiment_id, fairness, {"cores": "2"})
    samples = [Sample(index=0, seconds=0.1, due_us=5, status="DONE", attempts=1)]
    rows.keep_run(experiment_id, made_run(arm=1), pack(samples))
    rows.keep_run(experiment_id, made_run(arm=0), pack([]))
    rows.tell(experiment_id, 0.25, "turn 1 of 5, Sync", {"Sync": [(0.0, 0.0), (0.5, 1.0)]})
    found = rows.get(experiment_id)
    assert found is not None
    assert (found.fairness, found.environment, found.progress) == (fairness, {"cores": "2"}, 0.25)
    assert found.runs == [made_run(arm=0), made_run(arm=1)]
    head = rows.get(experiment_id, runs=False)
    assert head is not None
    assert (head.progress, head.runs) == (0.25, [])
    assert rows.samples(experiment_id, 1, 1) == samples
    assert rows.samples(experiment_id, 2, 1) == []
    assert rows.race(experiment_id) == {"Sync": [(0.0, 0.0), (0.5, 1.0)]}


def test_an_experiment_that_is_broken_off_keeps_totals_of_what_it_had(rows: ExperimentRows) -> None:
    experiment_id = rows.add(PLAN)
    rows.claim()
    rows.keep_run(experiment_id, made_run(throughput=10.0), pack([]))
    rows.keep_run(experiment_id, made_run(turn=2, throughput=20.0), pack([]))
    assert conclude(rows, experiment_id, "FAILED", INTERRUPTED)
    assert not conclude(rows, experiment_id, "DONE")
    found = rows.get(experiment_id)
    assert found is not None
    assert found.totals[0].figures["throughput"].value == 15.0
    assert found.finished_us is not None


def test_the_newest_come_first_page_by_page(rows: ExperimentRows) -> None:
    ids = [rows.add(PLAN) for _ in range(5)]
    seen, before = [], None
    while True:
        page, before = rows.page(2, before)
        seen += [one.id for one in page]
        if before is None:
            break
    assert seen == ids[::-1]


def test_ends_of_tasks_are_told_once(parts: Services, rows: ExperimentRows) -> None:
    experiment_id, seen = rows.add(PLAN), rows.last_event()
    tasks = add_tasks(parts, experiment_id, 3)
    seen, ended = rows.ends_after(seen)
    assert ended == []
    parts.store.apply([StatusUpdate(task_id=tasks[1]["id"], status=TaskStatus.DONE)])
    seen, ended = rows.ends_after(seen)
    assert ended == [tasks[1]["num"]]
    assert rows.ends_after(seen) == (seen, [])
    assert rows.unfinished_tasks(experiment_id) == [tasks[0]["id"], tasks[2]["id"]]
    assert rows.unfinished_tasks(experiment_id, tasks[2]["num"]) == [tasks[2]["id"]]


def test_rows_of_samples_are_of_one_experiment_alone(parts: Services, rows: ExperimentRows) -> None:
    mine = add_tasks(parts, rows.add(PLAN), 1)
    others = add_tasks(parts, other := rows.add(PLAN), 2)
    parts.store.apply([StatusUpdate(task_id=others[0]["id"], status=TaskStatus.DONE, worker="w")])
    tasks, events, begins = rows.sampled(other, mine[0]["num"], others[1]["num"])
    assert [(task["num"], task["status"]) for task in tasks] == [
        (others[0]["num"], "DONE"),
        (others[1]["num"], "PENDING"),
    ]
    assert [(event["num"], event["status"]) for event in events] == [(others[0]["num"], "DONE")]
    assert begins == {}


def test_an_experiment_of_before_there_was_a_choice_had_its_reports_in_the_path(rows: ExperimentRows) -> None:
    experiment_id = rows.add(PLAN)
    old = {name: value for name, value in PLAN.model_dump(mode="json").items() if name != "reports"}
    with rows.engine.begin() as connection:
        connection.execute(experiments.update().values(plan=old))
    found = rows.get(experiment_id)
    assert found is not None
    assert (PLAN.reports, found.plan.reports) == (Reports.BESIDE, Reports.IN_PATH)


def test_when_messages_were_written_is_noted_for_many_at_once(parts: Services, rows: ExperimentRows) -> None:
    tasks = add_tasks(parts, rows.add(PLAN), 3)
    rows.note_published({})
    rows.note_published({tasks[0]["num"]: 5, tasks[2]["num"]: 7})
    found = parts.store.get_all([task["id"] for task in tasks])
    assert [task["published_us"] for task in found] == [5, None, 7]


def test_the_store_names_its_database(rows: ExperimentRows) -> None:
    assert rows.database().startswith(("SQLite 3.", "PostgreSQL 1"))


def add_tasks(parts: Services, experiment_id: str, count: int) -> list[dict[str, Any]]:
    new = NewTask("rabbitmq", "experiment_job", {"seconds": 0.0}, 0.0)
    return list(parts.store.add(new, count, experiment_id=experiment_id).rows)
