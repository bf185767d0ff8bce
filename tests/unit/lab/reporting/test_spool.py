import fcntl
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lab.reporting.spool import BATCH, Spool


def test_lines_come_out_in_the_order_they_went_in_and_are_forgotten(tmp_path: Path) -> None:
    spool, got = Spool(tmp_path), []
    spool.put([b"one", b"two"])
    spool.put([b"three"])
    assert spool.send(got.extend) == 3
    assert got == [b"one", b"two", b"three"]
    assert spool.send(got.extend) == 0


def test_nothing_is_forgotten_that_was_not_delivered(tmp_path: Path) -> None:
    spool, got = Spool(tmp_path), []
    spool.put([b"%d" % n for n in range(BATCH + 5)])

    def deliver(lines: list[bytes]) -> None:
        if got:
            raise ConnectionError
        got.extend(lines)

    with pytest.raises(ConnectionError):
        spool.send(deliver)
    got.clear()
    assert spool.send(got.extend) == 5


def test_lines_that_come_while_others_are_sent_are_kept(tmp_path: Path) -> None:
    spool, got = Spool(tmp_path), []

    def deliver(lines: list[bytes]) -> None:
        got.extend(lines)
        if len(got) == 1:
            spool.put([b"two"])

    spool.put([b"one"])
    assert spool.send(deliver) == 2
    assert got == [b"one", b"two"]


def test_threads_may_put_at_once(tmp_path: Path) -> None:
    spool, got = Spool(tmp_path), []
    threads = [threading.Thread(target=lambda n=n: spool.put([b"%d" % n])) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spool.send(got.extend)
    assert sorted(int(line) for line in got) == list(range(20))


def test_what_a_killed_process_left_is_adopted_once_it_is_dead(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from lab.reporting.spool import Spool\n"
        "Spool(Path(sys.argv[1])).put([b'left'])\n"
        "print('kept', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"kept\n"
        got: list[bytes] = []
        assert Spool(tmp_path).adopt(got.extend) == 0
        process.kill()
    assert Spool(tmp_path).adopt(got.extend) == 1
    assert got == [b"left"]
    assert list(tmp_path.iterdir()) == []


def test_half_a_line_at_the_end_of_an_adopted_file_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "dead.jsonl").write_bytes(b"whole\nha")
    got: list[bytes] = []
    Spool(tmp_path).adopt(got.extend)
    assert got == [b"whole"]


def test_an_adopted_file_stays_where_its_lines_are_not_taken(tmp_path: Path) -> None:
    (tmp_path / "dead.jsonl").write_bytes(b"whole\n")

    def deliver(lines: list[bytes]) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        Spool(tmp_path).adopt(deliver)
    assert (tmp_path / "dead.jsonl").exists()


def test_closing_leaves_no_empty_file(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.put([b"x"])
    spool.send(lambda lines: None)
    spool.close()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_adopted_before_it_is_locked_keeps_no_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, times = fcntl.flock, []

    def late(descriptor: int, operation: int) -> None:
        if not times:
            times.append(1)
            Spool(tmp_path).adopt(lambda _: None)
        lock(descriptor, operation)

    monkeypatch.setattr("lab.reporting.spool.fcntl.flock", late)
    spool, got = Spool(tmp_path), []
    spool.put([b"one"])
    (file,) = tmp_path.iterdir()
    assert file.read_bytes() == b"one\n"
    assert spool.send(got.extend) == 1
