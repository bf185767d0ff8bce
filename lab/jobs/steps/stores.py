"""Object stores as the steps use them: opened buckets only, through fsspec and the store's own client."""

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlsplit

import fsspec
from botocore.exceptions import BotoCoreError

from lab.jobs.context import TemporaryError
from lab.places import Places

ERRORS: Final = (BotoCoreError, TimeoutError)
# By the path's scheme: fsspec's name of the store, the package that speaks to it, the setting that opens buckets.
_STORES: Final = {
    "s3": ("s3", "s3fs", "LAB_S3_BUCKETS"),
    "gcp": ("gs", "gcsfs", "LAB_GCP_BUCKETS"),
    "azure": ("abfs", "adlfs", "LAB_AZURE_CONTAINERS"),
}


class NotAllowed(Exception):
    """A path leads where the operator has opened nothing."""


def bucket_and_key(path: str, places: Places) -> str:
    """The `bucket/key` that `s3://bucket/key` names.

    Raises:
        NotAllowed: the bucket is none that may be read.
    """
    parts = urlsplit(path)
    if parts.netloc not in places.buckets.get(parts.scheme, ()):
        setting = _STORES[parts.scheme][2]
        raise NotAllowed(f"the bucket {parts.netloc!r} is not open: {setting} names those that are")
    return f"{parts.netloc}{parts.path}"


def connect(scheme: str, places: Places) -> Any:
    """The file system of the operator's store for paths of `scheme`.

    Raises:
        NotAllowed: the package that speaks to this store is not installed.
    """
    protocol, package, _ = _STORES[scheme]
    options: dict[str, Any] = {"skip_instance_cache": True, "use_listings_cache": False}
    if scheme == "s3":
        timeouts = {"connect_timeout": 5, "read_timeout": 30, "retries": {"max_attempts": 1}}
        options |= {"endpoint_url": places.s3_endpoint, "config_kwargs": timeouts}
    try:
        return fsspec.filesystem(protocol, **options)
    except ImportError as error:
        raise NotAllowed(f"{scheme}:// takes the package {package}: pip install {package}") from error


def paths_below(prefix: str, places: Places, most: int) -> list[str]:
    """The paths of all objects below `prefix`, in their order, at most `most`.

    Raises:
        NotAllowed: the bucket is none that may be read.
        FileNotFoundError: there is no such bucket.
        TemporaryError: the server is in trouble.
    """
    base, scheme = bucket_and_key(prefix, places), urlsplit(prefix).scheme
    try:
        found: Iterable[str] = connect(scheme, places).find(base)
    except ERRORS as error:
        raise TemporaryError(f"{scheme}: {error}") from error
    return [f"{scheme}://{name.lstrip('/')}" for name in sorted(found)[:most]]
