import pytest

from benchmarks.__main__ import CONTENDERS, main, select


def test_every_row_has_a_name_of_its_own() -> None:
    assert len({one.key for one in CONTENDERS}) == len(CONTENDERS)


def test_a_whole_name_means_that_row_alone_and_a_part_of_names_all_of_them() -> None:
    assert [one.key for one in select(["celery_in_path"])] == ["celery_in_path"]
    assert {one.key for one in select(["relay", "page_"])} == {
        "relay_consumer", "relay_celery", "page_1k", "page_1m",
    }  # fmt: skip


def test_without_words_all_rows_are_meant() -> None:
    assert select([""]) == CONTENDERS


def test_the_rows_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(CONTENDERS)


def test_a_word_that_names_no_row_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "nothing"]) == 1
    assert "no row" in capsys.readouterr().err
