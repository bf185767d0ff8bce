"""Confirms come one by one or many at once, in whatever order, and each finds its message."""

from lab.amqp_window import Batch, Confirms


def under_way(*names: str) -> tuple[Confirms, Batch]:
    confirms, batch = Confirms(), Batch()
    for at, name in enumerate(names, 1):
        confirms.add(batch, name, at)
    return confirms, batch


def test_one_confirm_may_stand_for_many() -> None:
    confirms, batch = under_way("a", "b", "c", "d")
    confirms.settle(3, True, None)
    assert batch.confirmed == {"a": 1, "b": 2, "c": 3}
    assert (batch.under_way, len(confirms)) == (1, 1)


def test_confirms_may_come_in_any_order() -> None:
    confirms, batch = under_way("a", "b", "c", "d")
    confirms.settle(3, False, None)
    confirms.settle(1, False, None)
    confirms.settle(4, True, None)
    assert batch.confirmed.keys() == {"a", "b", "c", "d"}
    assert batch.under_way == 0
    assert batch.trouble is None


def test_a_refusal_is_of_those_that_it_names() -> None:
    confirms, batch = under_way("a", "b", "c", "d")
    confirms.settle(1, False, None)
    confirms.settle(3, True, "full")
    confirms.settle(4, False, None)
    assert batch.confirmed == {"a": 1, "d": 4}
    assert batch.refused == {"b": "full", "c": "full"}
    assert batch.trouble == "2 messages were not taken; b: full"


def test_what_came_back_is_confirmed_by_the_broker_and_refused_all_the_same() -> None:
    confirms, batch = under_way("a", "b", "c")
    confirms.returned("b", "no queue")
    confirms.settle(3, True, None)
    assert batch.confirmed.keys() == {"a", "c"}
    assert batch.refused == {"b": "no queue"}


def test_a_confirm_of_nothing_is_nothing() -> None:
    confirms, batch = under_way("a")
    confirms.settle(1, False, None)
    confirms.settle(1, True, None)
    confirms.settle_all()
    assert batch.confirmed == {"a": 1}


def test_batches_do_not_mix() -> None:
    confirms, first = under_way("a", "b")
    second = Batch()
    confirms.add(second, "a", 9)
    confirms.settle(3, True, None)
    assert first.confirmed == {"a": 1, "b": 2}
    assert second.confirmed == {"a": 9}
