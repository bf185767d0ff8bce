"""The options of `python -m consumer`."""

import pytest

from consumer.__main__ import _parser


@pytest.mark.parametrize("option", ["--concurrency", "--prefetch"])
@pytest.mark.parametrize("value", ["x", "0", "-1", "1.5", "٣", ""])
def test_a_number_that_cannot_be_used_is_told_what_is_taken(
    option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        _parser().parse_args([f"{option}={value}"])
    assert f"{option}: takes a whole number from 1" in capsys.readouterr().err
