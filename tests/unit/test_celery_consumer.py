import json
from typing import Any

import pytest
from kombu import Connection
from kombu.message import Message

from celery_consumer import fault

HEADERS = {"task": "process_task", "id": "x"}
BODY = [[1, 0.0], {}, {"callbacks": None}]


def message(body: bytes, headers: Any = HEADERS, content_type: str = "application/json") -> Message:
    with Connection("memory://").channel() as channel:
        return Message(
            body,
            channel=channel,
            content_type=content_type,
            content_encoding="utf-8",
            headers=headers,
            properties={},
            accept={"application/json"},
        )


def test_a_task_message_is_in_order() -> None:
    assert fault(message(json.dumps(BODY).encode())) is None


@pytest.mark.parametrize(
    ("body", "headers", "content_type", "word"),
    [
        (b"null", HEADERS, "application/json", "body"),
        (b"{", HEADERS, "application/json", "Decode"),
        (b"\xff", HEADERS, "application/json", "Decode"),
        (b'{"task_id": 5}', HEADERS, "application/json", "body"),
        (b"[1, 2]", HEADERS, "application/json", "body"),
        (b'["args", {}, {}]', HEADERS, "application/json", "arguments"),
        (b"[[], [], {}]", HEADERS, "application/json", "arguments"),
        (json.dumps(BODY).encode(), {"task": "process_task"}, "application/json", "id"),
        (json.dumps(BODY).encode(), {"task": 5, "id": "x"}, "application/json", "task"),
        (json.dumps(BODY).encode(), None, "application/json", "task"),
        (b"\x80\x04\x95", HEADERS, "application/x-python-serialize", "Disallowed"),
        (b"- yaml", HEADERS, "application/x-yaml", "Disallowed"),
    ],
)
def test_what_is_no_task_message_is_named(body: bytes, headers: Any, content_type: str, word: str) -> None:
    found = fault(message(body, headers, content_type))
    assert found is not None
    assert word in found
