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
import select
import struct
import weakref
from functools import partial
from typing import Any, Final

import celery.worker.request
from celery.concurrency.prefork import TaskPool
from celery.exceptions import SoftTimeLimitExceeded

import celery_reporting
from lab.amqp import delivery_count
from lab.forwarder import Wish
from lab.forwarder_link import ForwarderLink
from lab.job import error_text
from lab.lines import Line, Lines, Ticket
from lab.reporter import ASK_SECONDS, ReportFailed
from lab.status import TaskStatus, Verdict

logger = logging.getLogger(__name__)

STOP_SECONDS: Final = 2 * ASK_SECONDS


class Request(celery.worker.request.Request):  # type: ignore[misc]
    """A task of which the end may still have to be told when it has come; its message is acknowledged then."""

    _untold = False
    _acknowledge_when_told = False

    def lines(self) -> Lines | None:
        """What to write its updates with; None where its own process is to ask: it has no token, or was delivered
        before."""
        headers = self.request_dict
        redelivered = bool(self.delivery_info.get("redelivered"))
        token = headers.get("lab_token")
        if redelivered or delivery_count(headers, redelivered) or not isinstance(token, str) or not token:
            return None
        return Lines(Ticket(self.id, token), self.hostname, headers.get("lab_attempt", 1), False)

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
            # The connection to the broker is gone: what has not begun comes again over the next one. What the
            # processes said before counts: a job that they have begun, or ended, is not forgotten.
            self._connection += 1
            self._read_results()
            if flush is not None:
                flush()

        self.flush = forget

    def register_with_event_loop(self, loop: Any) -> None:
        """Has the event loop `loop` look after the processes, and after the forwarder's answers."""
        super().register_with_event_loop(loop)
        self._hub = loop
        loop.on_tick.discard(self._pool.on_poll_start)
        loop.on_tick.add(self._hand_out)
        address = celery_reporting.forwarder()
        if self._link is None and address is not None:
            try:
                self._link = ForwarderLink(address, self._without_forwarder)
            except OSError as error:
                logger.warning("the forwarder of statuses is gone (%s); jobs report by themselves", error)
        if self._link is not None and self._link.alive:
            loop.add_reader(self._link.fileno(), self._link.on_readable)
            # What is begun by a timer is sent before the loop sleeps: its queue of things to be done soon is not
            # looked at again before that, and is lost when the broker's connection is.
            loop.on_tick.add(self._link.tend)

    def _hand_out(self) -> None:
        """Gives what waits to processes that have nothing to do, the same ones first: their caches are warm. Celery
        has the kernel watch the pipes of all processes at each turn of the loop, and takes the processes in turn."""
        pool = self._pool
        waiting = pool.outbound_buffer
        if waiting:
            idle = pool._all_inqueues - pool._busy_workers - pool._active_writes
            if idle:
                self._hub.consolidate_callback(sorted(idle)[: len(waiting)])

    def apply_async(self, target: Any, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
        """Runs `target`, Celery's function for a task, in a process of the pool; a task whose beginning is told
        first begins when the answer is there, and there is nothing to return yet."""
        request = getattr(options.get("callback"), "__self__", None)
        if isinstance(request, Request) and self._ask(request, target, args, kwargs, options):
            return None
        return super().apply_async(target, args, kwargs, **options)

    def on_close(self) -> None:
        """No task begins any more: those that wait for an answer come again, for another worker."""
        self._stopping = True
        if self._link is not None:
            self._link.drain(STOP_SECONDS)
        super().on_close()

    def _usable_link(self) -> ForwarderLink | None:
        return self._link if self._link is not None and self._link.alive and not self._stopping else None

    def _ask(self, request: Request, target: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> bool:
        """Asks whether the job of `request` is to run; False where its own process is to do that."""
        link, lines = self._usable_link(), request.lines()
        if link is None or lines is None:
            return False
        ours = {
            **options,
            "callback": partial(self._on_result, request, lines),
            "error_callback": partial(self._on_error, request, lines),
        }
        begin = partial(self._begin, self._connection, request, lines.run, target, args, kwargs, ours)
        try:
            link.send(Wish.ASK, lines.line(TaskStatus.IN_PROGRESS, progress=0.0), begin)
        except (ValueError, struct.error):  # its id or token is no text: its process will say so
            return False
        return True

    def _begin(
        self,
        connection: int,
        request: Request,
        run: str,
        target: Any,
        args: Any,
        kwargs: Any,
        options: dict[str, Any],
        answer: Verdict | ReportFailed | None,
    ) -> None:
        """The answer to the question whether to run is there; without one the job's process asks again."""
        if connection != self._connection or self._stopping:
            return
        said = None
        if isinstance(answer, Verdict):
            said = b"" if answer.run else answer.model_dump_json(exclude_defaults=True).encode()
        ours = (run, said, target, tuple(args))
        result = super().apply_async(celery_reporting.run, ours, kwargs, **options)
        request._apply_result = None if result is None else weakref.ref(result)  # for Request.terminate

    def _on_result(self, request: Request, lines: Lines, result: tuple[int, Any, float]) -> None:
        """The process of a task has returned."""
        failed, said, runtime = result
        if not isinstance(said, tuple):
            request.on_success(result)
            return
        text, left = said
        request.is_telling()
        request.on_success((failed, text, runtime))
        self._tell(request, lines.whole(left))

    def _on_error(self, request: Request, lines: Lines, info: Any) -> None:
        """A task did not return to its process. One that Celery's time limit struck after it had left its end to
        be told has told nothing; where it has, this changes nothing."""
        error = getattr(info.exception, "exc", info.exception)
        if not isinstance(error, SoftTimeLimitExceeded):
            request.on_failure(info)
            return
        request.is_telling()
        request.on_failure(info)
        self._tell(request, lines.line(TaskStatus.FAILED, error=error_text(error)))

    def _tell(self, request: Request, line: Line) -> None:
        """Has the end of a task told, and its message acknowledged then."""
        link = self._usable_link()
        if link is None:
            self._on_told(request, line, None)
        else:
            link.send(Wish.SETTLE, line, partial(self._on_told, request, line))

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

    def _read_results(self) -> None:
        """Takes what the processes have said up to now."""
        poll = select.poll()
        for descriptor in self._pool._fileno_to_outq:
            poll.register(descriptor, select.POLLIN)
        for _ in range(4):  # that a job is there, that it has ended, and the same of the next
            for descriptor, _event in poll.poll(0):
                self._pool.handle_result_event(descriptor)
