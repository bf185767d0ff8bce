import queue
import threading

import pytest

from api.background import BackgroundThread


class Ticking(BackgroundThread):
    """Says when its thread begins and when it ends."""

    def __init__(self) -> None:
        super().__init__("ticking")
        self.begun = threading.Event()
        self.ended = threading.Event()
        self.thread: threading.Thread | None = None

    def _run(self) -> None:
        self.thread = threading.current_thread()
        self.begun.set()
        self._ending.wait(20)
        self.ended.set()


class Deaf(Ticking):
    """Takes no notice of being asked to end."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()

    def _run(self) -> None:
        self.begun.set()
        self.let_go.wait(20)
        self.ended.set()


def test_the_work_is_done_in_a_thread_of_its_name_that_holds_up_no_exit() -> None:
    part = Ticking()
    part.start()
    assert part.begun.wait(10)
    assert part.thread is not None
    assert (part.thread.name, part.thread.daemon) == ("ticking", True)
    part.stop()


def test_stopping_waits_for_the_thread() -> None:
    part = Ticking()
    part.start()
    part.stop()
    assert part.ended.is_set()
    part.stop()


def test_what_was_never_started_can_be_stopped() -> None:
    part = Ticking()
    part.stop()
    assert not part.begun.is_set()


def test_a_thread_that_does_not_end_is_not_waited_for_forever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.background.STOP_SECONDS", 0.05)
    part = Deaf()
    part.start()
    part.stop()
    assert not part.ended.is_set()
    part.let_go.set()
    assert part.ended.wait(10)


def test_a_part_that_is_woken_goes_on_at_once() -> None:
    class Stepping(BackgroundThread):
        """Counts its steps, which are far apart."""

        def __init__(self) -> None:
            super().__init__("stepping", period=60)
            self.steps: queue.SimpleQueue[int] = queue.SimpleQueue()

        def step(self) -> None:
            self.steps.put(1)

    part = Stepping()
    part.start()
    assert part.steps.get(timeout=10)
    part.wake()
    assert part.steps.get(timeout=10)
    part.stop()
    assert part.steps.empty()
