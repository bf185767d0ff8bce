import socket
from pathlib import Path

import pytest

from experiments.broker import Broker
from experiments.fairness import KEYS, changed, fairness_of, sync_threads, workers_of
from experiments.model import FairnessRow
from experiments.plan import Arm, Plan, Reports
from lab.delivery import Delivery
from lab.settings import Settings
from transports.control import WorkerPicture

CELERY, RABBITMQ, SYNC = (Arm(method=name) for name in ("celery", "rabbitmq", "sync"))
NAIVE = Arm(method="rabbitmq", delivery=Delivery.NAIVE)


RUNS = {"acknowledgement": "after_job", "versions": {"client": "1.0"}}
"""What a worker tells of itself."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_env({"LAB_VAR": str(tmp_path)})


def plan(*arms: Arm) -> Plan:
    return Plan(arms=list(arms), jobs=1)


def worker(method: str, concurrency: int | None = 3, **more: object) -> WorkerPicture:
    pool = "prefork" if method == "celery" else "threads"
    told = {"name": method, "delivery": "safe", "prefetch": concurrency, "pool": pool, **RUNS, **more}
    return WorkerPicture.model_validate({"method": method, "concurrency": concurrency, **told})


def rows(
    settings: Settings, of: Plan, *pictures: WorkerPicture, equalised: bool = False
) -> dict[str, FairnessRow]:
    found = fairness_of(of, pictures, settings, equalised=equalised)
    assert [row.key for row in found] == list(KEYS)
    return {row.key: row for row in found}


def test_concurrency_and_prefetch_are_those_of_all_workers_together(settings: Settings) -> None:
    found = rows(
        settings,
        plan(CELERY, RABBITMQ),
        worker("celery", 2),
        worker("celery", 4, name="other"),
        worker("celery", 9, delivery="naive"),
        worker("rabbitmq", 6),
    )
    assert found["concurrency"].values == found["prefetch"].values == ["6", "6"]
    assert found["concurrency"].equal
    assert found["workers"].values == ["2", "1"]
    assert not found["workers"].equal


def test_what_differs_is_told_for_each_arm(settings: Settings) -> None:
    found = rows(settings, plan(CELERY, RABBITMQ, NAIVE, SYNC), worker("celery"), worker("rabbitmq", 5))
    assert found["concurrency"].values == ["3", "5", "no worker answers", "3"]
    assert found["pool"].values == ["processes", "threads", "no worker answers", "threads"]
    assert found["acknowledgement"].values == [
        "after the job",
        "after the job",
        "after the job",
        "none",
    ]
    assert found["queue_type"].values == ["quorum", "quorum", "classic", "none"]
    assert found["durability"].values[1:3] == ["queue and messages", "queue and messages"]
    assert found["confirms"].values[2:] == ["none", "none"]
    assert "celery 5" in found["versions"].values[0]
    assert "pika 1" in found["versions"].values[1]


def test_an_arm_that_stands_there_twice_differs_in_nothing(settings: Settings) -> None:
    assert all(row.equal for row in rows(settings, plan(CELERY, CELERY), worker("celery")).values())


def test_how_messages_are_acknowledged_is_what_the_workers_say(settings: Settings) -> None:
    early = worker("celery", acknowledgement="at_begin", name="other")
    found = rows(settings, plan(CELERY, RABBITMQ), worker("celery"), early, worker("rabbitmq"))
    assert found["acknowledgement"].values == ["after the job, when the job begins", "after the job"]
    old = worker("celery", acknowledgement=None, versions=None)
    assert rows(settings, plan(CELERY), old)["acknowledgement"].values == ["unknown"]


def test_versions_are_those_of_the_workers_and_of_who_publishes(settings: Settings) -> None:
    (told,) = rows(settings, plan(CELERY), worker("celery"))["versions"].values
    assert told.startswith("celery 5")
    assert told.endswith("; client 1.0")
    old = rows(settings, plan(CELERY), worker("celery", versions=None))
    assert old["versions"].values[0].endswith("; unknown")


def test_threads_of_celery_are_threads_and_have_no_time_limit(settings: Settings) -> None:
    found = rows(settings, plan(CELERY, RABBITMQ), worker("celery", pool="thread"), worker("rabbitmq"))
    assert found["pool"].equal
    assert found["time_limits"].values == ["none", "its thread is left to itself"]


def test_what_is_no_longer_so_after_the_run_is_shown_and_not_called_equal(settings: Settings) -> None:
    both = (worker("celery"), worker("rabbitmq"))
    before = fairness_of(plan(CELERY, RABBITMQ), both, settings, equalised=True)
    assert changed(before, fairness_of(plan(CELERY, RABBITMQ), both, settings)) == before
    grown = fairness_of(plan(CELERY, RABBITMQ), (both[0], worker("rabbitmq", 9)), settings)
    found = {row.key: row for row in changed(before, grown)}
    row = found["concurrency"]
    assert row.values == ["3", "3 → 9"]
    assert (row.equal, row.done, row.changed) == (False, False, True)
    assert [row.key for row in found.values() if row.changed] == ["concurrency", "prefetch"]


def test_threads_of_sync_that_are_settled_stay_what_they_are(settings: Settings) -> None:
    found = fairness_of(plan(SYNC, CELERY), [worker("celery", 7)], settings, threads=2)
    assert next(row for row in found if row.key == "concurrency").values == ["2", "7"]


def test_a_worker_that_holds_as_much_as_there_is_has_no_limit(settings: Settings) -> None:
    found = rows(settings, plan(NAIVE), worker("rabbitmq", delivery="naive", prefetch=0))
    assert found["prefetch"].values == ["no limit"]


def test_what_a_worker_does_not_tell_is_unknown(settings: Settings) -> None:
    found = rows(settings, plan(CELERY), worker("celery", None, pool=None))
    assert found["concurrency"].values == found["pool"].values == ["unknown"]


def test_a_rate_limit_on_the_experiments_jobs_is_shown(settings: Settings) -> None:
    limited = worker("celery", rate_limits={"experiment_job": "10/m", "process_task": "1/m"})
    found = rows(settings, plan(CELERY, RABBITMQ), limited, worker("rabbitmq"))
    assert found["rate_limits"].values == ["10/m", "no limit"]


def test_what_a_worker_is_made_of_is_named_as_it_was_loaded_with_what_the_lab_has_changed(
    settings: Settings,
) -> None:
    pool, changed = "celery.concurrency.prefork:TaskPool", "celery_worker.dead_letters:DeadLetteringConsumer"
    added = worker("celery", pool_class=pool, consumer_class=changed, changed_by_lab=("consumer",))
    found = rows(settings, plan(CELERY, RABBITMQ, SYNC), added, worker("rabbitmq", changed_by_lab=()))
    assert found["pool_class"].values == [pool, "unknown", "none"]
    why = "changed by the lab: Celery cannot – the lab adds dead letters of what cannot be read"
    assert found["consumer_class"].values == [f"{changed}; {why}", "unknown", "none"]


def test_what_workers_tell_of_their_surroundings_has_a_row_each(settings: Settings) -> None:
    here = worker("celery", name=f"celery@{socket.gethostname()}", connections=2, log_level="INFO", heartbeat=10,
                  events="gossip, mingle", results="database")  # fmt: skip
    there = worker("celery", name="other@elsewhere", connections=3, log_level="WARNING", heartbeat=0)
    found = rows(settings, plan(CELERY, NAIVE, SYNC), here, there, worker("rabbitmq", 1, delivery="naive"))
    values = {key: found[key].values for key in ("hosts", "connections", "log_level", "heartbeat", "results")}
    assert values == {
        "hosts": ["elsewhere, this machine", "unknown", "this machine (a process beside the API)"],
        "connections": ["5", "unknown", "none"],
        "log_level": ["INFO, WARNING", "unknown", "none"],
        "heartbeat": ["10 seconds, none", "unknown", "none"],
        "results": ["database, unknown", "unknown", "none"],
    }
    assert all(int(lines) > 0 for lines in found["code_lines"].values[:1])


def test_what_the_broker_is_set_to_is_told_and_how_that_differs_from_its_default(settings: Settings) -> None:
    of = plan(CELERY, RABBITMQ, SYNC)
    for seconds, told in (
        (7_200, "7200 seconds; RabbitMQ's default: 1800 seconds"),
        (1_800, "1800 seconds"),
        (None, "unknown"),
    ):
        found = {row.key: row for row in fairness_of(of, [], settings, broker=Broker("3.10.8", seconds))}
        assert found["consumer_timeout"].values == [told, told, "none"]
        assert found["broker_version"].values == ["RabbitMQ 3.10.8", "RabbitMQ 3.10.8", "none"]
    redis = settings.with_(celery_broker_url="redis://localhost")
    found = {row.key: row for row in fairness_of(of, [], redis, broker=Broker("3.10.8", 1_800))}
    assert found["consumer_timeout"].values == ["none", "1800 seconds", "none"]


def test_beside_the_path_reports_are_stamped_and_messages_are_confirmed_one_by_one(
    settings: Settings,
) -> None:
    in_path = Plan(arms=[RABBITMQ, NAIVE, SYNC], jobs=1, reports=Reports.IN_PATH)
    beside = rows(settings, plan(*in_path.arms))
    assert beside["reports"].equal
    assert beside["confirms"].values == ["one by one", "none", "none"]
    found = rows(settings, in_path)
    assert found["reports"].values[0] == "begin before the job, end before the acknowledgement"
    assert found["confirms"].values[0] != "one by one"


def test_only_concurrency_and_prefetch_can_be_set_alike(settings: Settings) -> None:
    found = rows(settings, plan(CELERY, RABBITMQ), worker("celery"), worker("rabbitmq"), equalised=True)
    assert {key for key, row in found.items() if row.can_equalise} == {"concurrency", "prefetch"}
    assert {key for key, row in found.items() if row.done} == {"concurrency", "prefetch"}
    alone = rows(settings, plan(SYNC), equalised=True)
    assert not any(row.can_equalise for row in alone.values())


def test_what_was_not_reached_is_not_called_done(settings: Settings) -> None:
    pictures = (worker("celery", 3, prefetch=12), worker("rabbitmq", 3))
    found = rows(settings, plan(CELERY, RABBITMQ), *pictures, equalised=True)
    assert found["concurrency"].done
    assert not found["prefetch"].done


@pytest.mark.parametrize(
    ("arms", "pictures", "threads"),
    [
        ((SYNC,), [], 3),
        ((SYNC, CELERY, RABBITMQ), [worker("celery", 4), worker("rabbitmq", 2)], 2),
        ((SYNC, CELERY), [worker("rabbitmq", 2)], 3),
        ((SYNC, CELERY), [worker("celery", None)], 1),
    ],
)
def test_sync_runs_as_many_threads_as_the_smallest_arm(
    arms: tuple[Arm, ...], pictures: list[WorkerPicture], threads: int
) -> None:
    assert sync_threads(plan(*arms), pictures) == threads


def test_the_workers_of_an_arm_are_those_of_its_method_and_mode() -> None:
    pictures = [worker("rabbitmq"), worker("rabbitmq", delivery="naive"), worker("celery", delivery="naive")]
    assert workers_of(NAIVE, pictures) == [pictures[1]]


def test_a_clock_that_is_off_is_told_with_its_sign_and_one_that_is_told_later_has_not_changed(
    settings: Settings,
) -> None:
    of = plan(CELERY, RABBITMQ, SYNC)
    before = rows(settings, of, worker("celery", clock_offset=-0.051), worker("rabbitmq"))["clock"]
    assert before.values == ["0.05 seconds behind", "unknown", "as the API's"]
    after = fairness_of(
        of, [worker("celery", clock_offset=-0.052), worker("rabbitmq", clock_offset=0.01)], settings
    )
    (clock,) = [row for row in changed([before], after) if row.key == "clock"]
    assert clock.values == ["0.05 seconds behind", "as the API's", "as the API's"]
    assert (clock.changed, clock.equal) == (False, False)
