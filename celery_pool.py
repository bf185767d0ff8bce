"""Celery's pool of processes, whose jobs the worker's main process asks for and reports.

If each process of the pool asked whether to run and waited for the answer, then told the end and waited again, a
job would cost four turns of two processes. The main process has all that begin and end at a moment in its hands,
and need not wait: it sends them to the forwarder together, hands a job on when its answer is there, and has its
message acknowledged when its end was taken. Promises are as before; `celery_reporting.py` says what stays with the
job's own process.
https://docs.celeryq.dev/en/stable/userguide/configuration.html#worker-pool
https://docs.celeryq.dev/en/stable/userguide/tasks.html#requests-and-custom-requests
"""

import gc
import logging
from functools import partial
from typing import Any, Final, NamedTuple

import celery.worker.request
from celery.concurrency.prefork import TaskPool

import celery_reporting
from lab.amqp import delivery_count
from lab.forwarder import Wish
from lab.forwarder_link import ForwarderLink
from lab.lines import Line, Lines
from lab.reporter import ASK_SECONDS, ReportFailed
from lab.status import TaskStatus, Verdict

logger = logging.getLogger(__name__)

STOP_SECONDS: Final = 2 * ASK_SECONDS


class _Entitled(NamedTuple):
    task_id: str
    token: str


class Request(celery.worker.request.Request):  # type: ignore[misc]
    """A task of which the end may still have to be told when it has come; its message is acknowledged then."""

    _untold = False
    _acknowledge_when_told = False

    def lines(self) -> Lines | None:
        """What to write its updates with; None where its own process is to ask: it has no token, or was delivered
        before."""
        headers = self.request_dict
        redelivered = bool(self.delivery_info.get("redelivered"))
        if redelivered or delivery_count(headers, redelivered) or not headers.get("lab_token"):
            return None
        named = _Entitled(self.id, headers["lab_token"])
        return Lines(named, self.hostname, headers.get("lab_attempt", 1), False)

    def acknowledge(self) -> None:
        """Acknowledges its message, or has that done when its end was told."""
        if self._untold:
            self._acknowledge_when_told = True
        else:
            super().acknowledge()

    def is_telling(self) -> None:
        """Its end is being told."""
        self._untold = True

    def told(self, failure: ReportFailed | None) -> None:
        """Its end was told, or nobody took it."""
        self._untold = False
        if not self._acknowledge_when_told:
            return
        if failure is None:
            self.acknowledge()
        else:
            logger.error("task %s goes back to the queue: %s", self.id, failure)
            self.reject(requeue=True)


class Pool(TaskPool):  # type: ignore[misc]
    """A pool whose tasks of the class `Request` are asked for before, and told of after."""

    _hub: Any = None
    _link: ForwarderLink | None = None
    _stopping = False
    _connection = 0  # counts the worker's connections to the broker

    def on_start(self) -> None:
        """Starts the processes."""
        gc.collect()
        gc.freeze()  # what the processes share with this one stays shared
        super().on_start()
        flush = self.flush

        def forget() -> None:
            # The connection to the broker is gone: whatever has not begun comes again over the next one.
            self._connection += 1
            if flush is not None:
                flush()

        self.flush = forget

    def register_with_event_loop(self, loop: Any) -> None:
        """Has the event loop `loop` look after the processes, and after the forwarder's answers."""
        super().register_with_event_loop(loop)
        self._hub = loop
        address = celery_reporting.forwarder()
        if self._link is None and address is not None:
            try:
                self._link = ForwarderLink(address, self._without_forwarder)
            except OSError as error:
                logger.warning("the forwarder of statuses is gone (%s); jobs report by themselves", error)
        if self._link is not None and self._link.alive:
            loop.add_reader(self._link.fileno(), self._link.on_readable)

    def apply_async(self, target: Any, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
        """Runs `target`, Celery's function for a task, in a process of the pool; a task whose beginning is told
        first begins when the answer is there, and there is nothing to return yet."""
        request = getattr(options.get("callback"), "__self__", None)
        link = self._usable_link()
        lines = request.lines() if isinstance(request, Request) and link is not None else None
        if lines is None or link is None:
            return super().apply_async(target, args, kwargs, **options)
        options["callback"] = partial(self._on_result, request, lines)
        begin = partial(self._begin, self._connection, lines.run, target, args, kwargs, options)
        self._send(link, Wish.ASK, lines.line(TaskStatus.IN_PROGRESS, progress=0.0), begin)
        return None

    def on_close(self) -> None:
        """No task begins any more: those that wait for an answer come again, for another worker."""
        self._stopping = True
        if self._link is not None:
            self._link.drain(STOP_SECONDS)
        super().on_close()

    def _usable_link(self) -> ForwarderLink | None:
        return self._link if self._link is not None and self._link.alive and not self._stopping else None

    def _send(self, link: ForwarderLink, wish: Wish, line: Line, on_answer: Any) -> None:
        if link.send(wish, line, on_answer):
            self._hub.call_soon(link.flush)

    def _begin(
        self,
        connection: int,
        run: str,
        target: Any,
        args: Any,
        kwargs: Any,
        options: dict[str, Any],
        answer: Verdict | ReportFailed | None,
    ) -> None:
        """The answer to the question whether to run is there; without one the job's process asks by itself."""
        if connection != self._connection or self._stopping:
            return
        if not isinstance(answer, Verdict):
            super().apply_async(target, args, kwargs, **options)
            return
        said = b"" if answer.run else answer.model_dump_json(exclude_defaults=True).encode()
        super().apply_async(celery_reporting.run, (run, said, target, tuple(args)), kwargs, **options)

    def _on_result(self, request: Request, lines: Lines, result: tuple[int, Any, float]) -> None:
        """The process of a task has returned."""
        failed, said, runtime = result
        if isinstance(said, tuple):
            text, left = said
            request.is_telling()
            line = lines.whole(left)
            on_answer = partial(self._on_told, request, line)
            link = self._usable_link()
            if link is None:
                on_answer(None)
            else:
                self._send(link, Wish.SETTLE, line, on_answer)
            result = failed, text, runtime
        request.on_success(result)

    def _on_told(self, request: Request, line: Line, answer: Verdict | ReportFailed | None) -> None:
        """The end of a task was told; without an answer this process tells it anew, and waits."""
        if answer is None:
            try:
                celery_reporting.settle(line)
            except ReportFailed as error:
                answer = error
        request.told(answer if isinstance(answer, ReportFailed) else None)

    def _without_forwarder(self) -> None:
        logger.warning("the forwarder of statuses is gone; jobs report by themselves")
        if self._link is not None and self._hub is not None:
            self._hub.remove_reader(self._link.fileno())
