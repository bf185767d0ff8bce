"""Text answers, compressed with gzip where the client takes it.

What a page holds that is secret, its forms' token, is masked differently in each page, and each answer is longer by
chance: lengths tell nothing of either (BREACH, https://www.breachattack.com/;
https://ieeexplore.ieee.org/document/9754554).
"""

import secrets
import struct
import zlib
from functools import lru_cache
from typing import Final

from flask import Flask, Response, request
from flask_wtf.csrf import CSRFProtect, generate_csrf
from itsdangerous import BadData, base64_decode, base64_encode

LEAST_BYTES: Final = 1_000
MOST_BYTES: Final = 4_000_000
LEVEL: Final = 5
MOST_PADDING: Final = 64
KINDS: Final = frozenset(
    {
        "text/html",
        "text/css",
        "text/javascript",
        "text/plain",
        "text/markdown",
        "text/csv",
        "application/json",
        "application/problem+json",
        "image/svg+xml",
    }
)


class MaskedCSRF(CSRFProtect):  # type: ignore[misc]  # Flask-WTF has no types
    """Flask-WTF's protection, with tokens that look different each time."""

    def init_app(self, app: Flask) -> None:
        super().init_app(app)
        app.jinja_env.globals["csrf_token"] = masked_token
        app.context_processor(lambda: {"csrf_token": masked_token})

    def _get_csrf_token(self) -> str | None:
        token = super()._get_csrf_token()
        return unmasked(token) if token else token


def masked_token() -> str:
    """The token of this page's forms: twice the same one never looks alike."""
    token = generate_csrf().encode()
    mask = secrets.token_bytes(len(token))
    return base64_encode(mask + _xor(mask, token)).decode()


def unmasked(text: str) -> str:
    """The token behind one that was masked; something that no token is where it was none."""
    try:
        both = base64_decode(text)
    except BadData:
        return ""
    half = len(both) // 2
    return _xor(both[:half], both[half:]).decode(errors="replace")


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=False))


def compress(response: Response) -> Response:
    """Has `response` compressed, unless it is a stream, short, or no text. Files are compressed once."""
    if (
        response.mimetype not in KINDS
        or response.status_code != 200
        or "Content-Encoding" in response.headers
    ):
        return response
    is_file = response.direct_passthrough
    if response.is_streamed and not is_file:
        return response
    response.vary.add("Accept-Encoding")
    size = response.content_length
    wanted = request.method != "HEAD" and request.accept_encodings["gzip"] > 0
    if not wanted or size is None or not LEAST_BYTES <= size <= MOST_BYTES:
        return response
    response.direct_passthrough = False
    data = response.get_data()
    response.set_data(_kept(data) if is_file else _gzip(data))
    response.headers["Content-Encoding"] = "gzip"
    etag, _weak = response.get_etag()
    if etag is not None:
        response.set_etag(etag, weak=True)
    return response


@lru_cache(maxsize=128)
def _kept(data: bytes) -> bytes:
    return _gzip(data)


def _gzip(data: bytes) -> bytes:
    """A gzip file (RFC 1952) whose header names a file of a name of random length."""
    name = b"x" * secrets.randbelow(MOST_PADDING) + b"\0"
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    head = b"\x1f\x8b\x08\x08\0\0\0\0\0\xff" + name
    foot = struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)
    return head + packer.compress(data) + packer.flush() + foot
