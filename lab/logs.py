"""What workers write to their log about a job: the same lines on both sides."""

import logging
from dataclasses import dataclass, field
from typing import Any, Protocol

LOG_FORMAT = "[%(asctime)s] %(name)s: %(message)s"
DATE_FORMAT = "%Y-%m-%d %H:%M:%S"
RECEIVED = "Received task: %(name)s[%(id)s] %(args)s"

_WORDS = {
    "ru": {
        "started": "Начало обработки задачи %d",
        "finished": "Задача %d завершена успешно",
        "failed": "Задача %d завершена с ошибкой: %s",
        "retrying": "Задача %d не удалась: %s; повтор через %.1f с",
        "cancelled": "Задача %d отменена",
        "skipped": "Задача %d пропущена: она уже завершена или отменена",
    },
    "en": {
        "started": "Started task %d",
        "finished": "Finished task %d",
        "failed": "Task %d failed: %s",
        "retrying": "Task %d failed: %s; again in %.1f s",
        "cancelled": "Task %d was cancelled",
        "skipped": "Skipped task %d: it has ended already or is cancelled",
    },
}


class Numbered(Protocol):
    """What is logged about: a `lab.job.Job`, or as much of one as that takes."""

    @property
    def num(self) -> int: ...
    @property
    def beside(self) -> bool: ...


@dataclass(frozen=True)
class JobLog:
    """Logs a job's start and end with its number, as `who` (such as "Celery Worker celery").

    Jobs whose reports travel beside their path are logged at DEBUG: an experiment has thousands of them.
    `language` is "ru" or "en" (the setting LAB_LOG_LANGUAGE).
    """

    who: str
    language: str = "ru"
    _logger: logging.Logger = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_logger", logging.getLogger(self.who))

    def started(self, job: Numbered) -> None:
        self._log(logging.INFO, "started", job)

    def finished(self, job: Numbered) -> None:
        self._log(logging.INFO, "finished", job)

    def skipped(self, job: Numbered) -> None:
        self._log(logging.INFO, "skipped", job)

    def cancelled(self, job: Numbered) -> None:
        self._log(logging.INFO, "cancelled", job)

    def retrying(self, job: Numbered, error: object, seconds: float) -> None:
        self._log(logging.WARNING, "retrying", job, error, seconds)

    def failed(self, job: Numbered, error: object) -> None:
        self._log(logging.ERROR, "failed", job, error)

    def _log(self, level: int, word: str, job: Numbered, *more: Any) -> None:
        self._logger.log(logging.DEBUG if job.beside else level, _WORDS[self.language][word], job.num, *more)
