"""The jobs of a run: handed to the API in small portions, before, in and after the fault."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any, Final

import requests

from faults.stage import ArmStand, Stage
from lab.delivery import Delivery

AT_ONCE: Final = 0.5
"""The share of the jobs that is sent at the beginning; the others go out from the fault's begin on."""
PORTIONS: Final = 12
AGAIN_SECONDS: Final = 0.5
ANSWER_SECONDS: Final = 8.0
KILLER_SECONDS: Final = 0.2


@dataclass
class Portion:
    """Equal jobs that are sent in one request, `due` seconds after the fault's begin. The key makes it harmless to send
    the request again: an answer that was lost on the way may have been a yes."""

    due: float
    stand: ArmStand
    count: int
    key: str
    kind: str = "process_task"
    seconds: float = 0.0


@dataclass
class Accepted:
    """What an arm was answered 202 for: ids by number; and messages that are none of the API's, by their number, which
    is below zero."""

    tasks: dict[int, str] = field(default_factory=dict)
    strange: dict[int, str] = field(default_factory=dict)

    @property
    def nums(self) -> list[int]:
        """All of them."""
        return [*self.tasks, *self.strange]


class Load:
    """Sends a half of the plan's jobs at once, and the others over `window` seconds from `go_on` on. A portion that is
    refused, or not answered, is sent again until it is accepted.

    Attributes:
        refused: how often the API answered something else than yes, or nothing.
    """

    def __init__(self, stage: Stage, run_id: str, window: float) -> None:
        self.accepted = {stand.arm: Accepted() for stand in stage.arms}
        self.refused = 0
        self._stage = stage
        self._run_id = run_id
        self._session = requests.Session()
        self._sending = threading.Lock()
        self._since: float | None = None
        self._portions = [
            portion for number, stand in enumerate(stage.arms) for portion in self._of(stand, number, window)
        ]
        self._portions.sort(key=lambda portion: portion.due)
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)

    def _of(self, stand: ArmStand, number: int, window: float) -> list[Portion]:
        jobs, seconds = self._stage.plan.jobs, self._stage.plan.seconds
        first = max(1, round(jobs * AT_ONCE))
        rest, portions = jobs - first, min(PORTIONS, jobs - first)
        counts = [first] + [rest // portions + (place < rest % portions) for place in range(portions)]
        step = window / max(1, portions)
        return [
            Portion(place * step, stand, count, f"{self._run_id}-{number}-{place}", seconds=seconds)
            for place, count in enumerate(counts)
        ]

    def start(self) -> None:
        """Begins to send."""
        self._thread.start()

    @property
    def sent(self) -> bool:
        """Whether all portions were accepted."""
        return not self._portions

    def go_on(self) -> None:
        """Sends what was kept back, little by little: the fault begins. Does nothing the second time."""
        self._since = self._since or time.monotonic()

    def submit_killers(self, arm: str, count: int) -> None:
        """Sends jobs that kill the process that runs them."""
        stand = next(one for one in self._stage.arms if one.arm == arm)
        self._send(Portion(0.0, stand, count, f"{self._run_id}-killers-{arm}", "killer_task", KILLER_SECONDS))

    def strange(self, arm: str, count: int) -> list[str]:
        """Enters messages that are no jobs; the names that they are to carry."""
        names = {-number: f"unreadable-{arm}-{number}" for number in range(1, count + 1)}
        self.accepted[arm].strange |= names
        return list(names.values())

    def _run(self) -> None:
        while self._portions and not self._stage.cancelled.is_set():
            portion = self._portions[0]
            if portion.due and (self._since is None or time.monotonic() < self._since + portion.due):
                self._stage.cancelled.wait(0.05)
                continue
            try:
                self._send(portion)
                self._portions.pop(0)
            except requests.RequestException:
                self.refused += 1
                self._stage.cancelled.wait(AGAIN_SECONDS)

    def _send(self, portion: Portion) -> None:
        stand = portion.stand
        body: dict[str, Any] = {
            "method": stand.method,
            "kind": portion.kind,
            "timeout": portion.seconds,
            "count": portion.count,
            "delivery": Delivery(stand.delivery).value,
        }
        with self._sending:
            answer = self._session.post(
                f"{self._stage.lab.url}/api/tasks",
                json=body,
                headers={"Idempotency-Key": portion.key},
                timeout=ANSWER_SECONDS,
            )
        answer.raise_for_status()
        self.accepted[stand.arm].tasks |= {
            int(task["num"]): str(task["id"]) for task in answer.json()["tasks"]
        }
