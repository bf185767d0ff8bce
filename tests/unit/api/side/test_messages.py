"""Messages are shown readable, and without tokens."""

import json

import pytest

from api.side.messages import MASK, message_json
from api.side.wire import Message


def test_tokens_are_masked_wherever_they_stand() -> None:
    body = {"token": "secret", "link": {"token": "secret", "then": [{"lab_token": "secret"}]}, "num": 1}
    headers = {"lab_token": "secret", "task": "add"}
    message = Message("celery", "celery", True, {"headers": headers}, json.dumps(body).encode())
    shown = message_json(message)
    assert "secret" not in json.dumps(shown)
    assert shown["headers"] == {"lab_token": MASK, "task": "add"}
    assert shown["body"]["link"] == {"token": MASK, "then": [{"lab_token": MASK}]}
    assert shown["body"]["num"] == 1


@pytest.mark.parametrize(
    ("body", "shown"), [(b'{"a": 1}', {"a": 1}), (b"no job", "no job"), (b"\xff\x00", "ff00"), (b"", "")]
)
def test_a_body_is_json_or_text_or_digits(body: bytes, shown: object) -> None:
    assert message_json(Message("", "tasks", False, {}, body))["body"] == shown
