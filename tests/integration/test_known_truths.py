"""Experiments on real workers whose outcome is known beforehand."""

import csv
import html
import io
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from experiments.between import Change, between
from experiments.cli_text import summary
from experiments.model import Experiment, Finding
from experiments.plan import OpenLoop
from experiments.verdict import verdict_of
from experiments.words import MARK_TITLES
from harness.lab import ROOT, Lab
from harness.node import RabbitNode
from harness.processes import ManagedProcess
from harness.proxy import TcpProxy
from tests.slow_consumer import SECONDS
from tests.vhosts import make_vhost

pytestmark = pytest.mark.slow

CONSUMER = {"method": "rabbitmq"}
CALM = {"law": "open", "rate": 40, "spacing": "even"}
"""Few enough jobs that a worker which takes 25 ms for each lets none wait."""

PLANTED_MS = 30.0
SLOWER_MS = SECONDS * 1000
TOLERATED_MS = 0.5  # by which a job takes longer in one experiment than in another on a busy machine


@pytest.fixture(scope="module")
def module_lab(tmp_path_factory: pytest.TempPathFactory, node: RabbitNode) -> Iterator[Lab]:
    """A lab without workers."""
    url = make_vhost(node)
    with Lab(tmp_path_factory.mktemp("lab"), url, management_url=node.management_url) as running:
        yield running


@pytest.fixture
def lab(module_lab: Lab) -> Iterator[Lab]:
    """That lab, whose workers, and what a test sets for them, end with the test."""
    env = dict(module_lab.env)
    yield module_lab
    for worker in module_lab.workers:
        worker.kill_group()
    module_lab.workers.clear()
    module_lab.env.clear()
    module_lab.env.update(env)


def run(lab: Lab, **plan: Any) -> Experiment:
    """Runs `plan` to its end."""
    answer = lab.session.post(f"{lab.url}/api/experiments", json={"equalise": False, **plan}, timeout=30)
    assert answer.status_code == 202, answer.text
    path, deadline = f"{lab.url}/api/experiments/{answer.json()['id']}", time.monotonic() + 150
    while lab.session.get(f"{path}?runs=false", timeout=30).json()["status"] in ("PENDING", "IN_PROGRESS"):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    found = lab.session.get(path, timeout=30).json()
    found.pop("race")
    ended = Experiment.model_validate(found)
    assert (ended.status, ended.error) == ("DONE", None)
    return ended


@pytest.mark.alone
def test_a_worker_that_is_slowed_by_20_ms_a_job_shows_it_in_the_overhead_and_nowhere_else(lab: Lab) -> None:
    plan = {
        "arms": [CONSUMER],
        "jobs": 60,
        "arrival": CALM,
        "duration": {"law": "fixed", "seconds": 0.005},
        "repetitions": 5,
    }
    worker = lab.start_consumer()
    as_it_is = run(lab, **plan)
    worker.terminate(timeout=30)
    slow = lab.process("slow", "-m", "tests.slow_consumer", "--concurrency", "3", "-n", "slow@%h")
    lab.workers.append(slow)
    slow.start().wait_for_log("waiting for tasks", timeout=60)
    slowed = run(lab, **plan)

    changes = {change.figure: change for change in between(as_it_is, slowed).changes}
    overhead = changes["overhead.p50"]
    low, high = bounds(overhead)
    assert overhead.answer is Finding.DIFFERS
    assert low - TOLERATED_MS <= SLOWER_MS <= high + TOLERATED_MS, overhead
    for figure in ("publish.p50", "queue.p50"):
        assert abs(changes[figure].difference.value) < SLOWER_MS / 2, changes[figure]
    end_to_end = changes["end_to_end.p50"]
    assert abs(end_to_end.difference.value - SLOWER_MS) < SLOWER_MS / 2, end_to_end


def bounds(change: Change) -> tuple[float, float]:
    low, high = change.difference.low, change.difference.high
    assert low is not None
    assert high is not None
    return low, high


@pytest.mark.timeout(900)
def test_two_equal_arms_are_called_different_no_more_often_than_by_chance(lab: Lab) -> None:
    lab.start_consumer()
    shown = []
    for seed in range(10):
        found = run(
            lab,
            arms=[CONSUMER, CONSUMER],
            jobs=150,
            duration={"law": "fixed", "seconds": 0.005},
            repetitions=3,
            warm_up=seed == 0,  # the workers stay
            reports=("beside", "in_path")[seed % 2],
            seed=seed,
        )
        (throughput,) = [one for one in found.comparisons if one.figure == "throughput"]
        shown.append(throughput.answer is Finding.DIFFERS)
    # Each is right in 95 of 100. Two of ten or more are wrong in nine such tests of a hundred, four in one of 1,000.
    assert shown.count(True) <= 3, shown


@pytest.mark.alone
def test_ten_percent_more_throughput_are_found_with_ten_repetitions(lab: Lab) -> None:
    lab.start_consumer(concurrency=10, name="ten")
    eleven = {"law": "fixed", "seconds": 0.11}
    as_it_is, quicker = (
        run(lab, arms=[CONSUMER], jobs=100, duration=duration, repetitions=10)
        for duration in (eleven, {"law": "fixed", "seconds": 0.1})
    )
    changes = {change.figure: change for change in between(as_it_is, quicker).changes}
    throughput = changes["throughput"]
    assert throughput.answer is Finding.DIFFERS
    assert throughput.ratio is not None
    assert throughput.ratio.low is not None
    assert throughput.ratio.high is not None
    # Ten run at once, so that each of ten rounds takes 10 ms less; what the lab adds to a round stays, but for what
    # the machine does otherwise in the second experiment, which no interval over its own repetitions can hold.
    round_ms = 10_000 / throughput.one
    least, most = (round_ms / (round_ms - 10 + drift) for drift in (TOLERATED_MS, -TOLERATED_MS))
    assert throughput.ratio.low <= most
    assert throughput.ratio.high >= least


@pytest.mark.alone
def test_thirty_ms_in_the_reports_of_one_worker_are_found_at_their_stage(lab: Lab) -> None:
    plan = {"arms": [CONSUMER], "jobs": 40, "arrival": CALM, "repetitions": 5, "reports": "in_path"}
    worker = lab.start_consumer()
    as_it_is = run(lab, **plan)
    worker.terminate(timeout=30)
    with TcpProxy("127.0.0.1", lab.port) as slow:
        slow.latency(PLANTED_MS / 2000)  # each way
        lab.env["API_URL"] = f"http://127.0.0.1:{slow.port}/update_task_status_api/"
        lab.start_consumer(name="far")
        planted = run(lab, **plan)
    changes = {change.figure: change for change in between(as_it_is, planted).changes}
    report = changes["report.p50"]
    low, _high = bounds(report)
    assert report.answer is Finding.DIFFERS
    assert low > PLANTED_MS / 4
    assert abs(changes["publish.p50"].difference.value) < PLANTED_MS / 4


def during(experiment: Callable[[], Experiment], act: Callable[[threading.Event], object]) -> Experiment:
    """What `experiment` finds while `act` does something to it, until its event is set."""
    over = threading.Event()
    thread = threading.Thread(target=act, args=(over,))
    thread.start()
    try:
        return experiment()
    finally:
        over.set()
        thread.join()


def named_first(lab: Lab, found: Experiment, words: str, kind: str) -> None:
    """Page, terminal and every report name the disturbance in the first line of the verdict."""
    said = verdict_of(found).marks[0]
    assert words in said or MARK_TITLES[kind] in said
    address = f"{lab.url}/api/experiments/{found.id}"
    assert summary(found).splitlines()[2] == f"! {said}"
    for url in (f"{lab.url}/experiments/{found.id}", f"{address}/report.html"):
        text = html.unescape(lab.session.get(url, timeout=30).text)
        assert said in text[text.index("title-verdict") :].partition("<p")[2].partition("</p>")[0]
    markdown = lab.session.get(f"{address}/report.md", timeout=30).text.partition("## Verdict\n\n")[2]
    assert said in markdown.splitlines()[0].replace("\\", "")
    assert lab.session.get(f"{address}/report.json", timeout=30).json()["verdict"][0] == said
    rows = csv.DictReader(io.StringIO(lab.session.get(f"{address}/report.csv", timeout=30).text))
    assert any(kind in row["marks"].split() for row in rows)


def test_a_processor_hog_is_named_in_the_first_line(lab: Lab) -> None:
    lab.start_consumer()
    hog = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        found = run(lab, arms=[CONSUMER], jobs=100, repetitions=1)
    finally:
        hog.kill()
        hog.wait()
    assert found.marks["foreign_load"][0].value > 0.2
    named_first(lab, found, "Other programs took a share of the machine: ", "foreign_load")


@pytest.mark.alone
def test_a_load_of_twice_the_capacity_is_named_in_the_first_line(lab: Lab) -> None:
    lab.start_consumer()
    found = run(
        lab,
        arms=[CONSUMER],
        jobs=600,
        arrival={"law": "open", "rate": 120, "spacing": "even"},
        duration={"law": "fixed", "seconds": 0.05},
        repetitions=1,
    )
    (mark,) = found.marks["growing_queue"]
    assert mark.of == pytest.approx(120, rel=0.1)
    assert mark.of - mark.value == pytest.approx(60, rel=0.2)
    named_first(lab, found, "More came than was done, and the queue grew: ", "growing_queue")


def test_a_sender_that_stood_still_for_four_seconds_is_named(lab: Lab) -> None:
    lab.start_consumer()

    def stop_it(over: threading.Event) -> None:
        listed = f"{lab.url}/api/experiments"
        while not over.wait(0.2):
            newest = requests.get(listed, timeout=30).json()["experiments"][:1]
            if newest and newest[0]["progress"] > 0.1:
                break
        for process in psutil.Process(lab.api.pid).children(recursive=True):
            if "api.experiments.work" in process.cmdline():
                process.suspend()
                over.wait(4.0)
                process.resume()

    found = during(
        lambda: run(lab, arms=[CONSUMER], jobs=400, arrival=CALM, repetitions=1, warm_up=False), stop_it
    )
    (mark,) = found.marks["late_sender"]
    assert 3 < mark.value < 6
    named_first(lab, found, "The sender was late: ", "late_sender")


@pytest.mark.parametrize("off", [-0.05, 0.05])
def test_a_workers_wrong_clock_is_named(lab: Lab, off: float) -> None:
    lab.env["LAB_TEST_CLOCK"] = str(off)
    worker = lab.process("wrong", "-m", "tests.wrong_clock", "--concurrency", "3", "-n", "wrong@%h")
    lab.workers.append(worker)
    worker.start().wait_for_log("waiting for tasks", timeout=60)
    found = run(lab, arms=[CONSUMER], jobs=60, arrival=CALM, repetitions=1)
    (mark,) = found.marks["clock_offset"]
    assert mark.value == pytest.approx(off, abs=0.025)
    (clock,) = [row for row in found.fairness if row.key == "clock"]
    assert clock.values[0].endswith("behind" if off < 0 else "ahead")
    named_first(lab, found, "A worker's clock differs", "clock_offset")


def test_a_beat_that_floods_one_contenders_workers_is_named(lab: Lab, tmp_path: Path) -> None:
    lab.start_celery()
    celery = str(Path(sys.executable).with_name("celery"))
    beat = ManagedProcess(
        [celery, "-A", "tests.flooding_beat", "beat", "--loglevel=info", "-s", str(tmp_path / "schedule")],
        env=lab.env,
        log=tmp_path / "beat.log",
        cwd=ROOT,
    )
    lab.workers.append(beat)
    beat.start().wait_for_log("Sending due task", timeout=60)
    found = run(lab, arms=[{"method": "celery"}], jobs=120, arrival=CALM, repetitions=1)
    assert found.marks["other_tasks"][0].value > 5
    named_first(lab, found, "Workers ran tasks that are not", "other_tasks")


def test_half_of_the_load_is_half_of_what_was_measured(lab: Lab) -> None:
    lab.start_consumer()
    found = run(
        lab,
        arms=[CONSUMER],
        seconds=4,
        arrival={"law": "open", "share": 0.5},
        duration={"law": "fixed", "seconds": 0.05},
        repetitions=1,
        warm_up=False,
    )
    arrival = found.plan.arrival
    assert isinstance(arrival, OpenLoop)
    assert arrival.capacity is not None
    assert 40 < arrival.capacity < 61  # three at once, 50 ms each: sixty at most
    assert arrival.rate == pytest.approx(arrival.capacity / 2, rel=0.01)
    assert "growing_queue" not in found.marks
