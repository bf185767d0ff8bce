"""Who writes to the store next."""

import multiprocessing
import os
import shutil
import signal
import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from store.engine import create_engine, writing
from store.tables import counters

MORE = counters.update().where(counters.c.name == "num").values(value=counters.c.value + 1)
READ = sa.select(counters.c.value).where(counters.c.name == "num")


@pytest.fixture
def url(tmp_path: Path, sqlite_template: Path) -> str:
    shutil.copy(sqlite_template, tmp_path / "lab.sqlite3")
    return f"sqlite:///{tmp_path}/lab.sqlite3"


def write(url: str, times: int, hold: float = 0.0) -> None:
    engine = create_engine(url)
    for _ in range(times):
        with writing(engine) as connection:
            connection.execute(MORE)
            time.sleep(hold)
    engine.dispose()


def written(url: str) -> int:
    engine = create_engine(url)
    with engine.connect() as connection:
        value = connection.execute(READ).scalar_one()
    engine.dispose()
    return int(value)


def test_threads_and_processes_write_one_after_the_other(url: str) -> None:
    begin = written(url)
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=write, args=(url, 50)) for _ in range(2)]
    threads = [threading.Thread(target=write, args=(url, 50)) for _ in range(2)]
    for one in (*processes, *threads):
        one.start()
    for one in (*processes, *threads):
        one.join(60)
    assert written(url) - begin == 200


def test_a_writer_that_is_killed_leaves_its_turn_to_the_next(url: str) -> None:
    begin = written(url)
    process = multiprocessing.get_context("fork").Process(target=write, args=(url, 1, 60.0))
    process.start()
    assert process.pid is not None
    time.sleep(0.5)
    os.kill(process.pid, signal.SIGKILL)
    process.join(10)
    write(url, 1)
    assert written(url) - begin == 1


def test_a_process_forked_by_a_writer_has_a_turn_of_its_own(url: str) -> None:
    begin = written(url)
    engine = create_engine(url)
    with writing(engine) as connection:
        connection.execute(MORE)
    engine.dispose()
    process = multiprocessing.get_context("fork").Process(target=write, args=(url, 1, 0.5))
    process.start()
    time.sleep(0.25)
    write(url, 1)
    process.join(10)
    assert written(url) - begin == 3


def test_a_turn_that_cannot_be_had_is_an_error_of_the_database(url: str, tmp_path: Path) -> None:
    (tmp_path / "lab.sqlite3-turn").mkdir()
    engine = create_engine(url)
    with pytest.raises(OperationalError), writing(engine):
        pass
    (tmp_path / "lab.sqlite3-turn").rmdir()
    write(url, 1)
    engine.dispose()
