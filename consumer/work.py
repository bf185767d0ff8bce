"""One message's job on its way through the worker."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from consumer.handler import ACK, Run, Settlement
from lab.clock import to_iso

Settle = Callable[[Settlement], None]


@dataclass(eq=False, slots=True)
class Work:
    """A job, and how its messages are settled.

    Attributes:
        settles: one for each message of it that came; called from any thread.
        wanted: whether it is still to be run: not when its connection went before it began.
        key: what `consumer.quick` knows it by.
        began: monotonic seconds, 0.0 before.
        performed: the job function has returned.
    """

    run: Run
    settles: list[Settle]
    wanted: Callable[[], bool]
    key: int = 0
    began: float = 0.0
    began_us: int = 0
    performed: bool = False
    cancelled_at: float | None = None
    over: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def runs(self) -> bool:
        """Whether its job function is at work."""
        return self.began > 0.0 and not self.performed

    def brief(self) -> dict[str, Any]:
        """What the control page shows of it."""
        job = self.run.job
        return {"id": job.task_id, "kind": job.kind, "num": job.num, "since": to_iso(self.began_us)}

    def take_end(self) -> bool:
        """Whether the caller is the first to bring this work to an end, and therefore settles it."""
        with self.lock:
            first, self.over = not self.over, True
            return first

    def adopt(self, settle: Settle) -> bool:
        """Has another message of this work settled at its end; False where that has come already."""
        with self.lock:
            if not self.over:
                self.settles.append(settle)
            return not self.over

    def settle(self, settlement: Settlement) -> None:
        """Settles all its messages alike, save that what is to be published goes out once."""
        *others, last = self.settles
        for settle in others:
            settle(ACK if settlement.again or settlement.then else settlement)
        last(settlement)
