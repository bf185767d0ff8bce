"""Statuses that come late, twice and out of order, through the door that workers use."""

import tempfile
from collections import Counter
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from api import LabAPI, create_app, set_up
from lab.settings import Settings
from lab.token import sign
from store.engine import create_engine
from store.migrate import migrate

FINAL = {"DONE", "FAILED", "CANCELLED"}
Fact = dict[str, Any]
_SPARE: list[LabAPI] = []


class Updates(RuleBasedStateMachine):
    """Workers run tasks, several of them the same one, and their reports travel as they please."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        lab = Settings.from_env(
            {"LAB_VAR": self.folder.name, "RMQ_URL": "amqp://student:qwerty@127.0.0.1:1/"}
        )
        engine = create_engine(lab.database_url)
        migrate(engine)
        engine.dispose()
        # What does not depend on the settings takes longer to make than an example to run.
        if _SPARE:
            self.app = _SPARE.pop()
            set_up(self.app, lab)
        else:
            self.app = create_app(lab)
        self.secret = lab.secret()
        self.client: FlaskClient = self.app.test_client()
        self.ids: list[str] = []
        self.attempts: Counter[str] = Counter()
        self.under_way: list[Fact] = []
        self.delivered: list[Fact] = []
        self.ends: dict[str, Fact] = {}

    def teardown(self) -> None:
        self.app.extensions["lab"].stop()
        _SPARE.append(self.app)
        self.folder.cleanup()

    @initialize(count=st.integers(1, 4))
    def submit(self, count: int) -> None:
        answer = self.client.post("/api/tasks", json={"method": "rabbitmq", "timeout": 1.0, "count": count})
        assert answer.status_code == 202
        self.ids = [task["id"] for task in answer.get_json()["tasks"]]

    @rule(
        data=st.data(),
        end=st.sampled_from(["DONE", "FAILED", "RETRYING", "killed"]),
        again=st.booleans(),
    )
    def run(self, data: st.DataObject, end: str, again: bool) -> None:
        """A worker runs a task, in a new attempt or, with a doubled message, in the present one."""
        task = data.draw(st.sampled_from(self.ids))
        if not again or not self.attempts[task]:
            self.attempts[task] += 1
        worker = data.draw(st.sampled_from(["one@host", "two@host"]))
        fact = {
            "task_id": task,
            "attempt": self.attempts[task],
            "worker": worker,
            "token": sign(self.secret, task),
        }
        self.under_way.append({**fact, "status": "IN_PROGRESS", "progress": 0.0})
        self.under_way.append({**fact, "status": "IN_PROGRESS", "progress": 0.5})
        if end != "killed":
            self.under_way.append({**fact, "status": end})

    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        """Some of the reports arrive, in any order, a few of them for the second time."""
        if not self.under_way and not self.delivered:
            return
        fresh = data.draw(st.permutations(self.under_way))[: data.draw(st.integers(0, 8))]
        old = data.draw(st.lists(st.sampled_from(self.delivered), max_size=3)) if self.delivered else []
        batch = data.draw(st.permutations([*fresh, *old]))
        if batch:
            self.post(batch)
        for fact in fresh:
            self.under_way.remove(fact)
        self.delivered += fresh

    @rule()
    def deliver_all_again(self) -> None:
        """Nothing that was heard before changes anything."""
        before = [self.task(task)["events"] for task in self.ids]
        ended = [task for task in self.ids if self.task(task)["status"] in FINAL]
        if again := [fact for fact in self.delivered if fact["task_id"] in ended]:
            self.post(again)
        assert before == [self.task(task)["events"] for task in self.ids]

    def post(self, batch: list[Fact]) -> None:
        ended = {task for task in self.ids if self.task(task)["status"] in FINAL}
        answer = self.client.post("/update_task_status_api/", json={"updates": batch})
        assert answer.status_code == 200
        verdicts = answer.get_json()["results"]
        assert [verdict["task_id"] for verdict in verdicts] == [fact["task_id"] for fact in batch]
        for fact, verdict in zip(batch, verdicts, strict=True):
            assert "error" not in verdict
            if fact["task_id"] in ended:
                # Whoever asks whether to run is told of the end.
                assert not verdict["applied"]
                assert verdict["status"] in FINAL

    def task(self, task_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get(f"/api/tasks/{task_id}").get_json()
        return found

    @invariant()
    def the_end_is_the_end(self) -> None:
        for task_id in self.ids:
            task = self.task(task_id)
            ends = [event for event in task["events"] if event["status"] in FINAL]
            assert len(ends) <= 1
            if ends:
                assert task["events"][-1] == ends[0]
                assert self.ends.setdefault(task_id, ends[0]) == ends[0]
            assert task["status"] == task["events"][-1]["status"]

    @invariant()
    def no_final_status_that_arrived_is_lost(self) -> None:
        for task_id in self.ids:
            attempt = self.task(task_id)["attempt"]
            for fact in self.delivered:
                if fact["task_id"] == task_id and fact["status"] in FINAL and fact["attempt"] >= attempt:
                    assert self.task(task_id)["status"] in FINAL

    @invariant()
    def the_history_goes_forward(self) -> None:
        for task_id in self.ids:
            attempts = [event["attempt"] for event in self.task(task_id)["events"]]
            assert attempts == sorted(attempts)

    @invariant()
    def the_counts_are_those_of_the_tasks(self) -> None:
        counts = self.client.get("/api/tasks").get_json()["counts"]
        told = Counter(self.task(task_id)["status"] for task_id in self.ids)
        assert {status: n for status, n in counts.items() if n} == dict(told)


Updates.TestCase.settings = settings(
    max_examples=8, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)


@pytest.mark.slow
class TestLateAndShuffledUpdates(Updates.TestCase):  # type: ignore[misc,name-defined]
    """No order of reports undoes an end, loses one, or counts one twice."""


@pytest.mark.faults
@pytest.mark.timeout(600)
class TestManyLateAndShuffledUpdates(Updates.TestCase):  # type: ignore[misc,name-defined]
    """The same for longer."""

    settings = settings(
        max_examples=100, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
    )
