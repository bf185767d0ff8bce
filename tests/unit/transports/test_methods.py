import re

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


def test_a_naive_worker_is_started_under_a_name_of_its_own_and_a_safe_one_under_its_default() -> None:
    found = {
        (name, delivery): re.search(r" -n (\S+)", start[0])
        for name, method in METHODS.items()
        for delivery in Delivery
        if (start := method.contenders[delivery].start)
    }
    assert len(found) == 4
    for (name, delivery), given in found.items():
        assert (given[1] if given else None) == ("naive@%h" if delivery is Delivery.NAIVE else None), name
