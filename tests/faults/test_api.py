"""The API killed, away, and on a full disk."""

import sqlite3
import time
from pathlib import Path

import pytest
import requests

from harness import faults
from harness.node import RabbitNode
from harness.proxy import TcpProxy
from tests.faults.stage import MakeStage, Stage

pytestmark = pytest.mark.slow

MEGABYTES = 8


def test_an_api_that_is_killed_and_comes_back_loses_nothing(stage: Stage) -> None:
    stage.worker()
    stage.submit()
    stage.wait_until_done(20)
    with faults.api_killed(stage.lab):
        time.sleep(2)
    verdict = stage.assert_nothing_lost()
    assert not verdict.overlapped, str(verdict)


@pytest.mark.faults
@pytest.mark.parametrize("seen", ["before the broker has any", "while the broker confirms them"])
def test_an_api_killed_between_commit_and_publish_loses_nothing(
    make_stage: MakeStage, fault_node: RabbitNode, proxy_to_broker: TcpProxy, method: str, seen: str
) -> None:
    stage = make_stage(fault_node, method, through=proxy_to_broker)
    # The workers go straight to the broker: only publishing is held up.
    stage.lab.env["RMQ_URL"] = f"{fault_node.url.rstrip('/')}/{stage.vhost}"
    stage.submit(1, (0,))
    stage.wait_until_published()
    if seen.startswith("before"):
        proxy_to_broker.blackhole()
    else:
        # Celery publishes one by one, so that after a second a part is confirmed; by hand all are sent at once, and
        # their confirms are on the way back then.
        proxy_to_broker.latency(0.02 if method == "celery" else 0.6)
    begin = time.monotonic()
    stage.submit(100, (0.05,))
    assert time.monotonic() - begin < 2, "submission waits for the broker"
    time.sleep(1)
    stage.lab.api.kill_group()
    # What the dead process had sent is lost on the way.
    proxy_to_broker.reset()
    proxy_to_broker.heal()
    published = stage.ready()
    if seen.startswith("before"):
        assert published == 1
    else:
        assert 1 < published <= 101
    stage.worker()
    stage.lab.api.start()
    stage.lab.wait_for_api()
    verdict = stage.assert_nothing_lost()
    assert not verdict.overlapped, str(verdict)


@pytest.mark.faults
@pytest.mark.timeout(300)
def test_workers_go_on_while_the_api_is_away(stage: Stage) -> None:
    stage.worker()
    stage.submit(60, (0.1,))
    stage.wait_until_done(5)
    with faults.api_killed(stage.lab):
        # Asking costs each job a while; all the same the queue is worked off.
        stage.wait_until_empty(timeout=90)
    verdict = stage.assert_nothing_lost()
    assert not verdict.rerun, str(verdict)


@pytest.mark.faults
@pytest.mark.timeout(300)
def test_an_api_away_and_a_worker_killed_lose_and_double_nothing(stage: Stage) -> None:
    victim = stage.worker("victim")
    stage.submit(seconds=(0.1, 0.3))
    stage.wait_until_done(10)
    with faults.api_killed(stage.lab):
        time.sleep(10)
        faults.kill_worker(victim)
        stage.ledger.died("victim")
        stage.worker("heir")
        time.sleep(10)
    verdict = stage.assert_nothing_lost(timeout=120)
    assert not verdict.overlapped, str(verdict)


@pytest.mark.faults
@pytest.mark.timeout(300)
def test_an_api_on_a_full_disk_says_503_corrupts_nothing_and_goes_on_by_itself(
    make_stage: MakeStage, fault_node: RabbitNode, method: str, tmp_path: Path
) -> None:
    with faults.small_disk(tmp_path / "disk", MEGABYTES) as disk:
        store = {"DATABASE_URL": f"sqlite:///{disk}/lab.sqlite3"}
        stage = make_stage(fault_node, method, env=store)
        try:
            stage.worker()
            stage.submit()
            stage.wait_until_done(20)
            with faults.full_disk(disk):
                answers = [_try_to_submit(stage) for _ in range(20)]
                time.sleep(5)
                assert requests.get(f"{stage.lab.url}/healthz", timeout=10).status_code == 200
            stage.submit(10)
            stage.assert_nothing_lost(timeout=120)
            with sqlite3.connect(disk / "lab.sqlite3") as database:
                assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            database.close()
            # A row may still fit into the last page; once one was refused the disk was full.
            assert 503 in answers, answers
            assert set(answers) <= {202, 503}, answers
        finally:
            stage.lab.stop()


def _try_to_submit(stage: Stage) -> int:
    body = {"method": stage.method, "timeout": 0, "count": 200}
    answer = stage.lab.session.post(f"{stage.lab.url}/api/tasks", json=body, timeout=60)
    if answer.status_code == 202:
        stage.ledger.accept(answer.json()["tasks"])
    return answer.status_code
