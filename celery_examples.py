"""Tasks as Celery's guides write them, with nothing of the lab around: for a Python shell.

The API knows nothing of them, but `GET /task/<task_id>` tells how one stands.
"""

from html import escape
from typing import Any

from celery import Task
from celery.utils.log import get_task_logger

from celery_app import celery_app, settings
from lab.context import Context, TemporaryError
from lab.kinds import process_data
from lab.mail import Mail, Mailer

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
