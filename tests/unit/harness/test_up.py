from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness import up
from harness.plan import make_plan
from harness.ports import free_port
from harness.stopping import StopRequest
from harness.supervision import ProgramState
from harness.up import MOST_RESTARTS, LabRun, UpError


class Programs:
    """A supervisord whose programs stand as `states` says."""

    def __init__(self, *states: ProgramState) -> None:
        self.process = SimpleNamespace(running=True)
        self.states = list(states)
        self.started: list[str] = []

    def programs(self) -> list[ProgramState]:
        return self.states

    def start_program(self, name: str) -> None:
        self.started.append(name)


def a_run(folder: Path, programs: Any, *, is_up: bool) -> LabRun:
    env = {"RMQ_URL": "amqp://127.0.0.1:1/", "LAB_VAR": str(folder), "PORT": str(free_port())}
    made = LabRun(make_plan(env, folder), StopRequest(), supervisor=programs)
    made.is_up = is_up
    return made


def consumer(state: str, pid: int, folder: Path) -> ProgramState:
    return ProgramState("consumer", state, pid, folder / "consumer.log")


def test_a_part_that_does_not_stay_up_while_the_lab_starts_ends_the_start(tmp_path: Path) -> None:
    programs = Programs(consumer("FATAL", 0, tmp_path))
    with pytest.raises(UpError, match="consumer does not stay up"):
        a_run(tmp_path, programs, is_up=False).look()


def test_a_part_that_runs_and_dies_again_and_again_ends_the_start(tmp_path: Path) -> None:
    programs = Programs()
    run = a_run(tmp_path, programs, is_up=False)
    for pid in range(1, MOST_RESTARTS + 1):
        programs.states = [consumer("RUNNING", pid, tmp_path)]
        run.look()
    programs.states = [consumer("RUNNING", MOST_RESTARTS + 1, tmp_path)]
    with pytest.raises(UpError, match="consumer does not stay up"):
        run.look()


def test_a_part_of_a_lab_that_is_up_is_tried_again_and_told_of_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(up, "AGAIN_SECONDS", 0.0)
    programs = Programs(consumer("FATAL", 0, tmp_path))
    run = a_run(tmp_path, programs, is_up=True)
    for _ in range(3):
        run.look()
    assert programs.started == ["consumer"] * 2
    assert capfd.readouterr().out.count("consumer does not stay up; it is tried again and again.") == 1
