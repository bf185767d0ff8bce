"""Frames of a message with properties that py-amqp cannot decode, before its own handler of frames."""

import struct
from typing import Any
from unittest.mock import Mock

import pytest
from amqp import spec
from amqp.method_framing import frame_handler
from kombu.utils.json import dumps, loads

from celery_worker.frames import TolerantFrames

DELIVER = (1, 1, struct.pack(">HH", *spec.Basic.Deliver))
BODY = b"[[], {}, {}]"
HAS_HEADERS = 0x2000


def header_frame(value: bytes) -> tuple[int, int, bytes]:
    table = b"\x03bad" + value
    head = struct.pack(">HHQ", 60, 0, len(BODY))
    return 2, 1, head + struct.pack(">HI", HAS_HEADERS, len(table)) + table


TOLERANT = TolerantFrames()


def delivered(value: bytes, make: Any = TOLERANT) -> Any:
    """The message that comes out."""
    came: list[Any] = []
    handle = make(Mock(bytes_recv=0), lambda *frame: came.append(frame[-1]))
    for frame in (DELIVER, header_frame(value), (3, 1, BODY)):
        handle(frame)
    (message,) = came
    return message


TIMELESS = b"T" + struct.pack(">Q", 2**63)


@pytest.mark.parametrize("value", [TIMELESS, b"?", b"A" + struct.pack(">I", 9) + TIMELESS])
def test_a_message_that_cannot_be_decoded_comes_without_its_properties(value: bytes) -> None:
    message = delivered(value)
    assert (message.properties, message.body) == ({}, BODY)


def test_a_message_that_can_comes_with_them() -> None:
    assert delivered(b"t\x01").properties == {"application_headers": {"bad": True}}


def test_py_amqp_as_it_comes_raises() -> None:
    with pytest.raises((ValueError, OverflowError)):
        delivered(TIMELESS, frame_handler)


def test_a_worker_can_tell_its_options_in_the_json_of_its_answers() -> None:
    assert loads(dumps({"frame_handler": TolerantFrames()})) == {
        "frame_handler": "celery_worker.frames:TolerantFrames"
    }
