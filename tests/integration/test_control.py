"""Workers of both kinds as the control page sees and directs them: real processes, a real broker."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pika
import pytest
import requests

from harness.lab import Lab
from harness.node import RabbitNode
from lab.broker import amqp
from lab.settings import Settings
from transports.control import CONTROLS, Control, WorkerPicture, create_control

JSON = {"Accept": "application/json"}


@pytest.fixture(params=CONTROLS)
def method(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# Two stores on one virtual host count as one lab where they have one secret.
SAME_LAB = {"LAB_SECRET_KEY": "control"}


@pytest.fixture(scope="module")
def own_node(tmp_path_factory: pytest.TempPathFactory, node: RabbitNode) -> Iterator[RabbitNode]:
    """A broker of this module's own, to stop and to purge."""
    with RabbitNode(tmp_path_factory.mktemp("control-node")) as running:
        yield running


@pytest.fixture(scope="module")
def own_lab(tmp_path_factory: pytest.TempPathFactory, own_node: RabbitNode) -> Iterator[Lab]:
    """A lab with a worker of each kind, two jobs at once."""
    base = tmp_path_factory.mktemp("control-lab")
    with Lab(base, own_node.url, management_url=own_node.management_url, env=SAME_LAB) as running:
        running.start_celery(concurrency=2)
        running.start_consumer(concurrency=2)
        yield running


@pytest.fixture
def control(own_lab: Lab, method: str) -> Iterator[Control]:
    made = create_control(method, Settings.from_env(own_lab.env))
    yield made
    made.close()


def one(control: Control) -> WorkerPicture:
    """The only worker."""
    (picture,) = control.pictures()
    return picture


def until(holds: Callable[[], Any], seconds: float = 30.0) -> Any:
    """What `holds` says once it is true."""
    deadline = time.monotonic() + seconds
    while not (said := holds()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return said


def seen(lab: Lab) -> dict[str, Any]:
    """What the control page says to a program."""
    answer = requests.get(f"{lab.url}/control", headers=JSON, timeout=20)
    answer.raise_for_status()
    body: dict[str, Any] = answer.json()
    return body


def press(lab: Lab, path: str, **fields: Any) -> dict[str, Any]:
    """Sends a form of the page as its script does."""
    session = requests.Session()
    page = session.get(f"{lab.url}/control", timeout=20).text
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    answer = session.post(f"{lab.url}{path}", data={"csrf_token": token, **fields}, headers=JSON, timeout=60)
    body: dict[str, Any] = answer.json()
    return {**body, "status": answer.status_code}


@contextmanager
def counted(lab: Lab, *exchanges: str) -> Iterator[Counter[str]]:
    """Counts what goes through fanout exchanges, by a queue that is bound to them."""
    connection = pika.BlockingConnection(amqp.parameters(lab.env["RMQ_URL"], "counter"))
    channel = connection.channel()
    count: Counter[str] = Counter()
    for exchange in exchanges:
        queue = channel.queue_declare("", exclusive=True).method.queue
        channel.queue_bind(queue, exchange)
        channel.basic_consume(
            queue, lambda _c, method, _p, _b: count.update([method.exchange]), auto_ack=True
        )
    yield count
    connection.process_data_events(time_limit=1)
    connection.close()


def test_a_worker_tells_who_it_is_and_what_it_does(own_lab: Lab, control: Control) -> None:
    before = one(control)
    task = own_lab.submit(control.name, 30)[0]
    own_lab.wait_for([task["id"]], "IN_PROGRESS")
    picture = one(control)
    assert picture.active is not None
    assert [(active.id, active.num, active.kind) for active in picture.active] == [
        (task["id"], task["num"], "process_task")
    ]
    began = datetime.fromisoformat(picture.active[0].since or "").timestamp()
    assert abs(time.time() - began) < 20
    assert (picture.method, picture.concurrency, picture.delivery) == (control.name, 2, "safe")
    assert picture.kinds is not None
    assert {"process_task", "process_data"} <= set(picture.kinds)
    assert datetime.fromisoformat(picture.started_at or "").timestamp() < began
    assert picture.pid
    assert abs(until(lambda: one(control).clock_offset)) < 0.5
    own_lab.cancel(task["id"])
    until(lambda: not one(control).active)
    assert (one(control).done or 0) == (before.done or 0) + 1


def test_a_ping_is_answered_with_the_time_that_it_took(control: Control) -> None:
    (answer,) = control.ping()
    assert answer.worker == one(control).name
    assert 0 < answer.seconds < 1
    assert answer.error is None


def give_up(lab: Lab, tasks: list[str]) -> None:
    lab.cancel(*tasks)
    lab.wait_for(tasks, "CANCELLED")


@pytest.mark.slow
def test_consumers_that_grew_run_more_at_once_and_those_that_shrank_fewer(own_lab: Lab) -> None:
    control = create_control("rabbitmq", Settings.from_env(own_lab.env))
    name = one(control).name
    tasks = [task["id"] for task in own_lab.submit("rabbitmq", 60, count=6)]
    own_lab.wait_for(tasks[:2], "IN_PROGRESS")
    (answer,) = control.grow(name, 2)
    assert answer.error is None
    until(lambda: len(one(control).active or ()) == 4)
    assert one(control).concurrency == 4
    give_up(own_lab, tasks)
    until(lambda: not one(control).active)
    until(lambda: not control.shrink(name, 2)[0].error)
    assert one(control).concurrency == 2
    again = [task["id"] for task in own_lab.submit("rabbitmq", 1, count=5)]
    until(lambda: len(one(control).active or ()) == 2)
    own_lab.wait_for(again)
    control.close()


@pytest.mark.slow
def test_celerys_pool_that_grew_gets_no_more_messages_of_a_quorum_queue(own_lab: Lab) -> None:
    control = create_control("celery", Settings.from_env(own_lab.env))
    name = one(control).name
    assert (one(control).concurrency, one(control).prefetch) == (2, 2)
    (answer,) = control.grow(name, 2)
    assert answer.error is None
    tasks = [task["id"] for task in own_lab.submit("celery", 60, count=6)]
    own_lab.wait_for(tasks[:2], "IN_PROGRESS")
    time.sleep(3)
    picture = one(control)
    assert (picture.concurrency, picture.prefetch, len(picture.active or ())) == (4, 2, 2)
    give_up(own_lab, tasks)
    until(lambda: not one(control).active)
    until(lambda: not control.shrink(name, 2)[0].error)
    assert (one(control).concurrency, one(control).prefetch) == (2, 2)
    again = [task["id"] for task in own_lab.submit("celery", 1, count=5)]
    until(lambda: len(one(control).active or ()) == 2)
    own_lab.wait_for(again)
    control.close()


def test_a_pool_never_shrinks_below_one(control: Control) -> None:
    name = one(control).name
    until(lambda: not control.shrink(name, 100)[0].error)
    assert one(control).concurrency == 1
    control.grow(name, 1)
    assert one(control).concurrency == 2


def test_nobody_answers_to_the_name_of_another(control: Control) -> None:
    assert control.grow("nobody@nowhere", 1, timeout=1.0) == []
    assert one(control).concurrency == 2


@pytest.mark.slow
def test_a_rate_limit_spaces_the_starts_and_is_lifted_again(own_lab: Lab, control: Control) -> None:
    (answer,) = control.rate_limit("process_data", "120/m")
    assert answer.error is None
    assert one(control).rate_limits == {"process_data": "120/m"}
    body = {"method": control.name, "kind": "process_data", "numbers": [1, 2], "count": 10}
    tasks = [
        task["id"]
        for task in own_lab.session.post(f"{own_lab.url}/api/tasks", json=body, timeout=30).json()["tasks"]
    ]
    until(lambda: (one(control).scheduled or 0) > 0)
    told = own_lab.wait_for(tasks)
    begun = sorted(datetime.fromisoformat(task["started_at"]).timestamp() for task in told.values())
    # Celery falls short of a tight limit by up to a half: tests/faults/test_rate_limits.py.
    assert 4.0 < begun[-1] - begun[0] < (12.0 if control.name == "celery" else 7.0)
    control.rate_limit("process_data", "0")
    assert one(control).rate_limits == {}


def test_an_unknown_kind_and_a_rate_that_is_none_are_refused(control: Control) -> None:
    assert [answer.error for answer in control.rate_limit("make_tea", "1/m")] != [None]
    assert [answer.error for answer in control.rate_limit("process_task", "often")] != [None]


def test_a_worker_that_stops_hands_back_what_a_limit_holds(own_lab: Lab) -> None:
    control = create_control("rabbitmq", Settings.from_env(own_lab.env))
    other = own_lab.start_consumer(concurrency=2, name="limited")
    names = {picture.name for picture in control.pictures()}
    for name in names:
        control.rate_limit("process_data", "1/h", name)
    body = {"method": "rabbitmq", "kind": "process_data", "numbers": [1, 2], "count": 5}
    tasks = [
        task["id"]
        for task in own_lab.session.post(f"{own_lab.url}/api/tasks", json=body, timeout=30).json()["tasks"]
    ]
    until(lambda: sum(picture.scheduled or 0 for picture in control.pictures()) == 3)
    begin = time.monotonic()
    assert other.terminate(timeout=30) == 0
    assert time.monotonic() - begin < 10
    control.rate_limit("process_data", "0")
    told = own_lab.wait_for(tasks)
    assert {event["status"] for task in told.values() for event in task["events"]} <= {
        "PENDING", "IN_PROGRESS", "DONE",
    }  # fmt: skip
    control.close()


def test_the_consumer_lets_other_kinds_pass_those_that_a_limit_holds(own_lab: Lab) -> None:
    control = create_control("rabbitmq", Settings.from_env(own_lab.env))
    control.rate_limit("process_data", "1/h")
    body = {"method": "rabbitmq", "kind": "process_data", "numbers": [1, 2], "count": 12}
    held = [
        task["id"]
        for task in own_lab.session.post(f"{own_lab.url}/api/tasks", json=body, timeout=30).json()["tasks"]
    ]
    passing = [task["id"] for task in own_lab.submit("rabbitmq", 0.1, count=6)]
    own_lab.wait_for(passing, timeout=30)
    assert "PENDING" in {own_lab.task(task)["status"] for task in held}
    control.rate_limit("process_data", "0")
    own_lab.wait_for(held)
    control.close()


def test_the_page_shows_workers_and_queues_to_programs(own_lab: Lab) -> None:
    until(lambda: len([w for w in seen(own_lab)["workers"] if not w["silent_since"]]) == 2)
    body = seen(own_lab)
    assert list(body) == [
        "at", "age", "broker", "celery_broker", "workers", "queues", "queues_source",
    ]  # fmt: skip
    assert 0 <= body["age"] < 20
    assert body["broker"]["up"] is True
    assert body["queues_source"] == "management"
    queues = {queue["name"]: queue for queue in body["queues"]}
    assert {"celery", "celery.naive", "celery.dead", "tasks", "tasks.naive", "tasks.dead"} <= set(queues)
    assert all(name.startswith(("celery", "tasks")) for name in queues)
    assert queues["celery_delayed_*"]["folded"] == 28
    assert queues["celery"]["type"] == "quorum"
    page = requests.get(f"{own_lab.url}/control?format=json", timeout=20)
    assert page.headers["Content-Type"] == "application/json"


@pytest.mark.slow
def test_a_thousand_requests_in_ten_seconds_cause_two_broadcasts_at_most(own_lab: Lab) -> None:
    seen(own_lab)
    with counted(own_lab, "celery.pidbox", amqp.CONTROL_EXCHANGE) as count:
        begin = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            for _ in range(10):
                bodies = list(pool.map(lambda _: seen(own_lab), range(100)))
                time.sleep(max(0.0, begin + _ + 1 - time.monotonic()))
    assert all(body["workers"] for body in bodies)
    assert 1 <= count["celery.pidbox"] <= 2 + (time.monotonic() - begin > 13)
    assert 1 <= count[amqp.CONTROL_EXCHANGE] <= 2 + (time.monotonic() - begin > 13)


def test_a_purge_says_how_much_goes_and_ends_the_tasks(own_lab: Lab, method: str) -> None:
    held = [task["id"] for task in own_lab.submit(method, 120, count=2)]
    own_lab.wait_for(held, "IN_PROGRESS")
    waiting = [task["id"] for task in own_lab.submit(method, 5, count=7)]
    queue = amqp.CELERY_QUEUE if method == "celery" else amqp.RABBITMQ_QUEUE
    address = f"{own_lab.url}/control/queues/{queue}/purge"
    until(lambda: "7 messages go from the queue" in requests.get(address, timeout=20).text)
    said = press(own_lab, f"/control/queues/{queue}/purge", count=7)
    assert (said["status"], said["messages"], said["tasks"]) == (200, 7, 7)
    told = own_lab.wait_for(waiting, "CANCELLED")
    assert {task["error"] for task in told.values()} == {f"purged from the queue {queue}"}
    assert {own_lab.task(task)["status"] for task in held} == {"IN_PROGRESS"}
    own_lab.cancel(*held)
    own_lab.wait_for(held, "CANCELLED")
    assert press(own_lab, f"/control/queues/{queue}/purge")["messages"] == 0


def test_a_queue_that_is_not_the_labs_is_never_purged(own_lab: Lab) -> None:
    assert press(own_lab, "/control/queues/amq.gen-x/purge")["status"] == 404
    assert requests.get(f"{own_lab.url}/control/queues/orders/purge", timeout=20).status_code == 404


def test_orders_of_the_page_reach_the_workers(own_lab: Lab, method: str) -> None:
    name = "celery@" if method == "celery" else "consumer@"
    worker = next(w for w in seen(own_lab)["workers"] if w["name"].startswith(name))
    said = press(own_lab, f"/control/grow?method={method}&worker={worker['name']}")
    assert (said["status"], said["ok"]) == (200, True)
    until(
        lambda: [w["concurrency"] for w in seen(own_lab)["workers"] if w["name"] == worker["name"]] == [3],
        20,
    )
    said = press(own_lab, "/control/shrink", method=method, worker=worker["name"], n=1)
    assert said["ok"], said
    said = press(own_lab, "/control/ping")
    assert {answer["worker"] for answer in said["answers"]} >= {worker["name"]}
    said = press(own_lab, "/control/rate-limit", kind="process_data", rate="6/m", method=method)
    assert [answer["error"] for answer in said["answers"]] == [None]
    assert press(own_lab, "/control/rate-limit", kind="process_data", rate="0")["ok"]


@pytest.mark.slow
def test_a_worker_that_is_killed_is_shown_as_one_that_does_not_answer(own_lab: Lab) -> None:
    victim = own_lab.start_consumer(concurrency=1, name="victim")

    def silent() -> list[bool]:
        return [w["silent_since"] is not None for w in seen(own_lab)["workers"] if "victim@" in w["name"]]

    until(lambda: silent() == [False])
    victim.kill_group()
    until(lambda: silent() == [True])


@pytest.mark.slow
def test_a_broker_that_is_away_leaves_the_last_picture_and_says_since_when(
    own_lab: Lab, own_node: RabbitNode
) -> None:
    before = seen(own_lab)
    own_node.ctl("stop_app")
    try:
        # One answer is judged: the next may be that of the API's other process, from a second before.
        body = until(lambda: next((b for b in [seen(own_lab)] if b["broker"]["up"] is False), None))
        assert body["broker"]["since"] > before["at"]
        assert [w["name"] for w in body["workers"]] == [w["name"] for w in before["workers"]]
        assert body["queues"]
        assert press(own_lab, "/control/ping")["status"] == 503
        until(
            lambda: (
                "The broker has not answered since" in requests.get(f"{own_lab.url}/control", timeout=20).text
            )
        )
    finally:
        own_node.ctl("start_app")
    until(lambda: seen(own_lab)["broker"]["up"] is True, 60)


@pytest.mark.slow
def test_where_the_management_api_is_away_queues_are_declared_passively(
    tmp_path: Path, own_node: RabbitNode
) -> None:
    with Lab(tmp_path, own_node.url, management_url="http://127.0.0.1:1/", env=SAME_LAB) as running:
        body = seen(running)
    assert body["queues_source"] == "passive"
    queues = {queue["name"]: queue for queue in body["queues"]}
    assert queues["tasks"]["consumers"] >= 1
    assert queues["tasks"]["unacknowledged"] is None
    assert queues["celery_delayed_*"]["folded"] == 28
