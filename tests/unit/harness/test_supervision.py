import configparser
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import proc
from harness.supervision import LONGEST_SOCKET_PATH, Program, Supervisor, configuration, socket_path


def await_(done: Callable[[], object], timeout: float = 15.0) -> None:
    deadline = time.monotonic() + timeout
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def section(program: Program, tmp_path: Path) -> dict[str, str]:
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"))
    parser.read_string(configuration(tmp_path, Path("/"), tmp_path / "s", [program]))
    return dict(parser[f"program:{program.name}"])


def test_a_command_keeps_its_blanks_quotes_and_percent_signs(tmp_path: Path) -> None:
    program = Program("p", ["run", "a b", "it's", "50%"], order=1, stop_wait=7, env={"N": "two words {1,2}"})
    command = section(program, tmp_path)["command"].replace("%%", "%")
    assert shlex.split(command) == ["env", "N=two words {1,2}", "run", "a b", "it's", "50%"]


def test_a_program_is_restarted_and_stopped_in_bounded_time(tmp_path: Path) -> None:
    values = section(Program("p", ["run"], order=3, stop_wait=7, start_retries=9), tmp_path)
    assert (values["autorestart"], values["startretries"]) == ("true", "9")
    assert (values["stopsignal"], values["stopwaitsecs"], values["killasgroup"]) == ("TERM", "7", "true")
    assert values["stdout_logfile"] == str(tmp_path / "log" / "p.log")


def test_a_short_folder_holds_the_socket_itself() -> None:
    assert socket_path(Path("/srv/lab")) == Path("/srv/lab/supervisor.sock")


def test_a_folder_too_long_for_a_socket_gets_a_short_temporary_one() -> None:
    path = socket_path(Path("/srv") / ("x" * 90))
    assert len(bytes(path)) < LONGEST_SOCKET_PATH
    assert path.parent.stat().st_mode & 0o777 == 0o700
    path.parent.rmdir()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    # A folder whose name is long, with blanks in it.
    made = tmp_path / ("a lab " + "x" * 90)
    (made / "log").mkdir(parents=True)
    return made


def test_programs_run_are_restarted_and_end_with_supervisord(folder: Path) -> None:
    sleeper = Program("sleeper", ["sleep", "300"], order=1, stop_wait=5, start_seconds=1, autostart=True)
    waiting = Program("waiting", ["sh", "-c", 'echo "$GREETING"; sleep 300'], order=2, stop_wait=5)
    supervisor = Supervisor(folder, folder, os.environ | {"GREETING": "hello"}, [sleeper, waiting])

    def pid(name: str) -> int:
        return next((state.pid for state in supervisor.programs() or [] if state.name == name), 0)

    assert supervisor.programs() is None
    with supervisor.process:
        await_(lambda: pid("sleeper"))
        assert pid("waiting") == 0
        supervisor.start_program("waiting")
        await_(lambda: "hello" in (folder / "log" / "waiting.log").read_text())
        first = pid("sleeper")
        os.kill(first, signal.SIGKILL)
        await_(lambda: pid("sleeper") not in (0, first))
        pids = [pid("sleeper"), pid("waiting")]
    assert proc.wait_gone(pids, 1) == []
    supervisor.remove_socket()
    assert not supervisor.control.parent.exists()


def test_a_program_that_does_not_stay_up_is_fatal_and_its_log_is_named(folder: Path) -> None:
    broken = Program(
        "broken", [sys.executable, "-c", "exit('no')"], order=1, stop_wait=5, start_retries=0, autostart=True
    )
    supervisor = Supervisor(folder, folder, os.environ, [broken])
    with supervisor.process:
        await_(lambda: [state.state for state in supervisor.programs() or []] == ["FATAL"])
        (state,) = supervisor.programs() or []
        assert state.log.read_text() == "no\n"
    supervisor.remove_socket()


def test_the_configuration_is_for_its_owner_only(tmp_path: Path) -> None:
    Supervisor(tmp_path, tmp_path, os.environ, [])
    assert (tmp_path / "supervisord.conf").stat().st_mode & 0o777 == 0o600
