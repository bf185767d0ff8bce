from collections.abc import Iterator
from pathlib import Path

import pytest
from supervisor.loggers import LogRecord

from harness.supervisord import DroppingHandler
from tests.full_disk import fill, tmpfs


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with tmpfs(tmp_path / "disk", "64k") as folder:
        yield folder


def line(text: str) -> LogRecord:
    return LogRecord(20, f"{text}\n".encode())


def test_lines_that_a_full_disk_does_not_take_are_dropped_in_silence(
    small_disk: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = DroppingHandler(str(small_disk / "log"), maxBytes=20_000, backupCount=1)
    log.emit(line("before"))
    filler = fill(small_disk)
    for _ in range(100):
        log.emit(line("x" * 1000))
    filler.unlink()
    log.emit(line("after"))
    assert (small_disk / "log").read_bytes().endswith(b"after\n")
    assert sum(path.stat().st_size for path in small_disk.glob("log*")) <= 2 * 21_000
    log.close()
    assert capfd.readouterr() == ("", "")


def test_a_log_that_could_not_be_begun_anew_is_begun_later(tmp_path: Path) -> None:
    log = DroppingHandler(str(tmp_path / "log"), maxBytes=20_000, backupCount=1)
    log.stream.close()
    log.emit(line("later"))
    log.close()
    assert (tmp_path / "log").read_bytes() == b"later\n"
