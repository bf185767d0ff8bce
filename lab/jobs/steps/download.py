"""The steps that fetch what a path names, each by what its scheme asks for."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final
from urllib.parse import unquote, urljoin, urlsplit

import fsspec
import requests

from lab.jobs.context import Context, TemporaryError
from lab.jobs.steps.paths import inside
from lab.jobs.steps.stores import ERRORS, NotAllowed, bucket_and_key, connect
from lab.jobs.steps.texts import deliver
from lab.places import Places

CHUNK_BYTES: Final = 256 * 1024
MOST_REDIRECTS: Final = 5


class BadPath(ValueError):
    """A path that this step does not fetch."""


class TooMuch(Exception):
    """A file is larger than the lab takes, or takes longer to come."""


def download(context: Context, path: str | list[str], index: int | None = None) -> dict[str, Any]:
    """Fetches what `path` names and delivers it to the API, by whichever of these its scheme asks for.
    Of a list it takes the path at `index`, from the first again where there are fewer.

    Returns:
        The path, the task that holds the file, its size in bytes and its SHA-256.
    """
    if isinstance(path, list):
        path = path[(index or 0) % len(path)]
    fetch = _BY_SCHEME.get(urlsplit(path).scheme)
    if fetch is None:
        raise BadPath(f"no step fetches {path[:200]!r}: it begins with none of {', '.join(_BY_SCHEME)}")
    return fetch(context, path)


def download_file(context: Context, path: str) -> dict[str, Any]:
    """Takes a file of the one folder that may be read: `file:///notes/a.txt` is `notes/a.txt` in it.

    Raises:
        NotAllowed: the path leads out of it.
        BadPath: there is no such file.
    """
    parts = _expect(path, "file")
    if parts.netloc:
        raise BadPath(f"{path!r} names a host: a file's path begins with file:///")
    found = inside(unquote(parts.path), context.places)
    return _take(context, path, _read(lambda: fsspec.filesystem("file").open(found)))


def download_data(context: Context, path: str) -> dict[str, Any]:
    """Takes what a `data:` path holds itself (RFC 2397)."""
    _expect(path, "data")
    return _take(context, path, _read(lambda: fsspec.filesystem("data").open(path)))


def download_s3(context: Context, path: str) -> dict[str, Any]:
    """Takes an object of an opened bucket of S3. Raises as `download_gcp` does."""
    return _take_object(context, path, "s3")


def download_gcp(context: Context, path: str) -> dict[str, Any]:
    """Takes an object of an opened bucket of Google Cloud Storage.

    Raises:
        NotAllowed: the bucket is none that may be read, or the store's package is not installed.
        TemporaryError: the server is in trouble.
    """
    return _take_object(context, path, "gcp")


def download_azure(context: Context, path: str) -> dict[str, Any]:
    """Takes an object of an opened container of Azure's store. Raises as `download_gcp` does."""
    return _take_object(context, path, "azure")


def _take_object(context: Context, path: str, scheme: str) -> dict[str, Any]:
    _expect(path, scheme)
    return _take(context, path, object_chunks(path, context.places))


def object_chunks(path: str, places: Places) -> Iterator[bytes]:
    """What the object at `path` holds. Raises as `download_gcp` does, and BadPath if there is none."""
    name, scheme = bucket_and_key(path, places), urlsplit(path).scheme
    try:
        yield from _read(lambda: connect(scheme, places).open(name))
    except ERRORS as error:
        raise TemporaryError(f"{scheme}: {error}") from error


def download_web(context: Context, path: str) -> dict[str, Any]:
    """Takes what an allowed host gives over HTTPS; redirects are followed to allowed hosts only.

    Raises:
        NotAllowed: the host, or one that it leads to, is none of them.
        TemporaryError: the host is in trouble.
        BadPath: it has no such file.
    """
    _expect(path, "https")
    return _take(context, path, _read_web(path, context.places))


_BY_SCHEME: Final[dict[str, Callable[[Context, str], dict[str, Any]]]] = {
    "file": download_file,
    "data": download_data,
    "s3": download_s3,
    "gcp": download_gcp,
    "azure": download_azure,
    "https": download_web,
}


def _expect(path: str, scheme: str) -> Any:
    parts = urlsplit(path)
    if parts.scheme != scheme:
        raise BadPath(f"{path[:200]!r} does not begin with {scheme}:")
    return parts


def _read(begin: Callable[[], Any]) -> Iterator[bytes]:
    try:
        with begin() as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise BadPath(f"there is no such file, or none to be read: {error}") from error


def _read_web(path: str, places: Places) -> Iterator[bytes]:
    host: str | None = None
    with requests.Session() as session:
        for _ in range(MOST_REDIRECTS):
            asked = _ask(session, path, places)
            host = urlsplit(str(asked.url)).hostname
            settings = session.merge_environment_settings(asked.url, {}, True, None, None)
            with session.send(asked, timeout=(5, 30), allow_redirects=False, **settings) as answer:
                if answer.is_redirect:
                    path = urljoin(str(asked.url), answer.headers["Location"])
                    continue
                if answer.status_code >= 500 or answer.status_code == 429:
                    raise TemporaryError(f"HTTP {answer.status_code} from {host}")
                if answer.status_code != 200:
                    raise BadPath(f"HTTP {answer.status_code} from {host} for {path[:200]!r}")
                yield from answer.iter_content(CHUNK_BYTES)
                return
    raise BadPath(f"{host} redirects more than {MOST_REDIRECTS} times")


def _ask(session: requests.Session, path: str, places: Places) -> requests.PreparedRequest:
    """The request for `path` as it will be sent, which is what is judged: parsers of addresses do not agree on what
    is odd, so that an address with a backslash or a user is not asked at all."""
    not_allowed = NotAllowed(f"{path[:200]!r} is no https:// of a host that LAB_DOWNLOAD_HOSTS names")
    try:
        asked = session.prepare_request(requests.Request("GET", path))
        parts = urlsplit(str(asked.url))
        odd = "\\" in path or "@" in urlsplit(path).netloc or "@" in parts.netloc
    except ValueError as error:  # requests' own InvalidURL is one
        raise not_allowed from error
    if odd or parts.scheme != "https" or parts.hostname not in places.hosts:
        raise not_allowed
    return asked


def _take(context: Context, path: str, chunks: Iterable[bytes]) -> dict[str, Any]:
    return {"path": path, **deliver(context, _bounded(context, path, chunks))}


def _bounded(context: Context, path: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
    places, began, size = context.places, time.monotonic(), 0
    for chunk in chunks:
        size += len(chunk)
        if size > places.most_bytes:
            raise TooMuch(f"{path[:200]!r} is larger than {places.most_bytes} bytes")
        if time.monotonic() - began > places.seconds:
            raise TooMuch(f"{path[:200]!r} takes longer than {places.seconds:g} s")
        yield chunk
    context.progress(0.6)
