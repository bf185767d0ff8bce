"""A file of ready messages, as `ceiling.c` reads it: lengths are 32 bits, little-endian."""

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

_LENGTH = struct.Struct("<I")


def write(path: Path, messages: Iterable[tuple[bytes, bytes]]) -> None:
    """Writes `messages`: properties as in a content header, and body."""
    with path.open("wb") as file:
        for parts in messages:
            for part in parts:
                file.write(_LENGTH.pack(len(part)) + part)


def read(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """The messages of the file at `path`."""
    data, at = path.read_bytes(), 0

    def part() -> bytes:
        nonlocal at
        start = at + _LENGTH.size
        at = start + _LENGTH.unpack_from(data, at)[0]
        return data[start:at]

    while at < len(data):
        yield part(), part()
