"""Runs a plan: the arms take turns in random order, and jobs go out when they are due, whatever becomes of them."""

import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from experiments.arrivals import WARM_UP, jobs_of, order_of
from experiments.figures import figures_of
from experiments.marks import is_disturbed, is_kept_up
from experiments.model import ArmTurn, Disturbance, Sample, Usage, arm_key, label
from experiments.plan import Arm, OpenLoop, Plan, PlannedJob, Reports
from lab.clock import now_us

LOOK_SECONDS: Final = 0.1
BESIDE_LOOK_SECONDS: Final = 0.5
HEARD_SECONDS: Final = 1.5
"""Ends that are stamped beside the path are heard of by then."""

AGAIN_SECONDS: Final = 0.5
AGAIN: Final = 2
LONGEST_NAP: Final = 0.002
MOST_AT_ONCE: Final = 1_000
BYTES_AT_ONCE: Final = 8_000_000
CURVE_POINTS: Final = 200
# Time for the sending thread to be there when the first job is due.
LEAD_US: Final = 50_000

Curve = list[tuple[float, float]]


Repetition = tuple[ArmTurn, Sequence[Sample]]


class ExperimentStopped(Exception):
    """The experiment was told to end before its plan had."""


class Trial(Protocol):
    """One arm in one repetition, on its stand. `send` is called from a thread of its own."""

    def prepare(self, jobs: Sequence[PlannedJob]) -> None:
        """Does what can be done for all `jobs` of the repetition before the first is due."""

    def send(self, jobs: Sequence[PlannedJob]) -> int:
        """Hands over jobs that are due, in the order of the plan; returns how many of them, the first ones, were
        taken. The others come again."""

    def ended(self) -> int:
        """How many of those that were sent have come to their end by now."""

    def samples(self, jobs: Sequence[PlannedJob], begun_us: int) -> list[Sample]:
        """What is known of each of `jobs`, all that the repetition has."""

    def usage(self) -> Mapping[str, Usage]:
        """What each part of the stand has used since the trial was prepared."""

    def disturbance(self) -> Disturbance:
        """What came from outside since the trial was prepared; asked after `usage`."""

    def close(self) -> None:
        """Cancels what has not ended, and leaves the stand as it was found."""


class Stand(Protocol):
    """Where a plan is run."""

    def open(self, arm: Arm) -> Trial:
        """Begins a trial, once nothing of the one before is under way."""


@dataclass(frozen=True)
class Progress:
    """How far a plan has come: the `share` of its jobs that have ended, what it is doing, and for each arm that
    has begun in this turn (seconds since then, share of its jobs that have ended)."""

    share: float
    step: str
    race: dict[str, Curve] = field(default_factory=dict)


class Runner:
    """Runs `plan` on `stand`.

    Args:
        on_progress: told ten times a second; twice where reports travel beside the path.
        on_run: told of each repetition that has ended, with its samples.
        stop: set from outside to end it.
        again: how often a turn is run again at most that other programs disturbed.
    """

    def __init__(
        self,
        stand: Stand,
        plan: Plan,
        on_progress: Callable[[Progress], None],
        on_run: Callable[[ArmTurn, Sequence[Sample]], None],
        stop: threading.Event,
        again: int = AGAIN,
    ) -> None:
        self._again = again
        self._stand = stand
        self._plan = plan
        self._on_progress = on_progress
        self._on_run = on_run
        self._stop = stop
        # A look costs the store time that the jobs may need, and ends are heard of a second late where they are
        # stamped beside the path.
        self._look_seconds = LOOK_SECONDS if plan.reports is Reports.IN_PATH else BESIDE_LOOK_SECONDS
        self._before = 0
        self._race: dict[str, Curve] = {}

    def run(self) -> None:
        """Returns when all repetitions have been run.

        Raises:
            Stopped: `stop` was set. What was under way is cancelled.
            Exception: what the stand raised.
        """
        for turn in range(WARM_UP if self._plan.warm_up else 1, self._plan.repetitions + 1):
            for run, samples in self._turn(turn):
                self._on_run(run, samples)

    def _turn(self, turn: int) -> list[Repetition]:
        """All arms once. Where other programs took the machine meanwhile it is run again, and the try that was
        disturbed least counts."""
        jobs, before = jobs_of(self._plan, turn), self._before
        best: list[Repetition] = []
        for _ in range(1 + (0 if turn == WARM_UP else self._again)):
            self._before, self._race = before, {}
            found: list[Repetition] = []
            try:
                for place in order_of(self._plan, turn):
                    if self._stop.is_set():
                        raise ExperimentStopped
                    found.append(self._repeat(turn, place, jobs))
                    self._before += len(jobs)
            except ExperimentStopped:
                for run, samples in best or found:
                    self._on_run(run, samples)
                raise
            best = min((tried for tried in (best, found) if tried), key=_disturbed)
            if not _disturbed(best):
                break
        return best

    def _repeat(self, turn: int, place: int, jobs: Sequence[PlannedJob]) -> tuple[ArmTurn, list[Sample]]:
        trial = self._stand.open(self._plan.arms[place])
        try:
            trial.prepare(jobs)
            begun_us = now_us() + LEAD_US
            sender = Sender(trial, jobs, begun_us, at_once(self._plan.payload_bytes))
            try:
                sender.start()
                self._watch(trial, sender, turn, place, len(jobs), begun_us)
            finally:
                sender.stop()
            usage = trial.usage()
            disturbance = trial.disturbance()
            samples = trial.samples(jobs, begun_us)
        finally:
            trial.close()
        figures = figures_of(samples, self._plan, begun_us, usage, disturbance)
        return ArmTurn(turn=turn, arm=place, begun_us=begun_us, figures=figures), samples

    def _watch(
        self, trial: Trial, sender: "Sender", turn: int, place: int, count: int, begun_us: int
    ) -> None:
        """Returns when all jobs have ended, or those that have not count as lost."""
        curve = self._race.setdefault(arm_key(self._plan, place), [(0.0, 0.0)])
        while True:
            seconds = (now_us() - begun_us) / 1_000_000
            ended = trial.ended()
            sender.check()
            if ended > round(curve[-1][1] * count):
                curve.append((round(max(0.0, seconds), 3), ended / count))
                if len(curve) > CURVE_POINTS:
                    del curve[1:-1:2]
            share = (self._before + ended) / self._plan.tasks
            step = self._step(turn, place) + self._beyond(sender, seconds, ended)
            self._on_progress(Progress(share, step, self._race))
            if ended >= count or seconds > sender.last_at + self._plan.deadline:
                return
            if self._stop.wait(self._look_seconds):
                raise ExperimentStopped

    def _beyond(self, sender: "Sender", seconds: float, ended: int) -> str:
        """That more jobs come than are done, where that is so in an open loop."""
        due = sender.due_by(seconds - HEARD_SECONDS)
        if not isinstance(self._plan.arrival, OpenLoop) or is_kept_up(due, ended):
            return ""
        offered = sender.due_by(seconds) / max(seconds if seconds < sender.last_at else sender.last_at, 1e-3)
        return f"; beyond capacity: {offered:.0f}/s offered, {ended / seconds:.0f}/s done"

    def _step(self, turn: int, place: int) -> str:
        which = "warm-up" if turn == WARM_UP else f"turn {turn} of {self._plan.repetitions}"
        return f"{which}, {label(self._plan, place)}"


def _disturbed(turn: Sequence[Repetition]) -> float:
    """How much other programs took of the machine while the worst of its arms ran; 0 where that is little."""
    shares = (run.figures.disturbance for run, _ in turn)
    return max((one.foreign or 0.0 for one in shares if is_disturbed(one)), default=0.0)


def at_once(payload_bytes: int) -> int:
    """How many jobs with so long a message are handed over together."""
    return max(1, min(MOST_AT_ONCE, BYTES_AT_ONCE // max(1, payload_bytes)))


class Sender:
    """The load: hands over each job when it is due, and never waits for an earlier one to be done.

    It falls behind where handing over takes longer than the jobs' distance; what is due by then goes out
    together, up to `most` jobs at a time, and its latency counts from when it was due. What was not taken is
    handed over again half a second later.
    """

    def __init__(
        self, trial: Trial, jobs: Sequence[PlannedJob], begun_us: int, most: int = MOST_AT_ONCE
    ) -> None:
        self._trial = trial
        self._most = most
        self._jobs = jobs
        self._times = [job.at for job in jobs]
        self._begun_us = begun_us
        self._error: Exception | None = None
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)

    @property
    def last_at(self) -> float:
        """When its last job is due, in seconds after the begin."""
        return self._times[-1]

    def due_by(self, seconds: float) -> int:
        """How many of its jobs were due by so many seconds after the begin."""
        return bisect_right(self._times, seconds)

    def start(self) -> None:
        """Begins; jobs go out from the time given as the begin."""
        self._thread.start()

    def stop(self) -> None:
        """Sends no more; returns when what is being handed over is."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()

    def check(self) -> None:
        """Raises what handing over raised."""
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._send_all()
        except Exception as error:
            self._error = error

    def _send_all(self) -> None:
        sent = 0
        while sent < len(self._jobs) and not self._ending.is_set():
            now = (now_us() - self._begun_us) / 1_000_000
            due = min(bisect_right(self._times, now, lo=sent), sent + self._most)
            if due > sent:
                taken = self._trial.send(self._jobs[sent:due])
                sent += taken
                if not taken:
                    self._ending.wait(AGAIN_SECONDS)
            else:
                time.sleep(min(self._times[sent] - now, LONGEST_NAP))
