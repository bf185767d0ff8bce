from typing import Any

import pytest
from flask import Flask
from werkzeug.datastructures import MultiDict

from api.web.forms import Form, parse_task
from api.web.numbers import two_ways, typed, typed_list
from api.web.schemas import Invalid
from tests.typed_numbers import CASES, LISTS


@pytest.mark.parametrize("language", ["en", "ru"])
def test_a_number_is_read_or_left_for_the_form_to_refuse(app: Flask, language: str) -> None:
    with app.test_request_context(headers={"Accept-Language": language}):
        for text, *meant in CASES:
            value: Any = meant[language == "ru"]
            assert typed(text) == (text if value is None else value), text
            whole = value is not None and value.is_integer()
            assert typed(text, whole=True) == (value if whole else text), text
            assert not whole or isinstance(typed(text, whole=True), int)
        for text, *found in LISTS:
            assert typed_list(text) == found[language == "ru"], text


def test_a_long_whole_number_keeps_all_its_digits() -> None:
    assert typed("900719925474099301", whole=True) == 900719925474099301
    assert typed("9" * 19 + ".5", whole=True) == "9" * 19 + ".5"


def test_what_may_mean_two_things_is_told_with_both(app: Flask) -> None:
    with app.test_request_context():
        assert two_ways(" 1,234 ") == "“1,234” may mean two things: write 1234 or 1.234."
        assert two_ways("3 5,5") == "“5,5” may mean two things: write 5 5 or 5.5."
        assert two_ways("five") == two_ways("1.234") == ""
        for values in (
            {"kind": "process_task", "timeout": "1,234"},
            {"kind": "process_data", "numbers": "5,5"},
            {"kind": "word_count", "word_count.text": "a", "word_count.shortest": "1,234"},
        ):
            form = Form(MultiDict({"method": "sync", **values}))
            with pytest.raises(Invalid) as refusal:
                parse_task({"method": "sync", **values})
            form.refuse(refusal.value, {})
            assert ["may mean two things" in text for text in form.errors.values()] == [True]
