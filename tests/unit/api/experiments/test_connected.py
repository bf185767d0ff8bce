from typing import Any

import pytest

from api.experiments.connected import NoWorker, check, missing, present_in
from api.experiments.service import Experiments
from api.experiments.stand import pictures_again, pictures_of
from api.services import Services
from experiments.plan import Arm, Plan
from lab.delivery import Delivery
from transports.control import ControlError, WorkerPicture

PLAN = Plan(
    arms=[Arm(method="celery"), Arm(method="rabbitmq", delivery=Delivery.NAIVE), Arm(method="sync")], jobs=3
)
BOTH = {("celery", "safe"), ("rabbitmq", "naive")}


class Workers:
    """A control whose workers answer the second time."""

    def __init__(self, *pictures: WorkerPicture, times: int = 0) -> None:
        self.asked = 0
        self._pictures, self._times = list(pictures), times

    def pictures(self, timeout: float = 1.0) -> list[WorkerPicture]:
        self.asked += 1
        if self.asked <= self._times:
            raise ControlError("away")
        return self._pictures


def test_an_arm_without_a_worker_is_named_with_what_to_start() -> None:
    check(PLAN, BOTH)
    assert missing(PLAN, {("celery", "safe"), ("rabbitmq", "safe")}) == [1]
    with pytest.raises(
        NoWorker, match=r"RabbitMQ, by the tutorial.*DELIVERY=naive python -m consumer --concurrency 3"
    ):
        check(PLAN, {("celery", "safe")})
    with pytest.raises(NoWorker, match=r"Celery, safe.*celery -A celery_app worker"):
        check(PLAN, set())


def test_workers_that_have_fallen_silent_do_not_count() -> None:
    picture: list[dict[str, Any]] = [
        {"method": "celery", "delivery": "safe", "silent_since": None},
        {"method": "rabbitmq", "delivery": "naive", "silent_since": "2026-01-01T00:00:00.000000Z"},
    ]
    assert present_in(picture) == {("celery", "safe")}


def test_workers_are_asked_again_where_one_does_not_answer_at_once() -> None:
    celery = Workers(WorkerPicture(method="celery", name="c@h", delivery="safe"))
    consumer = Workers(WorkerPicture(method="rabbitmq", name="n@h", delivery="naive"), times=1)
    found = pictures_of(PLAN, {"celery": celery, "rabbitmq": consumer})  # type: ignore[dict-item]
    assert {one.name for one in found} == {"c@h", "n@h"}
    assert consumer.asked == 3  # the last time, nobody else answered


def test_workers_are_asked_until_nobody_new_answers() -> None:
    celery = Workers(WorkerPicture(method="celery", name="c@h", delivery="safe"))
    consumer = Workers(WorkerPicture(method="rabbitmq", name="n@h", delivery="naive"))
    pictures_of(PLAN, {"celery": celery, "rabbitmq": consumer})  # type: ignore[dict-item]
    assert celery.asked == consumer.asked == 2


def test_after_a_run_nobody_is_asked_again_once_all_have_answered() -> None:
    celery = Workers(WorkerPicture(method="celery", name="c@h", delivery="safe"))
    known = celery.pictures()
    assert pictures_again({"celery": celery}, known) == known  # type: ignore[dict-item]
    assert celery.asked == 2
    gone = WorkerPicture(method="celery", name="gone@h", delivery="safe")
    assert pictures_again({"celery": celery}, [*known, gone]) == known  # type: ignore[dict-item]
    assert celery.asked == 5


def test_workers_that_are_known_already_are_not_asked() -> None:
    celery = Workers()
    known = [
        WorkerPicture(method="celery", name="c@h", delivery="safe"),
        WorkerPicture(method="rabbitmq", name="n@h", delivery="naive"),
    ]
    assert pictures_of(PLAN, {"celery": celery}, known) == known  # type: ignore[dict-item]
    assert celery.asked == 0


def test_nobody_there_is_said_after_a_few_tries() -> None:
    celery = Workers()
    with pytest.raises(NoWorker):
        pictures_of(PLAN, {"celery": celery})  # type: ignore[dict-item]
    assert celery.asked == 3


class Picture:
    """A control page's picture."""

    def __init__(self, workers: list[dict[str, Any]] | None) -> None:
        self._workers = workers

    def picture(self) -> dict[str, Any] | None:
        return None if self._workers is None else {"broker": {"up": True}, "workers": self._workers}


def test_a_plan_is_refused_where_neither_the_picture_nor_the_broker_knows_a_worker(parts: Services) -> None:
    told: list[int] = []

    def service(workers: list[dict[str, Any]] | None) -> Experiments:
        rows = parts.experiments.rows
        return Experiments(parts.settings, rows, Picture(workers), lambda: told.append(1))  # type: ignore[arg-type]

    present = [{"method": method, "delivery": delivery, "silent_since": None} for method, delivery in BOTH]
    with pytest.raises(NoWorker):
        service(present[:1]).start(PLAN.model_copy(update={"arms": [*PLAN.arms, Arm(method="rabbitmq")]}))
    assert parts.experiments.rows.page(5) == ([], None)
    assert service(present).start(PLAN)
    assert service(None).start(PLAN)  # nobody has looked yet: its own process does
    assert len(told) == 2
    first = service(present).start(PLAN, "a key")
    assert service([]).start(PLAN, "a key") == first  # what was taken once is not looked at again
