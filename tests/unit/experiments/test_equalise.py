"""On doubles of the workers; on real ones: tests/integration/test_measured_workers.py."""

from collections.abc import Iterable

import pytest

from experiments.equalise import EqualiseError, Equaliser, wanted_sizes
from experiments.plan import Arm, Plan
from lab.delivery import Delivery
from lab.settings import Settings
from transports.configuration import Configuration
from transports.control import Control, ControlError, Reply, WorkerPicture, WorkerUsage


class Crew(Control):
    """Workers by name, that obey; those in `stubborn` do not."""

    label = "Crew"

    def __init__(self, name: str, stubborn: Iterable[str] = (), delivery: str = "safe", **sizes: int) -> None:
        super().__init__(Settings.from_env({}))
        self.name = name  # type: ignore[misc]
        self.sizes = dict(sizes)
        self.stubborn = set(stubborn)
        self.delivery = delivery
        self.away = self.deaf = False
        self.late: dict[str, int] = {}
        self.orders = 0

    def pictures(self, timeout: float = 1.0) -> list[WorkerPicture]:
        if self.away:
            raise ControlError("the broker is away")
        told = [
            WorkerPicture(
                method=self.name, name=name, delivery=self.delivery, concurrency=size, prefetch=size
            )
            for name, size in self.sizes.items()
        ]
        self.sizes |= self.late
        self.late = {}
        return told

    def grow(self, worker: str, n: int, timeout: float = 2.0) -> list[Reply]:
        self.orders += 1
        if self.away:
            raise ControlError("the broker is away")
        if self.deaf:
            return []
        if worker in self.stubborn:
            return [Reply(worker, 0.0, "all busy")]
        self.sizes[worker] += n
        return [Reply(worker, 0.0)]

    def shrink(self, worker: str, n: int, timeout: float = 2.0) -> list[Reply]:
        return self.grow(worker, -min(n, self.sizes[worker] - 1))

    def usage(self, **_: object) -> list[WorkerUsage]:
        return []

    def ping(self, timeout: float = 1.0) -> list[Reply]:
        return []

    def rate_limit(self, *_: object, **__: object) -> list[Reply]:
        return []

    def configuration(self, *_: object) -> Configuration:
        raise NotImplementedError


class Pair(Crew):
    """Workers of which the one called `tutorial` works by it."""

    def pictures(self, timeout: float = 1.0) -> list[WorkerPicture]:
        return [
            one.model_copy(update={"delivery": "naive"}) if one.name == "tutorial" else one
            for one in super().pictures(timeout)
        ]


PLAN = Plan(arms=[Arm(method="celery"), Arm(method="rabbitmq"), Arm(method="sync")], jobs=1)


def equaliser(*crews: Crew, plan: Plan = PLAN) -> Equaliser:
    return Equaliser({crew.name: crew for crew in crews}, plan, seconds=0.5)


def test_all_are_set_to_the_smallest_and_back() -> None:
    celery, rabbitmq = Crew("celery", a=3, b=4), Crew("rabbitmq", c=5)
    with equaliser(celery, rabbitmq):
        assert (celery.sizes, rabbitmq.sizes) == ({"a": 2, "b": 3}, {"c": 5})
    assert (celery.sizes, rabbitmq.sizes) == ({"a": 3, "b": 4}, {"c": 5})


def test_no_worker_runs_fewer_than_one_job_and_nobody_is_made_larger() -> None:
    celery, rabbitmq = Crew("celery", a=1, b=1, c=1, d=2), Crew("rabbitmq", e=2)
    pictures = equaliser(celery, rabbitmq).apply()
    assert (celery.sizes, rabbitmq.sizes) == ({"a": 1, "b": 1, "c": 1, "d": 1}, {"e": 2})
    assert {one.name: one.concurrency for one in pictures} == {**celery.sizes, **rabbitmq.sizes}


def test_workers_by_the_tutorial_have_one_size_and_the_others_are_made_no_larger_than_they() -> None:
    arms = [Arm(method="celery"), Arm(method="rabbitmq", delivery=Delivery.NAIVE)]
    few, many = {"tutorial-1": 1, "tutorial-2": 1}, {f"tutorial-{n}": 1 for n in range(1, 8)}
    for tutorial, wanted in ((few, 2), (many, 5)):
        celery, naive = Crew("celery", a=5), Crew("rabbitmq", delivery="naive", **tutorial)
        equaliser(celery, naive, plan=Plan(arms=arms, jobs=1)).apply()
        assert (celery.sizes, naive.sizes, naive.orders) == ({"a": wanted}, tutorial, 0)


def test_it_is_set_back_after_an_error_too() -> None:
    celery, rabbitmq = Crew("celery", a=6), Crew("rabbitmq", c=2)
    seen = []

    def run() -> None:
        with equaliser(celery, rabbitmq):
            seen.append(celery.sizes["a"])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run()
    assert seen == [2]
    assert celery.sizes == {"a": 6}


def test_a_worker_that_does_not_obey_is_named_and_the_others_set_back() -> None:
    celery, rabbitmq = Crew("celery", stubborn="a", a=6), Crew("rabbitmq", c=2, d=3)
    with pytest.raises(EqualiseError, match=r"a runs 6 jobs at once and could not be set to 5: all busy\."):
        equaliser(celery, rabbitmq).apply()
    other = Crew("celery", a=4), Crew("rabbitmq", stubborn="c", c=9)
    with pytest.raises(EqualiseError, match="all busy"):
        equaliser(*other).apply()
    assert other[0].sizes == {"a": 4}


def test_where_the_broker_is_away_it_says_so() -> None:
    celery, rabbitmq = Crew("celery", a=6), Crew("rabbitmq", c=2)
    rabbitmq.away = True
    with pytest.raises(EqualiseError, match="the broker is away"):
        equaliser(celery, rabbitmq).apply()
    assert celery.sizes == {"a": 6}


def test_setting_back_tells_whether_it_could_and_tries_again(caplog: pytest.LogCaptureFixture) -> None:
    celery, rabbitmq = Crew("celery", a=6), Crew("rabbitmq", c=2)
    both = equaliser(celery, rabbitmq)
    both.apply()
    celery.away = True
    assert not both.restore()
    assert "a (celery) could not be set back to 6" in caplog.text
    celery.away = False
    assert both.restore()
    assert celery.sizes == {"a": 6}


def test_one_method_that_is_away_does_not_keep_the_other_from_being_set_back() -> None:
    arms = [Arm(method="celery"), Arm(method="rabbitmq"), Arm(method="rabbitmq", delivery=Delivery.NAIVE)]
    celery, rabbitmq = Crew("celery", a=5), Pair("rabbitmq", b=4, tutorial=1)
    both = equaliser(celery, rabbitmq, plan=Plan(arms=arms, jobs=1))
    both.apply()
    assert (celery.sizes, rabbitmq.sizes) == ({"a": 1}, {"b": 1, "tutorial": 1})
    celery.away = True
    assert not both.restore()
    assert (celery.sizes, rabbitmq.sizes) == ({"a": 1}, {"b": 4, "tutorial": 1})


def test_what_was_not_resized_is_nobodys_business() -> None:
    celery, naive = Crew("celery", a=3), Crew("rabbitmq", delivery="naive", n=5)
    with equaliser(celery, naive, plan=Plan(arms=[Arm(method="celery"), Arm(method="rabbitmq")], jobs=1)):
        naive.sizes["n"] = 9
        celery.sizes["a"] = 4
    assert (celery.sizes, naive.sizes) == ({"a": 4}, {"n": 9})


def test_orders_to_set_back_wait_for_nothing() -> None:
    celery, rabbitmq = Crew("celery", a=6), Crew("rabbitmq", c=2)
    both = equaliser(celery, rabbitmq)
    both.apply()
    both.order_back()
    assert celery.sizes == {"a": 6}
    assert both.restore()
    assert celery.orders == 2


def test_a_worker_that_has_ended_is_not_waited_for_for_ever() -> None:
    celery, rabbitmq = Crew("celery", a=6, b=1), Crew("rabbitmq", c=3)
    both = equaliser(celery, rabbitmq)
    both.apply()
    del celery.sizes["a"]
    celery.deaf = True
    assert both.restore()


def test_a_worker_that_answers_late_is_set_alike_too() -> None:
    celery, rabbitmq = Crew("celery", a=2), Crew("rabbitmq", c=4)
    celery.late = {"b": 3}
    pictures = equaliser(celery, rabbitmq).apply()
    assert (celery.sizes, rabbitmq.sizes) == ({"a": 1, "b": 1}, {"c": 2})
    assert len(pictures) == 3


def test_what_is_alike_already_is_left_alone() -> None:
    celery, rabbitmq = Crew("celery", a=3), Crew("rabbitmq", c=3)
    with equaliser(celery, rabbitmq):
        pass
    assert celery.orders == rabbitmq.orders == 0


def test_an_arm_twice_and_one_without_workers_change_nothing() -> None:
    arms = [Arm(method="celery"), Arm(method="celery"), Arm(method="rabbitmq"), Arm(method="sync")]
    pictures = Crew("celery", a=3, b=1).pictures()
    assert wanted_sizes(arms, pictures) == {("celery", "a"): 3, ("celery", "b"): 1}
    assert wanted_sizes([Arm(method="sync")], pictures) == {}


def test_two_workers_of_one_name_cannot_be_told_apart() -> None:
    pictures = [*Crew("celery", a=3).pictures(), *Crew("celery", a=4, delivery="naive").pictures()]
    with pytest.raises(EqualiseError, match="Two workers are called a"):
        wanted_sizes(PLAN.arms, pictures)
