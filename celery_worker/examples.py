"""Tasks as Celery's guides write them, with nothing of the lab around: for a Python shell.

The API knows nothing of them, but `GET /task/<task_id>` tells how one stands.
"""

from collections.abc import Mapping
from html import escape
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from celery import Signature, Task, chain, group
from celery.utils.log import get_task_logger

from celery_app import celery_app, settings
from lab.jobs.context import Context, TemporaryError
from lab.jobs.kinds import process_data
from lab.jobs.mail import Mail, Mailer
from lab.jobs.steps.download import BadPath, object_chunks
from lab.jobs.steps.stores import NotAllowed, paths_below
from lab.plan import MOST_NODES

DOWNLOADS = settings.var / "downloads"

logger = get_task_logger(__name__)


@celery_app.task(bind=True, max_retries=3, name="send_email")
def send_email(self: Task, to: str, subject: str, body: str) -> dict[str, str]:
    """Sends a mail through SMTP_URL, again after a minute where the server is away. Without that setting
    it only says so in the worker's log."""
    if settings.smtp_url is None:
        logger.warning("SMTP_URL is not set: the mail %r to %s stays here", subject, to)
        return {"status": "not sent", "to": to}
    mail = Mail(key=self.request.id, subject=subject, text=body, html=f"<pre>{escape(body)}</pre>")
    try:
        Mailer(settings.smtp_url, [to]).send(mail, lambda: None)
    except (OSError, TemporaryError) as error:
        raise self.retry(exc=error, countdown=60) from error
    return {"status": "sent", "to": to}


@celery_app.task(
    name="reliable_task",
    autoretry_for=(ConnectionError, TimeoutError),
    retry_backoff=True,
    retry_backoff_max=600,
    retry_jitter=True,
    max_retries=5,
)
def reliable_task(data: list[float]) -> Any:
    """Sums `data` up, as `process_data` does; a connection that breaks is tried again, up to five times,
    after 1, 2, 4 … seconds at most."""
    return process_data(Context(0), data)


@celery_app.task(name="get_files_from_bucket")
def get_files_from_bucket(prefix: str | None = None) -> list[str]:
    """The paths of the objects below `prefix`, such as `s3://bucket/folder`; without one of all buckets that
    LAB_S3_BUCKETS opens."""
    return paths_below(prefix, settings.places, MOST_NODES) if prefix else _paths("s3")


@celery_app.task(name="get_paths_from_db")
def get_paths_from_db() -> list[str]:
    """The paths of all objects in all opened buckets of all three stores, as if a database had listed them."""
    return _paths("s3", "gcp", "azure")


def _paths(*schemes: str) -> list[str]:
    places = settings.places
    opened = [f"{scheme}://{name}" for scheme in schemes for name in places.buckets[scheme]]
    if not opened:
        raise NotAllowed("no bucket is open: LAB_S3_BUCKETS, LAB_GCP_BUCKETS, LAB_AZURE_CONTAINERS open some")
    return [path for prefix in opened for path in paths_below(prefix, places, MOST_NODES)][:MOST_NODES]


def _download_from(store: str) -> Any:
    def download(path: str) -> str:
        """Writes the object at `path` into a file on this machine's disk and returns that one's path."""
        url = urlsplit(path)
        if url.scheme != store:
            raise BadPath(f"{path[:200]!r} does not begin with {store}://")
        DOWNLOADS.mkdir(parents=True, exist_ok=True)
        target = DOWNLOADS / f"{uuid4()}-{PurePosixPath(url.path).name}"
        with target.open("wb") as file:
            file.writelines(object_chunks(path, settings.places))
        return str(target)

    download.__name__ = f"download_file_from_{store}"
    return celery_app.task(download, name=download.__name__)


download_file_from_s3 = _download_from("s3")
download_file_from_gcp = _download_from("gcp")
download_file_from_azure = _download_from("azure")


@celery_app.task(name="write_paths_to_file")
def write_paths_to_file(paths: list[str]) -> str:
    """Writes `paths` into a file on this machine's disk, each in a line, and returns that one's path."""
    DOWNLOADS.mkdir(parents=True, exist_ok=True)
    target = DOWNLOADS / f"{uuid4()}-paths.txt"
    target.write_text("".join(f"{path}\n" for path in paths))
    return str(target)


def applied(dmap: Task, items: Any, some_task: Any, end_task: Any) -> Signature:
    """What `dmap` replaces itself by: `some_task` for each of `items`, or, with an `end_task`, the download that
    each path's scheme asks for, and it with what they return. Where `items` is a signature, it is run first, and
    `some_task` at the end."""
    if isinstance(items, Mapping):
        return chain(celery_app.signature(items), dmap.s(end_task=some_task))
    if end_task is None:
        return group(celery_app.signature(some_task).clone([item]) for item in items)
    by_scheme = {
        "s3": download_file_from_s3,
        "gcp": download_file_from_gcp,
        "azure": download_file_from_azure,
    }
    found = [by_scheme[scheme].s(item) for item in items if (scheme := urlsplit(item).scheme) in by_scheme]
    return group(found) | celery_app.signature(end_task)
