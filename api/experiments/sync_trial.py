"""One arm of an experiment whose jobs run without a broker, in one repetition."""

import queue
import threading
import time
from collections.abc import Sequence

from api.experiments.trials import BrokeredTrial, TrialTools
from api.relay import job_of
from api.submit import store_reports
from experiments.plan import Arm
from lab.clock import now_us
from lab.job import Job
from store.tasks import Row
from transports import ReportFor, create_transport
from transports.methods import SYNC


class SyncTrial(BrokeredTrial):
    """A trial whose jobs run in threads of this process, as a server runs them in its requests' threads. They report
    to the store, or stamp by the reporter of the desk."""

    in_request = True

    def __init__(self, desk: TrialTools, arm: Arm) -> None:
        super().__init__(desk, arm)
        self._error: Exception | None = None
        self._waiting: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._running: dict[str, str] = {}
        self._threads = [
            threading.Thread(target=self._run, args=(f"sync-{i + 1}",), name=f"sync {i + 1}", daemon=True)
            for i in range(desk.threads)
        ]
        for thread in self._threads:
            thread.start()

    def ended(self) -> int:
        """How many of its tasks have ended; raises what the store has raised in one of its threads."""
        if self._error is not None:
            raise self._error
        return super().ended()

    def close(self) -> None:
        """Ends the threads; one that runs a job ends it first, or is cancelled with it."""
        self._closed.set()
        for _ in self._threads:
            self._waiting.put(None)
        if self.beside:
            for task_id in list(self._running.values()):
                self._desk.reporter.cancel(task_id)
        super().close()
        if not self._desk.stop.is_set():
            self.leave()

    def leave(self) -> None:
        """Waits for the threads."""
        for thread in self._threads:
            thread.join(1.0)

    def _go_on(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self._waiting.put(job_of(row, self._desk.secret))

    def _hand_over(self, job: Job) -> int:
        handed_us = now_us()
        self._waiting.put(job)
        return handed_us

    def _run(self, name: str) -> None:
        by_store = store_reports(self._desk.store, name)
        transport = create_transport(
            SYNC.name, self._desk.settings, self._stamping(name) if self.beside else by_store
        )
        while (job := self._waiting.get()) is not None and not self._closed.is_set():
            self._running[name] = job.task_id
            begun_ns = time.monotonic_ns()
            try:
                transport.submit([job])
                if self.beside:
                    self._submits[job.num] = (time.monotonic_ns() - begun_ns) // 1_000
            except Exception as error:  # the store's: what the job itself raises is its outcome
                self._error = error
                return

    def _stamping(self, name: str) -> ReportFor:
        return lambda job, attempt: self._desk.reporter.for_job(job, name, attempt)
