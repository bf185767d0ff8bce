"""Walks through image files from their first to their last byte, without decoding a pixel.

Pillow reads what it needs and would need the whole picture in memory to notice that the end is missing; these
walks follow the lengths and markers that the formats are made of. Broken files raise ValueError, IndexError
or struct.error. Sources: PNG (W3C, 3rd edition), JPEG (ITU T.81, annex B), GIF89a, the WebP container (RFC 9649).
"""

import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from mmap import mmap
from typing import Final

# Of chunks, segments or blocks in one file: a photo has hundreds, an animation a few for each frame.
MOST_PARTS: Final = 50_000


@dataclass(frozen=True)
class Layout:
    """What a file is made of: pixels of the whole canvas, frames; `scans` of a JPEG (0: progressive);
    whether a WebP is `lossless`; the EXIF block of a PNG, which may stand behind the picture."""

    width: int
    height: int
    frames: int = 1
    scans: int = 1
    lossless: bool = True
    exif: bytes | None = None


def _png(data: mmap) -> Layout:
    width, height = struct.unpack_from(">II", data, 16)
    exif, pictures, at = None, 0, 8
    for _ in range(MOST_PARTS):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        (checksum,) = struct.unpack_from(">I", data, end)
        with memoryview(data) as view, view[at + 4 : end] as chunk:
            if zlib.crc32(chunk) != checksum:
                raise ValueError("wrong checksum")
        if kind == b"IEND":
            break
        if kind == b"eXIf":
            exif = data[at + 8 : end]
        pictures += kind == b"IDAT"
        at = end + 4
    else:
        raise ValueError("too many parts")
    if not pictures:
        raise ValueError("no picture")
    return Layout(width, height, exif=exif)


_MARKER = re.compile(rb"\xff[^\xff]", re.DOTALL)
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
_WITHOUT_LENGTH = frozenset(range(0xD0, 0xD9)) | {0x00, 0x01}


def _jpeg(data: mmap) -> Layout:
    width = height = scans = 0
    progressive, at = False, 2
    for _ in range(MOST_PARTS):
        found = _MARKER.search(data, at)
        if found is None:
            raise ValueError("no end")
        at = found.start()
        marker = data[at + 1]
        at += 2
        if marker == 0xD9:
            break
        if marker in _WITHOUT_LENGTH:
            continue
        (length,) = struct.unpack_from(">H", data, at)
        if marker in _FRAME_HEADERS:
            height, width = struct.unpack_from(">HH", data, at + 3)
            progressive = marker in _PROGRESSIVE
        at += length
        if marker == 0xDA:
            scans += 1
            found = _AFTER_SCAN.search(data, at)
            if found is None:
                raise ValueError("no end")
            at = found.start()
    else:
        raise ValueError("too many parts")
    if not scans or not width:
        raise ValueError("no picture")
    return Layout(width, height, scans=0 if progressive else scans)


def _gif(data: mmap) -> Layout:
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at, frames = 13 + _colours(flags), 0
    for _ in range(MOST_PARTS):
        block = data[at]
        at += 1
        if block == 0x3B:
            break
        if block == 0x2C:
            left, top, wide, high, flags = struct.unpack_from("<HHHHB", data, at)
            # Pillow makes the canvas as large as its largest frame.
            width, height = max(width, left + wide), max(height, top + high)
            frames += 1
            at += 9 + _colours(flags)
        if block in (0x21, 0x2C):
            at += 1
            while data[at]:
                at += 1 + data[at]
            at += 1
    else:
        raise ValueError("too many parts")
    if not frames:
        raise ValueError("no picture")
    return Layout(width, height, frames)


def _colours(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _webp(data: mmap) -> Layout:
    (size,) = struct.unpack_from("<I", data, 4)
    end = 8 + size
    if end > len(data):
        raise ValueError("no end")
    canvas: tuple[int, int] | None = None
    frames, lossless, at = 0, False, 12
    for _ in range(MOST_PARTS):
        if at >= end:
            break
        kind, length = struct.unpack_from("<4sI", data, at)
        body = at + 8
        at = body + length + length % 2
        if kind == b"VP8X":
            wide, high = (int.from_bytes(data[n : n + 3], "little") for n in (body + 4, body + 7))
            canvas = wide + 1, high + 1
        elif kind == b"ANMF":
            frames += 1
            at = body + 16
        elif kind in (b"VP8 ", b"VP8L"):
            lossless = kind == b"VP8L"
            canvas = canvas or _bitstream_size(data, body, lossless)
    else:
        raise ValueError("too many parts")
    if canvas is None or at > end + 1:
        raise ValueError("no picture")
    return Layout(*canvas, frames or 1, lossless=lossless)


def _bitstream_size(data: mmap, body: int, lossless: bool) -> tuple[int, int]:
    if lossless:
        (bits,) = struct.unpack_from("<I", data, body + 1)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    wide, high = struct.unpack_from("<HH", data, body + 6)
    return wide & 0x3FFF, high & 0x3FFF


WALKS: dict[str, Callable[[mmap], Layout]] = {"PNG": _png, "JPEG": _jpeg, "GIF": _gif, "WEBP": _webp}
