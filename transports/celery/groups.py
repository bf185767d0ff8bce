"""Groups as Celery has them: made, saved in the result backend, restored and revoked.

https://docs.celeryq.dev/en/stable/userguide/canvas.html#groups
"""

import logging
from collections.abc import Sequence
from typing import Any

from celery import Celery, Signature, group

from celery_app import create_celery
from lab.delivery import Delivery
from lab.settings import Settings

logger = logging.getLogger(__name__)


class BackendAway(Exception):
    """The result backend does not answer."""


def send_group(app: Celery, producer: Any, group_id: str, signatures: Sequence[Signature]) -> None:
    """Saves the group of `signatures`, which have their task ids, and publishes all of it.

    Saved first, so that anyone who knows its id can restore it however fast its tasks end.

    Raises:
        BackendAway: it could not be saved; nothing was published.
        Exception: what kombu raises for a broker that is away.
    """
    results = [app.AsyncResult(signature.options["task_id"]) for signature in signatures]
    try:
        if app.conf.result_backend:  # Celery as it comes has none
            app.GroupResult(group_id, results).save()
    except NotImplementedError:
        logger.warning("the result backend cannot keep groups: %s is sent all the same", group_id)
    except Exception as error:  # each backend has errors of its own
        if not _is_saved(app, group_id):
            raise BackendAway(f"{type(error).__name__}: {error}") from error
    group(signatures, app=app).apply_async(task_id=group_id, producer=producer)


def _is_saved(app: Celery, group_id: str) -> bool:
    """Whether an earlier try, whose messages did not get through, has saved the group: a database takes it
    once."""
    try:
        return app.GroupResult.restore(group_id) is not None
    except Exception:  # as above
        return False


class CeleryGroups:
    """Groups that any Celery client of the same broker and result backend has made and saved."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._made: Celery | None = None

    def completed(self, group_id: str) -> float | None:
        """The share of the group's tasks that ended well, 0 to 1; None where no such group was saved.

        Raises:
            BackendAway: the result backend does not answer.
        """
        result = self._restore(group_id)
        try:
            return None if not result else result.completed_count() / len(result)
        except Exception as error:
            raise BackendAway(f"{type(error).__name__}: {error}") from error

    def revoke(self, group_id: str) -> tuple[int, int] | None:
        """Revokes the group's tasks that have not ended, running ones too. Returns how many had not and how
        many had, or None where no such group was saved. Raises as `completed` does."""
        result = self._restore(group_id)
        if not result:
            return None
        try:
            left = [one for one in result.results if not one.ready()]
            self._app.control.revoke([one.id for one in left], terminate=True)
        except Exception as error:
            raise BackendAway(f"{type(error).__name__}: {error}") from error
        return len(left), len(result) - len(left)

    def _restore(self, group_id: str) -> Any:
        try:
            return self._app.GroupResult.restore(group_id)
        except NotImplementedError:
            return None
        except Exception as error:
            raise BackendAway(f"{type(error).__name__}: {error}") from error

    @property
    def _app(self) -> Celery:
        if self._made is None:
            self._made = create_celery(self._settings, Delivery.SAFE)
        return self._made
