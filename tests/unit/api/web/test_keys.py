import pytest
from werkzeug.exceptions import BadRequest

from api.web.keys import KEY_LENGTH, form_key, idempotency_key


def test_keys_of_programs_and_of_forms_are_never_the_same() -> None:
    keys = {idempotency_key("abcd-1234"), form_key("form", "abcd-1234"), form_key("images", "abcd-1234")}
    assert keys == {"api:abcd-1234", "form:abcd-1234", "images:abcd-1234"}


def test_without_the_header_there_is_no_key() -> None:
    assert idempotency_key(None) is None


@pytest.mark.parametrize("header", ["", "x" * (KEY_LENGTH + 1), "ключ", "a\tb"])
def test_a_header_that_is_no_key_is_refused(header: str) -> None:
    with pytest.raises(BadRequest, match="1 to 200 printable"):
        idempotency_key(header)


@pytest.mark.parametrize("typed", ["", "x" * 7, "x" * 65, "abcd 1234", "abcd-1234\n", "ключключ"])
def test_what_a_form_sends_and_is_no_key_is_left_out(typed: str) -> None:
    assert form_key("form", typed) is None
