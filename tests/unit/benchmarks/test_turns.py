from types import SimpleNamespace
from typing import Any, cast

import pytest

from benchmarks import turns
from benchmarks.clients import Trouble
from benchmarks.contender import Contender, Measured
from benchmarks.stand import Stand


def a_stand(**changes: Any) -> Stand:
    plain = {"ceiling": "there", "why_no_ceiling": "", "busy": SimpleNamespace(foreign=0.0)}
    return cast(Stand, SimpleNamespace(**(plain | changes)))


def quiet(_: str) -> None:
    pass


def test_contenders_take_turns() -> None:
    order: list[str] = []

    def contender(key: str) -> Contender:
        def measure(_stand: Stand, jobs: int) -> Measured:
            order.append(key)
            return Measured(float(jobs))

        return Contender(key, key, measure, 7)

    rows = turns.run([contender("a"), contender("b")], a_stand(), 3, None, tell=quiet)
    assert order == ["a", "b"] * 3
    assert [row.values for row in rows] == [[7.0] * 3] * 2


@pytest.mark.parametrize(
    ("foreign", "kept", "runs"),
    [([0.05], 1.0, 1), ([0.5, 0.02], 2.0, 2), ([0.5, 0.3, 0.4, 0.0], 2.0, 3)],
)
def test_a_disturbed_run_is_repeated_at_most_twice_and_the_least_disturbed_one_counts(
    foreign: list[float], kept: float, runs: int
) -> None:
    stand, calls = a_stand(), 0

    def measure(given: Stand, _jobs: int) -> Measured:
        nonlocal calls
        given.busy.foreign = foreign[calls]
        calls += 1
        return Measured(float(calls))

    (row,) = turns.run([Contender("a", "a", measure, 1)], stand, 1, None, tell=quiet)
    assert (row.values, calls) == ([kept], runs)


def test_one_that_fails_does_not_end_the_others() -> None:
    def failing(_stand: Stand, _jobs: int) -> Measured:
        raise Trouble("no jobs ran")

    told: list[str] = []
    rows = turns.run(
        [Contender("a", "a", failing, 1), Contender("b", "b", lambda *_: Measured(1.0), 1)],
        a_stand(),
        1,
        None,
        tell=told.append,
    )
    assert [row.values for row in rows] == [[], [1.0]]
    assert "no jobs ran" in told[0]


def test_without_a_compiler_what_needs_one_is_skipped_with_a_word() -> None:
    told: list[str] = []
    contender = Contender("a", "a", lambda *_: Measured(1.0), 1, c_only=True)
    stand = a_stand(ceiling=None, why_no_ceiling="there is no C compiler")
    (row,) = turns.run([contender], stand, 2, None, tell=told.append)
    assert (row.values, row.skipped) == ([], "there is no C compiler")
    assert len(told) == 1


def test_when_the_time_is_over_the_first_round_is_ended_and_no_other_begun() -> None:
    contenders = [Contender(key, key, lambda *_: Measured(1.0), 1) for key in "ab"]
    rows = turns.run(contenders, a_stand(), 3, None, seconds=0.0, tell=quiet)
    assert [row.values for row in rows] == [[1.0], [1.0]]


def test_a_number_of_jobs_that_is_asked_for_is_not_meant_for_times() -> None:
    contenders = [
        Contender(unit, unit, lambda _, jobs: Measured(float(jobs)), 5, unit) for unit in ("jobs/s", "ms")
    ]
    rows = turns.run(contenders, a_stand(), 1, 100, tell=quiet)
    assert [row.values for row in rows] == [[100.0], [5.0]]
