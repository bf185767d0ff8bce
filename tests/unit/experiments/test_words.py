import pytest

from experiments.model import Interval
from experiments.words import bounds_text, number, shown, signed, unit_of


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.00042, "0.0004"),
        (0.1234, "0.123"),
        (1.234, "1.23"),
        (12.34, "12.3"),
        (1234.5, "1234"),
        (12345.6, "12\N{NARROW NO-BREAK SPACE}346"),
        (-1.5, "\N{MINUS SIGN}1.50"),
        (7, "7"),
        (12345, "12\N{NARROW NO-BREAK SPACE}345"),
    ],
)
def test_numbers_have_three_digits_that_count_and_whole_ones_no_more_than_they_have(
    value: float, text: str
) -> None:
    assert number(value) == text


def test_where_one_of_a_row_takes_long_all_of_it_is_in_seconds() -> None:
    assert (shown("queue.p50", 450.0), unit_of("queue.p50")) == ("450", "ms")
    assert (shown("queue.p50", 450.0, size=45_000), unit_of("queue.p50", size=45_000)) == ("0.450", "s")
    assert signed("queue.p50", 45_000.0, size=45_000) == "+45.0"
    assert bounds_text("queue.p50", Interval(value=45_000, low=44_000, high=46_000), size=45_000) == (
        "44.0 to 46.0"
    )
    assert (shown("throughput", 45_000.0, size=45_000), unit_of("throughput", size=45_000)) == (
        "45\N{NARROW NO-BREAK SPACE}000",
        "jobs/s",
    )
