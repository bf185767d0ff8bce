from consumer.unsettled import Unsettled


def with_tags(*tags: int) -> Unsettled:
    unsettled = Unsettled()
    for tag in tags:
        unsettled.add(tag)
    return unsettled


def test_what_is_done_in_a_row_is_acknowledged_at_once() -> None:
    unsettled = with_tags(1, 2, 3, 4)
    for tag in (2, 1, 3):
        unsettled.done(tag)
    assert unsettled.acknowledgements() == [(3, True)]
    assert unsettled.acknowledgements() == []
    assert len(unsettled) == 1


def test_a_single_one_is_acknowledged_alone() -> None:
    unsettled = with_tags(7)
    unsettled.done(7)
    assert unsettled.acknowledgements() == [(7, False)]


def test_who_stands_behind_a_longer_job_does_not_wait_for_it() -> None:
    unsettled = with_tags(1, 2, 3)
    unsettled.done(3)
    unsettled.done(2)
    assert unsettled.acknowledgements() == [(2, False), (3, False)]
    unsettled.done(1)
    assert unsettled.acknowledgements() == [(1, False)]
    assert len(unsettled) == 0


def test_what_was_rejected_is_not_acknowledged_and_holds_up_nothing() -> None:
    unsettled = with_tags(1, 2, 3, 4)
    unsettled.drop(1)
    unsettled.drop(3)
    unsettled.done(2)
    unsettled.done(4)
    assert unsettled.acknowledgements() == [(4, True)]
