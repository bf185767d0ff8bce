"""Experiments on a lab that runs: real workers, a real broker, and what becomes of them in trouble."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from experiments.figures import figures_of
from experiments.model import Experiment
from experiments.verdict import verdict_of
from harness.lab import Lab
from harness.node import RabbitNode
from harness.processes import ManagedProcess
from harness.proxy import TcpProxy
from lab.settings import Settings
from store.engine import create_engine
from store.experiments import ExperimentRows
from tests.faults.stage import host_and_port
from tests.vhosts import make_vhost
from transports.control import create_control

pytestmark = pytest.mark.slow

SAFE_ARMS = [{"method": "celery"}, {"method": "rabbitmq"}, {"method": "sync"}]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, node: RabbitNode) -> Iterator[Lab]:
    """A lab of its own, with a Celery worker and a consumer of three jobs at once each."""
    url = make_vhost(node)
    with Lab(tmp_path_factory.mktemp("lab"), url, management_url=node.management_url) as lab:
        lab.start_celery()
        lab.start_consumer()
        yield lab


@pytest.fixture
def own(tmp_path: Path, node: RabbitNode) -> Iterator[Lab]:
    """A lab to be broken: an API without workers."""
    with Lab(tmp_path, make_vhost(node), management_url=node.management_url) as lab:
        yield lab


def start(lab: Lab, **plan: Any) -> str:
    answer = lab.session.post(f"{lab.url}/api/experiments", json=plan, timeout=30)
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == f"/api/experiments/{answer.json()['id']}"
    return str(answer.json()["id"])


def look(lab: Lab, experiment_id: str) -> dict[str, Any]:
    answer = lab.session.get(f"{lab.url}/api/experiments/{experiment_id}", timeout=30)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def wait_until(
    lab: Lab, experiment_id: str, done: Callable[[dict[str, Any]], bool], timeout: float = 120.0
) -> dict[str, Any]:
    deadline = time.monotonic() + timeout
    while not done(found := look(lab, experiment_id)):
        assert time.monotonic() < deadline, (found["status"], found["step"], found["error"])
        time.sleep(0.1)
    return found


def has_ended(found: dict[str, Any]) -> bool:
    return found["status"] not in ("PENDING", "IN_PROGRESS")


def run(lab: Lab, **plan: Any) -> Experiment:
    """Runs `plan` to its end."""
    found = wait_until(lab, start(lab, **plan), has_ended)
    found.pop("race")
    return Experiment.model_validate(found)


def rows_of(lab: Lab) -> ExperimentRows:
    return ExperimentRows(create_engine(f"sqlite:///{lab.base}/lab.sqlite3"))


def consumer_of(lab: Lab) -> ManagedProcess:
    return next(worker for worker in lab.workers if worker.log.name == "consumer.log")


@pytest.mark.parametrize("reports", ["beside", "in_path"])
def test_three_methods_take_turns_and_every_job_of_every_repetition_is_accounted_for(
    running: Lab, reports: str
) -> None:
    found = run(
        running,
        arms=SAFE_ARMS,
        reports=reports,
        jobs=40,
        repetitions=2,
        duration={"law": "uniform", "low": 0.002, "high": 0.01},
    )
    assert (found.status, found.error, found.progress) == ("DONE", None, 1.0)
    assert [(one.turn, one.arm) for one in found.runs] == [
        (turn, arm) for turn in range(3) for arm in range(3)
    ]
    rows_of_differences = {row.key: row for row in found.fairness}
    assert rows_of_differences["concurrency"].equal
    assert (
        rows_of_differences["consumer_timeout"].values[0] == "7200 seconds; RabbitMQ's default: 1800 seconds"
    )
    assert ("report" in found.runs[0].figures.spreads) is (reports == "in_path")
    assert found.environment["broker"].startswith("RabbitMQ")
    assert [total.arm for total in found.totals] == [0, 1, 2]
    rows = rows_of(running)
    drawn: set[tuple[float, ...]] = set()
    for one in found.runs:
        samples = rows.samples(found.id, one.turn, one.arm)
        assert [sample.status for sample in samples] == ["DONE"] * 40
        assert len({sample.worker for sample in samples}) >= 1
        for sample in samples:
            assert sample.attempts == 1
            assert sample.published_us is not None
            assert sample.started_us is not None
            assert sample.finished_us is not None
            assert sample.recorded_us is not None
            assert sample.due_us <= sample.started_us
            assert sample.started_us + sample.seconds * 900_000 <= sample.finished_us
            assert sample.published_us <= sample.started_us + 1_000
            assert sample.finished_us <= sample.recorded_us + 1_000
        figures = one.figures
        again = figures_of(samples, found.plan, one.begun_us, figures.usage, figures.disturbance)
        assert again.model_dump() == one.figures.model_dump()
        drawn.add(tuple(sample.seconds for sample in samples))
    assert len(drawn) == 3  # the arms of a turn have the same jobs, each turn has others
    rows.engine.dispose()


def test_contenders_as_they_come_end_all_their_jobs_too(tmp_path: Path, node: RabbitNode) -> None:
    arms = [{"method": method, "delivery": "naive"} for method in ("celery", "rabbitmq")]
    url = make_vhost(node)
    with Lab(tmp_path, url, management_url=node.management_url, env={"DELIVERY": "naive"}) as lab:
        lab.start_celery()
        lab.start_consumer()
        found = run(lab, arms=arms, jobs=60, repetitions=1, work="noop")
    assert (found.status, found.error) == ("DONE", None)
    assert [(total.lost, total.duplicates) for total in found.totals] == [(0, 0), (0, 0)]
    assert "cpu.workers" not in found.totals[1].figures  # nobody can ask the tutorial's worker
    values = {row.key: row.values for row in found.fairness}
    assert values["confirms"] == ["none", "none"]
    assert values["workers"] == ["1", "3"]


def test_tasks_of_experiments_are_kept_out_of_the_list_and_can_be_asked_for(running: Lab) -> None:
    found = run(running, arms=SAFE_ARMS[1:2], jobs=5, repetitions=1, warm_up=False, work="noop")
    listed = running.session.get(f"{running.url}/api/tasks", timeout=30).json()
    assert listed["tasks"] == []
    asked = running.session.get(f"{running.url}/api/tasks?experiment={found.id}", timeout=30).json()
    assert len(asked["tasks"]) == 5


def test_jobs_that_the_plan_lets_fail_fail_and_are_not_tried_again(running: Lab) -> None:
    found = run(
        running,
        arms=SAFE_ARMS,
        jobs=20,
        work="failing",
        p=1.0,
        duration={"law": "fixed", "seconds": 0.0},
        repetitions=1,
        warm_up=False,
    )
    assert [(one.figures.failed, one.figures.retries) for one in found.runs] == [(20, 0)] * 3


def test_of_two_experiments_the_second_waits_for_its_turn(running: Lab) -> None:
    plan = {"arms": SAFE_ARMS[1:2], "jobs": 10, "repetitions": 1, "warm_up": False}
    first, second = start(running, **plan), start(running, **plan)
    ended = [wait_until(running, each, has_ended) for each in (first, second)]
    assert [one["status"] for one in ended] == ["DONE", "DONE"]
    assert ended[0]["finished_at"] <= ended[1]["started_at"]
    listed = running.session.get(f"{running.url}/api/experiments?limit=1", timeout=30).json()
    assert [one["id"] for one in listed["experiments"]] == [second]
    older = running.session.get(
        f"{running.url}/api/experiments?limit=1&cursor={listed['next']}", timeout=30
    ).json()
    assert [one["id"] for one in older["experiments"]] == [first]


def test_a_worker_that_stands_still_for_five_seconds_is_in_the_p99_of_an_open_loop(running: Lab) -> None:
    experiment_id = start(
        running,
        arms=SAFE_ARMS[1:2],
        seconds=8,
        arrival={"law": "open", "rate": 20, "spacing": "even"},
        duration={"law": "fixed", "seconds": 0.001},
        repetitions=1,
        warm_up=False,
        equalise=False,
    )
    wait_until(running, experiment_id, lambda found: found["progress"] > 0.05)
    worker = consumer_of(running)
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        time.sleep(5.0)
    finally:
        os.kill(worker.pid, signal.SIGCONT)
    ended = wait_until(running, experiment_id, has_ended)
    assert (ended["status"], ended["error"]) == ("DONE", None)
    (only,) = ended["runs"]
    assert only["figures"]["lost"] == 0
    assert only["figures"]["spreads"]["end_to_end"]["p99"] >= 4_500
    assert only["figures"]["spreads"]["publish"]["p99"] < 4_500  # what is due goes out all the same


def test_a_worker_that_is_resized_while_it_runs_is_in_the_table_of_differences(running: Lab) -> None:
    control = create_control("rabbitmq", Settings.from_env(running.env))
    (name,) = {one.name for one in control.pictures()}
    experiment_id = start(
        running,
        arms=SAFE_ARMS[1:2],
        jobs=90,
        repetitions=3,
        warm_up=False,
        duration={"law": "fixed", "seconds": 0.05},
    )
    wait_until(running, experiment_id, lambda found: found["progress"] > 0.05)
    control.grow(name, 2)
    ended = wait_until(running, experiment_id, has_ended)
    control.shrink(name, 2)
    (row,) = [row for row in ended["fairness"] if row["key"] == "concurrency"]
    assert (row["values"], row["equal"], row["changed"]) == (["3 → 5"], False, True)


def test_a_broker_that_was_away_meanwhile_is_in_the_verdict(tmp_path: Path, node: RabbitNode) -> None:
    url = make_vhost(node)
    with (
        TcpProxy(*host_and_port(url)) as proxy,
        Lab(tmp_path, proxy.url(url), management_url=node.management_url) as lab,
    ):
        lab.start_consumer()
        arms = [{"method": "rabbitmq"}, {"method": "sync"}]
        arrival = {"law": "open", "rate": 20, "spacing": "even"}
        experiment_id = start(lab, arms=arms, jobs=60, arrival=arrival, repetitions=1, warm_up=False)
        wait_until(lab, experiment_id, lambda found: found["progress"] > 0.1)
        proxy.cut()
        time.sleep(1)
        proxy.heal()
        found = wait_until(lab, experiment_id, has_ended)
        found.pop("race")
    ended = Experiment.model_validate(found)
    assert (ended.status, ended.error) == ("DONE", None)
    assert [(total.lost, total.disturbed) for total in ended.totals] == [(0, 1), (0, 0)]
    assert "The broker was away: “RabbitMQ, safe”: 1." in " ".join(verdict_of(ended).marks)


def test_a_cancelled_experiment_ends_within_two_seconds_and_leaves_nothing_running(running: Lab) -> None:
    experiment_id = start(
        running,
        arms=SAFE_ARMS,
        jobs=500,
        repetitions=3,
        warm_up=False,
        equalise=False,
        duration={"law": "fixed", "seconds": 0.2},
    )
    wait_until(running, experiment_id, lambda found: found["progress"] > 0.005)
    path = f"{running.url}/api/experiments/{experiment_id}/cancel"
    assert running.session.post(path, timeout=30).status_code == 202
    asked = time.monotonic()
    assert wait_until(running, experiment_id, has_ended)["status"] == "CANCELLED"
    assert time.monotonic() - asked < 5.0  # two on a quiet machine
    assert running.session.post(path, timeout=30).status_code == 409
    rows = rows_of(running)
    deadline = time.monotonic() + 20
    while rows.unfinished_tasks(experiment_id):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    rows.engine.dispose()


def test_jobs_that_have_not_ended_by_the_deadline_count_as_lost(running: Lab) -> None:
    found = run(
        running,
        arms=SAFE_ARMS[1:],
        jobs=9,
        duration={"law": "values", "values": [0.0, 30.0]},
        deadline=2.0,
        repetitions=1,
        warm_up=False,
        equalise=False,
        seed=3,
    )
    assert found.status == "DONE"
    for one in found.runs:
        assert 0 < one.figures.lost <= 9
    assert found.totals[0].lost == found.runs[0].figures.lost


def test_an_arm_that_nobody_would_work_for_is_refused_with_what_to_start(running: Lab) -> None:
    arms = [{"method": "rabbitmq"}, {"method": "rabbitmq", "delivery": "naive"}]
    deadline = time.monotonic() + 30
    while (answer := post(running, arms)).status_code == 202 and time.monotonic() < deadline:
        # Before the first picture was taken it is the experiment's own process that says so.
        ended = wait_until(running, answer.json()["id"], has_ended)
        assert (ended["status"], "DELIVERY=naive python -m consumer" in ended["error"]) == ("FAILED", True)
    assert answer.status_code == 409
    told = answer.json()
    assert told["arm"] == {"method": "rabbitmq", "delivery": "naive"}
    assert "`DELIVERY=naive python -m consumer --concurrency 3 -n naive@%h`" in told["detail"]
    assert "`docker compose --profile naive up -d`" in told["detail"]


def post(lab: Lab, arms: list[dict[str, str]]) -> Any:
    plan = {"arms": arms, "jobs": 5, "repetitions": 1}
    return lab.session.post(f"{lab.url}/api/experiments", json=plan, timeout=30)


def test_an_experiment_whose_api_was_killed_is_interrupted_and_keeps_what_it_had(own: Lab) -> None:
    experiment_id = start(
        own, arms=[{"method": "sync"}], jobs=40, repetitions=50, duration={"law": "fixed", "seconds": 0.05}
    )
    wait_until(own, experiment_id, lambda found: len(found["runs"]) >= 3)
    own.api.kill_group()
    own.api.start()
    own.wait_for_api()
    ended = wait_until(own, experiment_id, has_ended, timeout=60)
    assert ended["status"] == "FAILED"
    assert ended["error"].startswith("interrupted")
    assert len(ended["runs"]) >= 3
    assert ended["totals"][0]["figures"]["throughput"]["value"] > 0
    assert run(own, arms=[{"method": "sync"}], jobs=3, repetitions=1).status == "DONE"


def test_an_experiment_ends_with_the_process_of_the_api_that_runs_it(own: Lab) -> None:
    experiment_id = start(
        own, arms=[{"method": "sync"}], jobs=40, repetitions=50, duration={"law": "fixed", "seconds": 0.05}
    )
    wait_until(own, experiment_id, lambda found: len(found["runs"]) >= 2)
    own.restart_api()
    ended = wait_until(own, experiment_id, has_ended, timeout=60)
    assert (ended["status"], ended["error"].partition(":")[0]) == ("FAILED", "interrupted")
