from pathlib import Path

from lab.broker.installed import find_epmd, find_script, installed


def test_a_script_is_found_in_the_first_folder_that_has_it(tmp_path: Path) -> None:
    folders = [str(tmp_path / "none"), str(tmp_path)]
    assert find_script("rabbitmq-server", folders) is None
    assert not installed(folders)
    (tmp_path / "rabbitmq-server").touch()
    assert find_script("rabbitmq-server", folders) == tmp_path / "rabbitmq-server"
    assert installed(folders) == (find_epmd() is not None)
