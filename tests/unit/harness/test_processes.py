import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from harness import proc
from harness.processes import ManagedProcess, ProcessError, tail

# A parent with a child of its own, and a grandchild that left for another session.
FAMILY = """
sleep 300 &
setsid sleep 300 &
echo "ready"
wait
"""

STUBBORN = "trap '' TERM; echo ready; while :; do sleep 0.1; done"


def shell(script: str, tmp_path: Path) -> ManagedProcess:
    return ManagedProcess(["sh", "-c", script], log=tmp_path / "log" / "sh.log")


def test_a_process_writes_its_output_and_errors_into_its_log(tmp_path: Path) -> None:
    with shell("echo out; echo err >&2; exit 3", tmp_path) as process:
        process.wait_for_log("out")
        process.wait_for_log("err")
        assert proc.wait_gone([process.pid], 5) == []
        assert process.returncode == 3


def test_the_environment_is_only_what_was_given(tmp_path: Path) -> None:
    process = ManagedProcess(["env"], env={"PATH": os.environ["PATH"], "A": "b"}, log=tmp_path / "log")
    with process:
        process.wait_for_log("A=b")
    assert "HOME=" not in (tmp_path / "log").read_text()


def test_ending_takes_children_and_those_that_left_the_session_along(tmp_path: Path) -> None:
    with shell(FAMILY, tmp_path) as process:
        process.wait_for_log("ready")
        deadline = time.monotonic() + 5
        while len(members := proc.family(process.pid)) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(process.children()) == 2
        process.kill_group()
        assert process.returncode == -signal.SIGKILL
    assert proc.wait_gone(members, 2) == []


def test_a_process_ends_when_the_body_fails(tmp_path: Path) -> None:
    process = shell("sleep 300", tmp_path)
    with pytest.raises(ZeroDivisionError), process:
        raise ZeroDivisionError
    assert process.returncode == -signal.SIGTERM


def test_a_process_that_does_not_obey_is_killed_after_the_timeout(tmp_path: Path) -> None:
    with shell(STUBBORN, tmp_path) as process:
        process.wait_for_log("ready")
        assert process.terminate(timeout=0.2) == -signal.SIGKILL


def test_a_paused_process_does_nothing_until_it_is_resumed(tmp_path: Path) -> None:
    with shell("while :; do echo tick; sleep 0.02; done", tmp_path) as process:
        process.wait_for_log("tick")
        process.pause()
        time.sleep(0.1)
        size = process.log_size()
        time.sleep(0.2)
        assert process.log_size() == size
        process.resume()
        process.wait_for_log("tick", since=size)


def test_a_process_can_be_started_again_and_its_log_goes_on(tmp_path: Path) -> None:
    process = shell("echo run $$; sleep 300", tmp_path)
    with process:
        first = process.wait_for_log("run")
    with process:
        assert process.wait_for_log("run") != first
        with pytest.raises(ProcessError, match="runs already"):
            process.start()
    assert (tmp_path / "log" / "sh.log").read_text().startswith(first)


def test_waiting_for_a_text_ends_with_the_process_and_shows_the_logs_end(tmp_path: Path) -> None:
    with (
        shell("echo broken; exit 4", tmp_path) as process,
        pytest.raises(ProcessError, match=r"(?s)ended with status 4 without 'ready'.*broken"),
    ):
        process.wait_for_log("ready")


def test_waiting_for_a_text_ends_after_its_time(tmp_path: Path) -> None:
    with shell("sleep 300", tmp_path) as process, pytest.raises(ProcessError, match=r"ran for 0.1 s without"):
        process.wait_for_log("ready", timeout=0.1)


def test_a_command_that_is_not_there_is_an_error_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no-such-command"):
        ManagedProcess(["no-such-command"], log=tmp_path / "log").start()


def test_what_was_never_started_has_no_pid_and_is_easily_killed(tmp_path: Path) -> None:
    process = shell("true", tmp_path)
    process.kill_group()
    assert not process.running
    with pytest.raises(ProcessError, match="was not started"):
        _ = process.pid


def parent_script(tmp_path: Path, ending: str) -> str:
    return (
        "from harness.processes import ManagedProcess; from pathlib import Path; import os, time\n"
        f"process = ManagedProcess(['sleep', '300'], log=Path({str(tmp_path / 'log')!r})).start()\n"
        f"print(process.pid, flush=True)\n{ending}"
    )


@pytest.mark.parametrize("ending", ["os.kill(os.getpid(), 9)", "raise SystemExit(0)"])
def test_a_process_does_not_survive_the_one_that_started_it(tmp_path: Path, ending: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", parent_script(tmp_path, ending)], capture_output=True, text=True, timeout=30
    )
    assert proc.wait_gone([int(done.stdout)], 5) == []


def test_a_process_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    process = shell("sleep 300", tmp_path)
    thread = threading.Thread(target=process.start)
    thread.start()
    thread.join()
    time.sleep(0.1)
    assert process.running
    process.terminate()


def test_a_mark_in_the_environment_finds_all_descendants(tmp_path: Path) -> None:
    process = ManagedProcess(
        ["sh", "-c", FAMILY], env=os.environ | {"LAB_TEST_MARK": str(tmp_path)}, log=tmp_path / "log"
    )
    with process:
        process.wait_for_log("ready")
        deadline = time.monotonic() + 5
        while len(found := proc.with_environment("LAB_TEST_MARK", str(tmp_path))) < 3:
            assert time.monotonic() < deadline
        assert process.pid in found
        assert os.getpid() not in found


def test_a_log_s_tail_is_its_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"line {number}\n" for number in range(20000)))
    assert tail(log, 2) == "line 19998\nline 19999"
    assert tail(tmp_path / "none") == ""
