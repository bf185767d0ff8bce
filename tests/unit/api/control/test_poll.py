from typing import Any

import pytest
from pika.exceptions import AMQPConnectionError

from api.control.poll import Poll, merge
from lab.clock import now_us, to_iso
from lab.settings import Settings
from transports.control import ControlError, WorkerPicture


class Workers:
    """A control whose workers answer what they are told to; None for a broker that is away."""

    label = "test"

    def __init__(self, method: str, *names: str) -> None:
        self.method = method
        self.names: tuple[str, ...] | None = names

    def pictures(self) -> list[WorkerPicture]:
        if self.names is None:
            raise ControlError("away")
        return [WorkerPicture(method=self.method, name=name, delivery="safe") for name in self.names]

    def close(self) -> None:
        """Has nothing."""


class Lab:
    def __init__(self, settings: Settings) -> None:
        self.celery, self.rabbitmq = Workers("celery", "c1"), Workers("rabbitmq", "r1")
        self.queues: list[dict[str, Any]] | None = [{"name": "tasks", "method": "rabbitmq"}]
        controls: Any = {"celery": self.celery, "rabbitmq": self.rabbitmq}
        self.look = Poll(settings, controls, self._read)

    def _read(self, _: Settings) -> tuple[list[dict[str, Any]], str]:
        if self.queues is None:
            raise AMQPConnectionError
        return self.queues, "passive"

    def broker_goes(self) -> None:
        self.celery.names = self.rabbitmq.names = self.queues = None


@pytest.fixture
def lab() -> Lab:
    return Lab(Settings.from_env({}))


def names(picture: dict[str, Any]) -> list[tuple[str, bool]]:
    return [(worker["name"], worker["silent_since"] is None) for worker in picture["workers"]]


def seconds_ago(seconds: float) -> str:
    return to_iso(now_us() - int(seconds * 1e6))


def test_a_look_shows_workers_of_both_kinds_and_the_queues(lab: Lab) -> None:
    picture = lab.look.take(None)
    assert names(picture) == [("c1", True), ("r1", True)]
    assert picture["broker"]["up"] is True
    assert picture["celery_broker"] is None
    assert (picture["queues"], picture["queues_source"]) == (lab.queues, "passive")


def test_while_the_broker_is_away_the_last_picture_stays_and_says_since_when(lab: Lab) -> None:
    before = lab.look.take(None)
    lab.broker_goes()
    first = lab.look.take(before)
    later = lab.look.take(first)
    assert first["broker"] == later["broker"]
    assert first["broker"]["up"] is False
    assert first["broker"]["since"] > before["at"]
    for name in ("at", "workers", "queues", "queues_source"):
        assert later[name] == before[name]


def test_a_lab_that_never_had_a_broker_has_an_empty_picture(lab: Lab) -> None:
    lab.broker_goes()
    picture = lab.look.take(None)
    assert (picture["at"], picture["workers"], picture["broker"]["up"]) == (None, [], False)


def test_a_worker_that_is_missing_is_named_with_the_moment_of_its_last_answer(lab: Lab) -> None:
    before = lab.look.take(None)
    lab.rabbitmq.names = ()
    after = lab.look.take(before)
    again = lab.look.take(after)
    assert names(again) == [("c1", True), ("r1", False)]
    assert again["workers"][1]["silent_since"] == before["at"]
    lab.rabbitmq.names = ("r1",)
    assert names(lab.look.take(again)) == [("c1", True), ("r1", True)]


def test_after_five_minutes_it_is_forgotten() -> None:
    def worker(ago: float) -> dict[str, Any]:
        return {
            **WorkerPicture(method="celery", name="c").model_dump(),
            "answered_at": seconds_ago(ago),
            "silent_since": None,
        }

    assert len(merge([worker(290)], {"celery": []}, to_iso(now_us()))) == 1
    assert merge([worker(310)], {"celery": []}, to_iso(now_us())) == []


def test_a_worker_that_was_started_anew_is_not_missed() -> None:
    old = {
        **WorkerPicture(method="celery", name="c", pid=1, delivery="safe").model_dump(),
        "answered_at": seconds_ago(5),
        "silent_since": None,
    }
    new = WorkerPicture(method="celery", name="c", pid=2, delivery="safe")
    assert [worker["pid"] for worker in merge([old], {"celery": [new]}, to_iso(now_us()))] == [2]


def test_workers_of_one_name_and_two_modes_are_both_shown() -> None:
    told = [WorkerPicture(method="celery", name="c", delivery=mode) for mode in ("safe", "naive")]
    found = merge([], {"celery": told}, to_iso(now_us()))
    assert [worker["delivery"] for worker in found] == ["naive", "safe"]


def test_celerys_own_broker_may_be_away_while_the_labs_is_there() -> None:
    lab = Lab(Settings.from_env({"CELERY_BROKER_URL": "redis://127.0.0.1:1/0"}))
    before = lab.look.take(None)
    assert before["celery_broker"]["up"] is True
    lab.celery.names = None
    after = lab.look.take(before)
    assert (after["broker"]["up"], after["celery_broker"]["up"]) == (True, False)
    assert names(after) == [("c1", True), ("r1", True)]
