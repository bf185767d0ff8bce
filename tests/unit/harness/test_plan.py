import os
import sys
from pathlib import Path

import pytest

from harness.plan import MARK, PlanError, lock, make_plan, var_folder
from harness.ports import PortError, free_port
from lab.settings import Settings, SettingsError

CLOSED = {"LAB_USER": "anna", "LAB_PASSWORD": "secret", "RMQ_USER": "anna", "RMQ_PASSWORD": "p@ss"}


def free_ports() -> dict[str, str]:
    names = ("PORT", "LAB_RABBITMQ_PORT", "LAB_RABBITMQ_MANAGEMENT_PORT")
    return {name: str(free_port()) for name in names}


def test_the_programs_learn_the_chosen_ports_and_folders(tmp_path: Path) -> None:
    env = free_ports()
    plan = make_plan(env, tmp_path)
    settings = Settings.from_env(plan.env)
    assert settings.rmq_url == f"amqp://student:qwerty@127.0.0.1:{env['LAB_RABBITMQ_PORT']}/"
    assert settings.api_url == f"http://127.0.0.1:{env['PORT']}/update_task_status_api/"
    assert settings.management_url == f"http://127.0.0.1:{env['LAB_RABBITMQ_MANAGEMENT_PORT']}/"
    assert (settings.host, settings.port, settings.var) == ("127.0.0.1", int(env["PORT"]), tmp_path)
    assert plan.notes == []


def test_a_broker_that_was_named_is_used_and_none_started(tmp_path: Path) -> None:
    env = {"RMQ_URL": "amqp://guest:guest@broker:5672/", "PORT": str(free_port())}
    plan = make_plan(env, tmp_path)
    assert not plan.own_broker
    assert plan.env["RMQ_URL"] == env["RMQ_URL"]
    assert "LAB_MANAGEMENT_URL" not in plan.env


def test_what_was_set_for_the_programs_reaches_them(tmp_path: Path) -> None:
    given = {
        "DATABASE_URL": "postgresql+psycopg://a@b/c",
        "RESULT_BACKEND": "rpc://",
        "CELERY_BROKER_URL": "redis://localhost/",
        "API_URL": "http://127.0.0.1:9/update_task_status_api/",
    }
    plan = make_plan(free_ports() | given, tmp_path)
    assert {name: plan.env[name] for name in given} == given


def test_settings_of_another_rabbitmq_node_do_not_reach_the_lab(tmp_path: Path) -> None:
    foreign = {"RABBITMQ_NODENAME": "rabbit@elsewhere", "ERL_EPMD_PORT": "4369", "NOTIFY_SOCKET": "/run/x"}
    assert not foreign.keys() & make_plan(free_ports() | foreign, tmp_path).env.keys()


def test_every_program_carries_the_labs_mark_and_finds_its_python_first(tmp_path: Path) -> None:
    plan = make_plan(free_ports() | {"PATH": "/bin"}, tmp_path)
    assert plan.env[MARK] == str(tmp_path)
    assert plan.env["PATH"] == f"{Path(sys.executable).parent}{os.pathsep}/bin"


@pytest.mark.parametrize(("host", "shown"), [("0.0.0.0", "127.0.0.1"), ("127.0.0.1", "127.0.0.1")])
def test_a_lab_on_every_address_is_reached_over_loopback(tmp_path: Path, host: str, shown: str) -> None:
    env = free_ports() | CLOSED | {"LAB_HOST": host}
    plan = make_plan(env, tmp_path)
    assert plan.env["LAB_HOST"] == host
    assert plan.page == f"http://{shown}:{env['PORT']}/"


def test_a_lab_that_stands_open_to_other_machines_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"set LAB_USER and LAB_PASSWORD and .*RMQ_PASSWORD"):
        make_plan(free_ports() | {"LAB_HOST": "0.0.0.0"}, tmp_path)


def test_what_a_container_is_published_on_does_not_count_here(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="LAB_HOST"):
        make_plan(free_ports() | {"LAB_HOST": "0.0.0.0", "LAB_PUBLISH": "127.0.0.1"}, tmp_path)


def test_the_node_has_the_login_that_was_set(tmp_path: Path) -> None:
    env = free_ports() | CLOSED
    plan = make_plan(env, tmp_path)
    assert plan.env["RMQ_URL"] == f"amqp://anna:p%40ss@127.0.0.1:{env['LAB_RABBITMQ_PORT']}/"
    assert (plan.broker_user, plan.broker_password) == ("anna", "p@ss")


def test_one_port_for_two_parts_is_refused(tmp_path: Path) -> None:
    port = str(free_port())
    with pytest.raises(PlanError, match=f"^LAB_RABBITMQ_PORT={port} is asked for twice"):
        make_plan({"PORT": port, "LAB_RABBITMQ_PORT": port}, tmp_path)


def test_what_is_no_port_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PortError, match=r"^PORT=web is no port"):
        make_plan(free_ports() | {"PORT": "web"}, tmp_path)


def test_a_setting_that_the_programs_would_refuse_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="RMQ_URL"):
        make_plan({"RMQ_URL": "localhost", "PORT": str(free_port())}, tmp_path)


def test_the_folder_is_made_and_its_path_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert var_folder({"LAB_VAR": "deep/down"}) == tmp_path / "deep" / "down"
    assert (tmp_path / "deep" / "down" / "log").is_dir()
    assert var_folder({}) == tmp_path / "var"


def test_a_folder_that_cannot_be_made_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PlanError, match=r"^LAB_VAR=.*/file/x cannot be written: Not a directory\.$"):
        var_folder({"LAB_VAR": str(tmp_path / "file" / "x")})


@pytest.mark.parametrize("name", ["lab #1", "50%", "a ;b", 'the "lab"'])
def test_a_path_that_supervisord_would_misread_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(PlanError, match="cannot be used"):
        var_folder({"LAB_VAR": str(tmp_path / name)})


def test_a_second_lab_on_the_same_folder_is_refused_until_the_first_one_ends(tmp_path: Path) -> None:
    first = lock(tmp_path)
    with pytest.raises(PlanError, match=rf"^A lab is running on {tmp_path} already"):
        lock(tmp_path)
    os.close(first)
    os.close(lock(tmp_path))
