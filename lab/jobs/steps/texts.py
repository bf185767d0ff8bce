"""The steps that work on what was fetched: count the words of a text, write a list, merge into one file."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from lab.jobs.context import Context, Files

MOST_WORDS: Final = 5


def count_words(context: Context, file: dict[str, Any]) -> dict[str, Any]:
    """Normalises the text that an earlier step fetched, delivers that, and counts it.

    Returns:
        What `file` says, of the normalised text, and its `lines`, its `words`, and its `top` words, the
        most frequent first.
    """
    with TemporaryDirectory(prefix="lab-step-") as folder:
        source = Path(folder, "source")
        _files(context).fetch_from(file["task"], source)
        text = normalised(source.read_bytes())
    context.progress(0.5)
    words = re.findall(r"\w+", text.casefold())
    counted = sorted(Counter(words).items(), key=lambda one: (-one[1], one[0]))
    made = deliver(context, [text.encode()])
    return {
        "path": file["path"],
        **made,
        "lines": text.count("\n"),
        "words": len(words),
        "top": [word for word, _ in counted[:MOST_WORDS]],
    }


def write_paths(context: Context, files: dict[str, Any] | list[dict[str, Any]]) -> dict[str, Any]:
    """Writes one file that lists what was fetched: checksum, size and path of each, in their order."""
    listed = files if isinstance(files, list) else [files]
    lines = (f"{one['sha256']}  {one['bytes']:>9}  {one['path']}\n".encode() for one in listed)
    return {"files": len(listed), **deliver(context, lines)}


def merge_files(context: Context, files: dict[str, Any] | list[dict[str, Any]]) -> dict[str, Any]:
    """Fetches what the steps before delivered and merges it into one file, each under its path."""
    listed = files if isinstance(files, list) else [files]

    def parts() -> Iterable[bytes]:
        with TemporaryDirectory(prefix="lab-step-") as folder:
            for place, one in enumerate(listed, 1):
                source = Path(folder, "source")
                _files(context).fetch_from(one["task"], source)
                yield f"==> {one['path']} <==\n{normalised(source.read_bytes())}".encode()
                context.progress(0.9 * place / len(listed))

    made = deliver(context, parts())
    counted = [one["words"] for one in listed if "words" in one]
    return {"files": len(listed), **({"words": sum(counted)} if counted else {}), **made}


def normalised(raw: bytes) -> str:
    """The text in `raw`, composed (NFC), with plain line ends and without spaces at them; what is no UTF-8
    is replaced."""
    text = unicodedata.normalize("NFC", raw.decode("utf-8-sig", errors="replace"))
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def deliver(context: Context, chunks: Iterable[bytes]) -> dict[str, Any]:
    """Writes `chunks` into a file and delivers it to the API, since workers share no disk.

    Returns:
        The task that holds the file, its size in bytes and its SHA-256.
    """
    size, digest = 0, hashlib.sha256()
    with TemporaryDirectory(prefix="lab-step-") as folder:
        target = Path(folder, "made")
        with target.open("wb") as file:
            for chunk in chunks:
                size += len(chunk)
                digest.update(chunk)
                file.write(chunk)
        _files(context).deliver(target)
    return {"task": _files(context).task_id, "bytes": size, "sha256": digest.hexdigest()}


def _files(context: Context) -> Files:
    if context.files is None:
        raise TypeError("a step needs the API's files")
    return context.files
