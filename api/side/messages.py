"""A message as the page shows it: readable, and without the tokens that would let a reader report on tasks."""

from typing import Any, Final

from pydantic_core import from_json, to_jsonable_python

from api.side.wire import Message

MASK: Final = "…"
_TOKENS: Final = ("token", "lab_token")


def message_json(message: Message) -> dict[str, Any]:
    """`body` is what the JSON in it says, or text, or hexadecimal digits; `size` bytes on the wire."""
    properties = _plain(message.properties)
    return {
        "exchange": message.exchange,
        "routing_key": message.routing_key,
        "mandatory": message.mandatory,
        "confirmed": message.confirmed,
        "headers": properties.pop("headers", {}),
        "properties": properties,
        "body": _body(message.body),
        "size": message.size,
    }


def _body(body: bytes) -> Any:
    try:
        return _masked(from_json(body, allow_inf_nan=False))
    except ValueError:
        pass
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body.hex()


def _plain(value: Any) -> Any:
    return _masked(to_jsonable_python(value, fallback=str))


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: MASK if name in _TOKENS and item else _masked(item) for name, item in value.items()}
    return [_masked(item) for item in value] if isinstance(value, list) else value
