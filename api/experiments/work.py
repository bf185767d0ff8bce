"""Runs one experiment: `python -m api.experiments.work <id>`, started by the API.

A process of its own, so that the load does not share an interpreter with the API's requests. It ends when its
standard input does, which the API's process holds open: it never outlives it.
"""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Final

from api.experiments.connected import NoWorker
from api.experiments.lease import Lease
from api.experiments.outages import BrokerWatch
from api.experiments.stand import LabStand, NotFree, environment, pictures_again, pictures_of
from api.experiments.trials import TrialTools, cancel_all, queue_of
from api.relay import BATCH, Relay
from api.submit import store_reports
from experiments.broker import broker_of
from experiments.capacity import NoCapacity, at_share, burst_of
from experiments.equalise import EqualiseError, Equaliser
from experiments.fairness import changed, fairness_of, sync_threads
from experiments.model import ArmTurn, Sample
from experiments.plan import OpenLoop, Plan
from experiments.runner import ExperimentStopped, Progress, Runner, at_once
from experiments.sampling import pack
from experiments.usage import UsageMeter
from lab.reporting.reporter import Reporter
from lab.settings import Settings
from store.experiments import INTERRUPTED, ExperimentRows, conclude
from store.outbox import Outbox
from store.tasks import Store
from store.workflows import WorkflowRows
from transports import create_transport
from transports.control import CONTROLS, Control, create_control
from transports.methods import QUEUES

TELL_SECONDS: Final = 0.25
LAST_SECONDS: Final = 12.0

logger = logging.getLogger(__name__)


class ExperimentProcess:
    """Runs the experiment `experiment_id`, which this process has the lease of."""

    def __init__(self, settings: Settings, store: Store, experiment_id: str, lease: Lease) -> None:
        self._settings = settings
        self._store = store
        self._rows = ExperimentRows(store.engine)
        self._id = experiment_id
        self._lease = lease
        self._told = 0.0

    def run(self, plan: Plan) -> None:
        """Runs `plan`, and ends the experiment as it went."""
        methods = sorted({arm.method for arm in plan.arms} & CONTROLS.keys())
        controls = {method: create_control(method, self._settings) for method in methods}
        equaliser = Equaliser(controls, plan)
        with ExitStack() as ending:
            for control in controls.values():
                ending.callback(control.close)
            ending.callback(equaliser.restore)
            try:
                status, error = self._outcome(plan, controls, equaliser, ending)
            finally:
                equaliser.order_back()
            # Before what is left is cancelled, which takes seconds where it is much: there may be no time.
            conclude(self._rows, self._id, status, error)

    def _outcome(
        self, plan: Plan, controls: Mapping[str, Control], equaliser: Equaliser, ending: ExitStack
    ) -> tuple[str, str | None]:
        """How it went; `ending` gets what is to be done when that is stored."""
        try:
            self._run(plan, controls, equaliser, ending)
        except ExperimentStopped:
            return ("CANCELLED", None) if self._lease.cancelled else ("FAILED", INTERRUPTED)
        except (NoWorker, EqualiseError, NotFree, NoCapacity) as problem:
            return "FAILED", str(problem)
        except Exception as problem:
            logger.exception("experiment %s", self._id)
            return "FAILED", f"{type(problem).__name__}: {problem}"[:2000]
        return "DONE", None

    def _run(
        self, plan: Plan, controls: Mapping[str, Control], equaliser: Equaliser, ending: ExitStack
    ) -> None:
        self._rows.tell(self._id, 0.0, "preparing", {})
        pictures = pictures_of(plan, controls, equaliser.apply() if plan.equalise else ())
        broker = broker_of(self._settings)
        fairness = fairness_of(plan, pictures, self._settings, broker=broker, equalised=plan.equalise)
        surroundings = environment(self._settings, self._rows.database())
        self._rows.keep_setting(self._id, fairness, surroundings)
        reports = store_reports(self._store, "experiment")
        brokered = sorted({arm.method for arm in plan.arms} & QUEUES.keys())
        transports = [create_transport(method, self._settings, reports) for method in brokered]
        secret = self._settings.secret()
        batch = min(BATCH, at_once(plan.payload_bytes))
        relay = Relay(Outbox(self._store), transports, secret, WorkflowRows(self._store.engine), batch)
        # The relay's belong to its threads.
        senders = {method: create_transport(method, self._settings, reports) for method in brokered}
        for sender in senders.values():
            ending.callback(sender.close)
        meter = UsageMeter(controls, self._settings)
        threads = sync_threads(plan, pictures)
        watch = BrokerWatch(self._settings.rmq_url)
        stop, self._lease.preparing = self._lease.stop, False
        desk = TrialTools(
            self._settings,
            secret,
            self._store,
            self._rows,
            relay,
            meter,
            self._id,
            plan,
            threads,
            watch,
            stop,
            senders,
            Reporter(self._settings.api_url),
        )
        relay.start()
        ending.callback(relay.stop)
        if any(queue_of(self._settings, arm) for arm in plan.arms):
            watch.start()
            ending.callback(watch.stop)
        stand = LabStand(desk)
        ending.callback(stand.leave)
        ending.callback(cancel_all, desk)
        plan = self._at_share(stand, plan, stop)
        again = self._settings.turns_again
        Runner(stand, plan, self._on_progress, self._on_run, stop, again).run()
        pictures = pictures_again(controls, pictures)
        after = fairness_of(plan, pictures, self._settings, broker=broker, threads=threads)
        self._rows.keep_setting(self._id, changed(fairness, after), surroundings)

    def _at_share(self, stand: LabStand, plan: Plan, stop: threading.Event) -> Plan:
        """`plan`, where it asks for a share of the capacity with the rate that a short burst makes of that."""
        if not isinstance(plan.arrival, OpenLoop) or plan.arrival.share is None:
            return plan
        runs: list[ArmTurn] = []

        def tell(progress: Progress) -> None:
            step = f"measuring the capacity, {progress.step.partition(', ')[2]}"
            self._on_progress(replace(progress, share=0.0, step=step))

        Runner(stand, burst_of(plan), tell, lambda run, _samples: runs.append(run), stop, again=0).run()
        plan = at_share(plan, runs)
        self._rows.keep_plan(self._id, plan)
        return plan

    def _on_progress(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._told >= TELL_SECONDS:
            self._told = now
            self._rows.tell(self._id, progress.share, progress.step, progress.race)

    def _on_run(self, run: ArmTurn, samples: Sequence[Sample]) -> None:
        self._rows.keep_run(self._id, run, pack(samples))


def main(arguments: Sequence[str]) -> int:
    """Runs the experiment whose id is the only argument; 2 if there is none."""
    (experiment_id,) = arguments
    settings = Settings.from_env()
    store = Store(settings.database_url)
    rows = ExperimentRows(store.engine)
    lease = Lease(rows, experiment_id)
    _stop_with_parent(lease)
    experiment = rows.get(experiment_id)
    if experiment is None:
        return 2
    sys.setswitchinterval(0.001)  # the sending thread shall not wait long for the others
    lease.start()
    try:
        ExperimentProcess(settings, store, experiment_id, lease).run(experiment.plan)
    finally:
        lease.end()
        rows.release(experiment_id)
        store.close()
    return 0


def _stop_with_parent(lease: Lease) -> None:
    def read() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        lease.stop.set()
        time.sleep(LAST_SECONDS)
        os._exit(1)

    threading.Thread(target=read, name="parent", daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: lease.stop.set())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
