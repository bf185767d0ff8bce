"""What each card does to the stage and how that is undone: a function each, which returns when it is undone."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping
from typing import Final

import pika

from faults.load import Load
from faults.stage import Stage
from harness import proc
from harness.faults import FaultError
from harness.processes import ManagedProcess
from harness.rabbit_files import CONSUMER_TIMEOUT
from transports.methods import N_

LATE_LOAD: Final = ("broker-alarm",)
"""Cards whose strike decides itself when the load goes on."""
Strike = Callable[[Stage, Load], None]
HOLDS_SECONDS: Final = 5.0
FRESH_SECONDS: Final = 1.0
WRITTEN_SECONDS: Final = 0.5
LOOK_SECONDS: Final = 0.05
POISON_SECONDS: Final = 8.0
TIMEOUTS: Final = 2.5
SLOW_BYTES: Final = 20_000.0
LATENCY: Final = 0.03


def _victims(stage: Stage) -> list[list[ManagedProcess]]:
    """Which workers are struck, a list for each turn: one of each contender, in an order that the seed decides."""
    orders = [stage.rng.sample(stand.workers, len(stand.workers)) for stand in stage.arms]
    return [list(turn) for turn in zip(*orders, strict=True)]


def deploy(stage: Stage, _: Load) -> None:
    """A rolling restart, then one worker less."""
    turns = _victims(stage)
    for turn in turns:
        with stage.unsupervised():
            _stop(stage, turn, ManagedProcess.start)
        for stand, worker in zip(stage.arms, turn, strict=True):
            stage.wait_ready(stand, worker)
    with stage.unsupervised():
        _stop(stage, turns[0])
        for stand, worker in zip(stage.arms, turns[0], strict=True):
            stage.retire(stand, worker)
    stage.say(N_("Scaled down: one worker of each contender is left"))


def _stop(
    stage: Stage, workers: list[ManagedProcess], then: Callable[[ManagedProcess], object] = lambda _: None
) -> None:
    """SIGTERM, the grace period, SIGKILL, as an orchestrator does; to one worker of each contender, as soon as it has
    begun a job. `then` is called with each when it has ended."""
    told: dict[ManagedProcess, float] = {}
    stopped: list[ManagedProcess] = []
    patience = time.monotonic() + stage.plan.seconds + HOLDS_SECONDS

    def ended(worker: ManagedProcess) -> bool:
        now = time.monotonic()
        if worker not in told:
            if stage.has_begun(worker, FRESH_SECONDS) or now > patience:
                proc.send([worker.pid], signal.SIGTERM)
                told[worker] = now
            return False
        took, gone = now - told[worker], not worker.running
        if not gone and took < stage.plan.strength:
            return False
        worker.kill_group()
        name, how = worker.log.stem, stage.shutdowns[worker.log.stem]
        if gone:
            said = N_("%(worker)s (%(how)s): ended %(took)s s after SIGTERM")
            stage.say(said, worker=name, how=how, took=round(took, 1))
        else:
            stage.say(N_("%(worker)s (%(how)s): killed when its grace was over"), worker=name, how=how)
        then(worker)
        return True

    while len(stopped) < len(workers):
        for worker in workers:
            if worker not in stopped and ended(worker):
                stopped.append(worker)
        stage.pause(LOOK_SECONDS)


def worker_killed(stage: Stage, _: Load) -> None:
    """SIGKILL to all that a worker consists of, while it runs a job."""
    for turn in _victims(stage)[: round(stage.plan.strength)]:
        for worker in turn:
            stage.running_on(worker, HOLDS_SECONDS)
            with stage.unsupervised():
                worker.kill_group()
            stage.say(N_("SIGKILL to %(name)s"), name=worker.log.stem)
        stage.pause(1.0)


def pool_process_killed(stage: Stage, _: Load) -> None:
    """SIGKILL to the very process that runs a job. Where jobs run in threads that is the worker."""
    for turn in _victims(stage)[: round(stage.plan.strength)]:
        for worker in turn:
            run = stage.running_on(worker, HOLDS_SECONDS)
            if run is not None:
                proc.send([run.pid], signal.SIGKILL)
                what = N_("all of it") if run.pid == worker.pid else N_("one process of it")
                stage.say(N_("SIGKILL to %(name)s, %(what)s"), name=worker.log.stem, what=what)
        stage.pause(1.0)


def worker_frozen(stage: Stage, _: Load) -> None:
    """SIGSTOP to a worker that runs a job; SIGCONT afterwards."""
    turn = _victims(stage)[0]
    for worker in turn:
        stage.running_on(worker, HOLDS_SECONDS)
        worker.pause()
        stage.say(N_("SIGSTOP to %(name)s"), name=worker.log.stem)

    def thaw() -> None:
        for worker in turn:
            worker.resume()

    with stage.undone_by(thaw):
        stage.pause(stage.plan.strength)


def broker_restarted(stage: Stage, _: Load) -> None:
    """SIGTERM to the node, on which it ends in order, and starts again."""
    stage.say(N_("SIGTERM to the broker's node"))
    with stage.undone_by(stage.node.start):
        stage.node.stop()
        stage.pause(stage.plan.strength)


def broker_killed(stage: Stage, _: Load) -> None:
    """SIGKILL to the node, which starts again on its data."""
    stage.say(N_("SIGKILL to the broker's node"))
    with stage.undone_by(stage.node.start):
        stage.node.kill()
        stage.pause(stage.plan.strength)


def broker_alarm(stage: Stage, load: Load) -> None:
    """The memory alarm, in which the broker does not read from publishers; then the kernel ends it, as it does in
    earnest, and it starts again."""
    stage.node.ctl("set_vm_memory_high_watermark", "0")
    stage.say(N_("Memory alarm (set_vm_memory_high_watermark 0)"))
    with stage.undone_by(stage.node.start):
        load.go_on()
        stage.pause(stage.plan.strength)
        stage.say(N_("SIGKILL to the broker's node, in alarm"))
        stage.node.kill()


def connection_cut(stage: Stage, _: Load) -> None:
    """Connections reset, then swallowed, then slow."""
    proxy = stage.proxy
    if proxy is None:
        raise FaultError("the connections do not go through a proxy")
    with stage.undone_by(proxy.heal):
        proxy.reset()
        stage.say(N_("All connections to the broker reset"))
        stage.pause(stage.plan.strength)
        proxy.blackhole()
        stage.say(N_("All connections half open: nothing passes"))
        stage.pause(stage.plan.strength)
        proxy.reset()
        proxy.heal()
        proxy.latency(LATENCY)
        proxy.slow(SLOW_BYTES)
        stage.say(N_("Slow: %(ms)s ms and %(bytes)s bytes a second"), ms=LATENCY * 1000, bytes=SLOW_BYTES)
        stage.pause(stage.plan.strength)


def queue_deleted(stage: Stage, _: Load) -> None:
    """The queue of each contender deleted under its workers."""
    for _turn in range(round(stage.plan.strength)):
        with stage.channel() as channel:
            for stand in stage.arms:
                channel.queue_delete(stand.queue)
                stage.say(N_("Queue %(queue)s deleted"), queue=stand.queue)
        stage.pause(1.0)


def api_away(stage: Stage, _: Load) -> None:
    """SIGKILL to the API, which starts again on the same port."""

    def start() -> None:
        stage.lab.api.start()
        stage.lab.wait_for_api()

    stage.say(N_("SIGKILL to the API"))
    with stage.undone_by(start):
        stage.lab.api.kill_group()
        stage.pause(stage.plan.strength)


def database_away(stage: Stage, _: Load) -> None:
    """SIGKILL to PostgreSQL, which starts again on its data."""
    postgres = stage.postgres
    if postgres is None:
        raise FaultError("the store is no PostgreSQL")
    stage.say(N_("SIGKILL to PostgreSQL"))
    with stage.undone_by(postgres.start):
        postgres.kill_group()
        stage.pause(stage.plan.strength)


def killer_job(stage: Stage, load: Load) -> None:
    """Jobs that kill the process that runs them."""
    for stand in stage.arms:
        load.submit_killers(stand.arm, round(stage.plan.strength))
    stage.say(N_("Jobs that kill their process, to each contender: %(jobs)s"), jobs=stage.plan.strength)
    stage.pause(POISON_SECONDS)


def unreadable_message(stage: Stage, load: Load) -> None:
    """Messages that are no job, straight into the queues."""
    with stage.channel() as channel:
        # A quorum queue may lose what was not confirmed when its channel closes right after.
        channel.confirm_delivery()
        for stand in stage.arms:
            for name in load.strange(stand.arm, round(stage.plan.strength)):
                properties = pika.BasicProperties(
                    content_type="application/json",
                    content_encoding="utf-8",
                    message_id=name,
                    delivery_mode=2,
                )
                channel.basic_publish("", stand.queue, b"\xff" + name.encode(), properties)
    stage.say(N_("Messages that cannot be decoded, to each contender: %(count)s"), count=stage.plan.strength)
    stage.pause(POISON_SECONDS)


def long_job(stage: Stage, _: Load) -> None:
    """A consumer_timeout, in force since the node began, that is shorter than the job; the cure is a longer one."""
    stage.say(
        N_("consumer_timeout is %(timeout)s s, a job takes %(job)s s"),
        timeout=stage.plan.strength,
        job=stage.plan.seconds,
    )

    def cure() -> None:
        stage.node.ctl("eval", f"application:set_env(rabbit, consumer_timeout, {CONSUMER_TIMEOUT}).")
        stage.say(N_("consumer_timeout set to %(timeout)s s"), timeout=CONSUMER_TIMEOUT // 1000)

    with stage.undone_by(cure):
        stage.pause(stage.plan.strength * TIMEOUTS)


def power_loss(stage: Stage, _: Load) -> None:
    """Broker, API and workers killed in one moment, and started again."""
    # In the middle of jobs: the broker writes down what was acknowledged before them a moment later.
    most = stage.plan.seconds - WRITTEN_SECONDS / 2
    stage.wait_until(
        lambda: all(stage.has_begun(stand.workers[0], most, WRITTEN_SECONDS) for stand in stage.arms),
        stage.plan.seconds + HOLDS_SECONDS,
    )
    with stage.unsupervised():
        workers = [worker for stand in stage.arms for worker in stand.workers]
        # Looked up first, so that all go in the same moment.
        parts = (stage.node.server, stage.node.epmd, stage.lab.api, *workers)
        proc.send([pid for part in parts for pid in proc.family(part.pid)], signal.SIGKILL)
        for part in (*workers, stage.lab.api):
            part.kill_group()
        stage.node.kill()
        stage.say(N_("SIGKILL to broker, API and all workers"))

        def start() -> None:
            stage.node.start()
            stage.lab.api.start()
            for worker in workers:
                worker.start()
            stage.lab.wait_for_api()

        with stage.undone_by(start):
            stage.pause(stage.plan.strength)


STRIKES: Final[Mapping[str, Strike]] = {
    strike.__name__.replace("_", "-"): strike
    for strike in (
        deploy,
        worker_killed,
        pool_process_killed,
        worker_frozen,
        broker_restarted,
        broker_killed,
        broker_alarm,
        connection_cut,
        queue_deleted,
        api_away,
        database_away,
        killer_job,
        unreadable_message,
        long_job,
        power_loss,
    )
}
"""By the name of the card."""
