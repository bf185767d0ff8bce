"""S3 as the steps use it: opened buckets only, through fsspec and s3fs."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import fsspec
from botocore.exceptions import BotoCoreError

from lab.context import TemporaryError
from lab.places import Places

ERRORS = (BotoCoreError, TimeoutError)


class NotAllowed(Exception):
    """A path leads where the operator has opened nothing."""


def bucket_and_key(path: str, places: Places) -> str:
    """The `bucket/key` that `s3://bucket/key` names.

    Raises:
        NotAllowed: the bucket is none that may be read.
    """
    parts = urlsplit(path)
    if parts.netloc not in places.buckets:
        raise NotAllowed(f"the bucket {parts.netloc!r} is not open: LAB_S3_BUCKETS names those that are")
    return f"{parts.netloc}{parts.path}"


def connect(places: Places) -> Any:
    """The file system of the operator's S3."""
    return fsspec.filesystem(
        "s3",
        endpoint_url=places.s3_endpoint,
        skip_instance_cache=True,
        use_listings_cache=False,
        config_kwargs={"connect_timeout": 5, "read_timeout": 30, "retries": {"max_attempts": 1}},
    )


def paths_below(prefix: str, places: Places, most: int) -> list[str]:
    """The paths of all objects below `prefix`, in their order, at most `most`.

    Raises:
        NotAllowed: the bucket is none that may be read.
        FileNotFoundError: there is no such bucket.
        TemporaryError: the server is in trouble.
    """
    base = bucket_and_key(prefix, places)
    try:
        found: Iterable[str] = connect(places).find(base)
    except ERRORS as error:
        raise TemporaryError(f"S3: {error}") from error
    return [f"s3://{name}" for name in sorted(found)[:most]]
