import pytest

from lab.delivery import Delivery
from transports.methods import METHODS, OF_QUEUE, QUEUES, contender


def test_each_queue_belongs_to_one_method() -> None:
    assert {OF_QUEUE[queue]: queue for queue in OF_QUEUE} == QUEUES


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("delivery", Delivery)
def test_a_contender_with_workers_says_how_they_are_started_and_where_their_code_is(
    name: str, delivery: Delivery
) -> None:
    found = contender(name, delivery)
    has_workers = METHODS[name].control is not None
    assert found.label
    assert (found.start is not None) == bool(found.absent) == bool(found.code[0]) == has_workers
