"""Sending, following and cancelling groups, by either transport."""

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from api.images.files import ImageFiles
from api.submit import Submitter
from lab.jobs.images import Operation
from lab.settings import Settings
from lab.status import TaskStatus
from store.groups import GroupRows
from store.task_queries import Row
from store.tasks import NewGroup, NewTask
from store.uploads import UploadRows
from transports.celery.groups import CeleryGroups
from transports.methods import CELERY

IMAGE_SECONDS_LIMIT = 600.0


class UnknownImages(LookupError):
    """Ids that name no upload, or one that has expired."""

    def __init__(self, ids: Sequence[str]) -> None:
        super().__init__(", ".join(ids))
        self.ids = list(ids)


@dataclass(frozen=True)
class GroupCancelled:
    """What cancelling a group found: tasks that were not begun and never will be, tasks that were running
    and are being stopped, and tasks that had ended, well or not."""

    cancelled: int
    running: int
    done: int
    failed: int = 0


class Groups:
    """Groups of images. Their tasks are tasks like all others: counted in the store, where each worker
    reports them. Of groups that another Celery client made only the result backend knows."""

    def __init__(
        self,
        settings: Settings,
        rows: GroupRows,
        submitter: Submitter,
        uploads: UploadRows,
        files: ImageFiles,
        celery: CeleryGroups,
    ) -> None:
        self._settings = settings
        self.rows = rows
        self._submitter = submitter
        self._uploads = uploads
        self._files = files
        self._celery = celery

    def send(
        self, method: str, images: Sequence[str], operation: Operation, key: str | None = None
    ) -> tuple[str, list[Row]]:
        """Sends `operation` on each of the uploads `images` as one group; returns its id and its tasks.

        Raises:
            UnknownImages: some of them are no uploads.
            store.tasks.KeyReused: `key`, an Idempotency-Key, came before with another request.
        """
        known = self._known(images)
        if missing := [image for image in images if image not in known]:
            raise UnknownImages(missing)
        return self._send(method, images, known, operation, key)

    def send_any(self, images: Sequence[str], operation: Operation) -> str:
        """Sends a Celery group, one task an image: uploads are worked on, other ids by waiting. Returns the
        group's id."""
        return self._send(CELERY.name, images, self._known(images), operation, None)[0]

    def share(self, group_id: str) -> float | None:
        """The share of the group's tasks that are DONE, 0 to 1; None where there is no such group.

        Raises:
            transports.celery.groups.BackendAway: the group is none of the store's, and Celery's result
                backend does not answer.
        """
        group = self.rows.get(group_id)
        if group is None:
            return self._celery.completed(group_id)
        return self.rows.counts([group_id])[group_id][TaskStatus.DONE] / int(group["count"])

    def cancel(self, group_id: str) -> GroupCancelled | None:
        """Cancels what has not ended of the group; None where there is no such group. Raises as `share`."""
        if self.rows.get(group_id) is None:
            revoked = self._celery.revoke(group_id)
            return None if revoked is None else GroupCancelled(revoked[0], 0, revoked[1])
        answers = self._submitter.cancel_all([row["id"] for row in self.rows.tasks(group_id)])
        before = [answer.before for answer in answers.values()]
        waiting = before.count(TaskStatus.PENDING) + before.count(TaskStatus.RETRYING)
        return GroupCancelled(
            cancelled=waiting + before.count(TaskStatus.CANCELLED),
            running=before.count(TaskStatus.IN_PROGRESS),
            done=before.count(TaskStatus.DONE),
            failed=before.count(TaskStatus.FAILED),
        )

    def _send(
        self,
        method: str,
        images: Sequence[str],
        known: dict[str, Row],
        operation: Operation,
        key: str | None,
    ) -> tuple[str, list[Row]]:
        if used := [image for image in images if image in known]:
            self._uploads.touch(used)
            for image in used:
                self._files.touch(image)
        group = NewGroup(str(uuid.uuid4()), operation.params() if used else None)
        news = [self._task(method, image, operation if image in known else None) for image in images]
        rows = self._submitter.submit_group(group, news, key)
        return rows[0]["group_id"], rows

    def _task(self, method: str, image: str, operation: Operation | None) -> NewTask:
        delivery = self._settings.delivery
        if operation is not None:
            params = {"image_id": image, "operation": operation.params()}
            limit = IMAGE_SECONDS_LIMIT
            return NewTask(method, "process_image", params, delivery=delivery, time_limit=limit)
        seconds = round(random.uniform(*self._settings.image_seconds), 3)
        return NewTask(
            method, "process_image", {"image_id": image, "seconds": seconds}, seconds, delivery=delivery
        )

    def _known(self, images: Sequence[str]) -> dict[str, Row]:
        found = self._uploads.get(list(dict.fromkeys(images)))
        return {image: row for image, row in found.items() if self._files.upload(image).exists()}
