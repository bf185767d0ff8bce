"""The step that says what there is to do: a list of paths."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from lab.jobs.context import Context
from lab.jobs.steps.stores import NotAllowed, paths_below
from lab.places import Places
from lab.plan import MOST_NODES


class NothingFound(Exception):
    """There is no path where paths were looked for."""


def list_paths(context: Context, source: dict[str, Any], count: int | None = None) -> list[str]:
    """The paths that `source` holds; `count` of them, from the first again where there are fewer.

    Args:
        source: `{"table": "samples"}`, `{"folder": "notes"}`, `{"bucket": "s3://bucket/prefix"}` or
            `{"paths": [...]}`.

    Raises:
        NothingFound: there are none.
        NotAllowed: the folder or bucket is not open to the lab.
    """
    ((place, named),) = source.items()
    paths = _SOURCES[place](context, named)
    if not paths:
        raise NothingFound(f"there are no paths in the {place} {named!r}")
    return paths[:MOST_NODES] if count is None else cycled(paths, count)


def cycled(paths: list[str], count: int) -> list[str]:
    """`count` of `paths`, from the first again where there are fewer."""
    return [paths[place % len(paths)] for place in range(count)]


def inside(name: str, places: Places) -> Path:
    """The real path of what `name` is in the one folder that may be read.

    Raises:
        NotAllowed: it leads out of it, by dots or by a link.
    """
    base = places.folder.resolve()
    found = (base / name.lstrip("/")).resolve()
    if not found.is_relative_to(base):
        raise NotAllowed(f"{name!r} leads out of the folder LAB_FILES")
    return found


def _from_table(context: Context, table: str) -> list[str]:
    if context.api is None:
        raise TypeError("a table's paths are asked of the API")
    return list(context.api.post("paths", {"table": table})["paths"])


def _from_folder(context: Context, name: str) -> list[str]:
    places = context.places
    base, folder = places.folder.resolve(), inside(name, places)
    if not folder.is_dir():
        raise NothingFound(f"there is no folder {name!r} in the folder LAB_FILES")
    found = (path for path in folder.rglob("*") if path.is_file() and path.resolve().is_relative_to(base))
    return [f"file:///{path.relative_to(base).as_posix()}" for path in sorted(found)]


def _from_bucket(context: Context, prefix: str) -> list[str]:
    return paths_below(prefix, context.places, MOST_NODES)


def _as_named(_: Context, paths: list[str]) -> list[str]:
    return list(paths)


_SOURCES: Final[dict[str, Callable[[Context, Any], list[str]]]] = {
    "table": _from_table,
    "folder": _from_folder,
    "bucket": _from_bucket,
    "paths": _as_named,
}
