"""Text answers, compressed with gzip where the client takes it.

What a page holds that is secret, its forms' token, is masked (`api.web.form_token`), and each answer is longer by
chance: lengths tell nothing of it (BREACH, https://www.breachattack.com/;
https://ieeexplore.ieee.org/document/9754554).
"""

import secrets
import struct
import zlib
from functools import lru_cache
from typing import Final

from flask import Response, request

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
