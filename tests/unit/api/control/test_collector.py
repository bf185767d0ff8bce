"""One collection for all processes: each collector here stands for a process."""

import threading
from typing import Any

import pytest

from api.control.collector import ControlCollector
from api.services import Services
from lab.clock import now_us, to_iso
from store.pictures import Pictures


class CountingLook:
    """Looks without a lab, and counts."""

    def __init__(self) -> None:
        self.looks = 0
        self.during = lambda: None
        self.error: Exception | None = None

    def take(self, _before: Any) -> dict[str, Any]:
        self.looks += 1
        self.during()
        if self.error:
            raise self.error
        at = to_iso(now_us())
        return {"at": at, "n": self.looks, "broker": {"up": True, "since": at}}

    def close(self) -> None:
        """Has nothing."""


@pytest.fixture
def pictures(parts: Services) -> Pictures:
    return Pictures(parts.store.engine)


@pytest.fixture
def look() -> CountingLook:
    return CountingLook()


@pytest.fixture
def collectors(pictures: Pictures, look: CountingLook) -> list[ControlCollector]:
    return [ControlCollector(pictures, look) for _ in range(3)]  # type: ignore[arg-type]


def test_one_of_them_looks_and_all_have_the_picture(
    collectors: list[ControlCollector], look: CountingLook
) -> None:
    for _ in range(5):
        for collector in collectors:
            collector.refresh()
    assert look.looks == 1
    assert [(collector.picture() or {})["n"] for collector in collectors] == [1, 1, 1]


def test_at_the_same_moment_one_gets_the_lease(
    collectors: list[ControlCollector], look: CountingLook, pictures: Pictures
) -> None:
    start = threading.Barrier(3)

    def refresh(collector: ControlCollector) -> None:
        start.wait(5)
        collector.refresh()

    threads = [threading.Thread(target=refresh, args=(collector,)) for collector in collectors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert look.looks == 1
    assert pictures.taken_us()[1] == 0


def test_while_one_looks_nobody_else_does(
    collectors: list[ControlCollector], look: CountingLook, pictures: Pictures
) -> None:
    look.during = lambda: collectors[1].refresh()
    collectors[0].refresh()
    assert look.looks == 1


def test_a_picture_is_renewed_when_it_is_ten_seconds_old(
    collectors: list[ControlCollector], look: CountingLook, pictures: Pictures
) -> None:
    pictures.save({"n": 0, "at": to_iso(now_us()), "broker": {"up": True}}, now_us() - 9_000_000)
    collectors[0].refresh()
    assert look.looks == 0
    pictures.save(None, now_us() - 10_100_000)
    collectors[0].refresh()
    assert look.looks == 1


def test_after_an_action_it_is_renewed_sooner_once_however_many_ask(
    collectors: list[ControlCollector], look: CountingLook, pictures: Pictures
) -> None:
    collectors[0].refresh()
    for _ in range(10):
        collectors[1].look_soon()
        collectors[1].refresh()
    assert look.looks == 1
    pictures.save(None, now_us() - 2_100_000)
    for _ in range(10):
        collectors[1].refresh()
    assert look.looks == 2


def test_a_lease_of_a_process_that_died_runs_out(
    collectors: list[ControlCollector],
    look: CountingLook,
    pictures: Pictures,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert pictures.claim(0)
    collectors[0].refresh()
    assert look.looks == 0
    late = now_us() + 21_000_000
    monkeypatch.setattr("store.pictures.now_us", lambda: late)
    monkeypatch.setattr("api.control.collector.now_us", lambda: late)
    collectors[0].refresh()
    assert look.looks == 1


def test_a_look_that_fails_gives_the_lease_back_and_leaves_the_picture(
    collectors: list[ControlCollector], look: CountingLook, pictures: Pictures
) -> None:
    collectors[0].refresh()
    pictures.save(None, 0)
    look.error = RuntimeError("no")
    with pytest.raises(RuntimeError):
        collectors[0].refresh()
    assert pictures.taken_us()[1] == 0
    assert (pictures.read() or {})["n"] == 1
