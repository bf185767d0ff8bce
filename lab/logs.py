"""What workers write to their log about a job: the same lines on both sides."""

import logging
from dataclasses import dataclass, field

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


@dataclass(frozen=True)
class JobLog:
    """Logs a job's start and end with its number, as `who` (such as "Celery Worker celery").

    `language` is "ru" or "en" (the setting LAB_LOG_LANGUAGE).
    """

    who: str
    language: str = "ru"
    _logger: logging.Logger = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_logger", logging.getLogger(self.who))

    def started(self, num: int) -> None:
        self._logger.info(_WORDS[self.language]["started"], num)

    def finished(self, num: int) -> None:
        self._logger.info(_WORDS[self.language]["finished"], num)

    def skipped(self, num: int) -> None:
        self._logger.info(_WORDS[self.language]["skipped"], num)

    def cancelled(self, num: int) -> None:
        self._logger.info(_WORDS[self.language]["cancelled"], num)

    def retrying(self, num: int, error: BaseException, seconds: float) -> None:
        self._logger.warning(_WORDS[self.language]["retrying"], num, error, seconds)

    def failed(self, num: int, error: BaseException) -> None:
        self._logger.error(_WORDS[self.language]["failed"], num, error)
