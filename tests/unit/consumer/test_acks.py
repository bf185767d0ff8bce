from consumer.worker import Acks


def with_tags(*tags: int) -> Acks:
    acks = Acks()
    for tag in tags:
        acks.add(tag)
    return acks


def test_what_is_done_in_a_row_is_acknowledged_at_once() -> None:
    acks = with_tags(1, 2, 3, 4)
    for tag in (2, 1, 3):
        acks.done(tag)
    assert acks.take() == [(3, True)]
    assert acks.take() == []
    assert len(acks) == 1


def test_a_single_one_is_acknowledged_alone() -> None:
    acks = with_tags(7)
    acks.done(7)
    assert acks.take() == [(7, False)]


def test_who_stands_behind_a_longer_job_does_not_wait_for_it() -> None:
    acks = with_tags(1, 2, 3)
    acks.done(3)
    acks.done(2)
    assert acks.take() == [(2, False), (3, False)]
    acks.done(1)
    assert acks.take() == [(1, False)]
    assert len(acks) == 0


def test_what_was_rejected_is_not_acknowledged_and_holds_up_nothing() -> None:
    acks = with_tags(1, 2, 3, 4)
    acks.drop(1)
    acks.drop(3)
    acks.done(2)
    acks.done(4)
    assert acks.take() == [(4, True)]
