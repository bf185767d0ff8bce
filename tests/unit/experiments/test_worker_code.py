from pathlib import Path

import pytest

from experiments.worker_code import lines_of, worker_lines


def test_blank_lines_comments_and_docstrings_are_no_code() -> None:
    source = (
        '"""A module\nof two lines."""\n\n# why\nX = (\n    1,  # one\n)\n\n\n'
        'def f():\n    """Says so."""\n    return """a\nb"""\n'
    )
    assert lines_of(source) == 6


def test_the_lines_of_a_worker_are_those_of_its_own_files(tmp_path: Path) -> None:
    (tmp_path / "consumer").mkdir()
    for name, lines in (("worker", 5), ("jobs", 7), ("tutorial", 3), ("processes", 90)):
        (tmp_path / "consumer" / f"{name}.py").write_text("x = 1\n" * lines)
    assert worker_lines("rabbitmq", "safe", tmp_path) == 12
    assert worker_lines("rabbitmq", "naive", tmp_path) == 3
    assert worker_lines("sync", "safe", tmp_path) == 0


@pytest.mark.parametrize("contender", [("celery", "safe"), ("celery", "naive"), ("rabbitmq", "safe")])
def test_the_workers_of_this_lab_have_lines(contender: tuple[str, str]) -> None:
    assert 50 < worker_lines(*contender) < 3_000
