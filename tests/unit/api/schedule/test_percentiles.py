"""Percentiles against Python's own."""

import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.schedule.reports.percentiles import percentiles


@settings(deadline=None)  # the first example may meet a busy machine
@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=300))
def test_they_are_those_of_the_standard_library(values: list[float]) -> None:
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    found = percentiles(values)
    assert found is not None
    assert list(found) == ["p50", "p90", "p99"]
    assert list(found.values()) == pytest.approx([cuts[49], cuts[89], cuts[98]], rel=1e-9, abs=1e-9)


def test_of_one_value_all_are_that_value_and_of_none_there_are_none() -> None:
    assert percentiles([2.5]) == {"p50": 2.5, "p90": 2.5, "p99": 2.5}
    assert percentiles([]) is None
