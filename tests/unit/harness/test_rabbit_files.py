from pathlib import Path

from harness.rabbit_files import RabbitPorts, url, variables, without_foreign, write_files

PORTS = RabbitPorts(amqp=1001, management=1002, distribution=1003, epmd=1004)


def written(base: Path, management: bool = True) -> str:
    write_files(base, PORTS, "student", "qwerty", management)
    return (base / "rabbitmq.conf").read_text()


def test_every_listener_is_bound_to_loopback(tmp_path: Path) -> None:
    conf = written(tmp_path)
    assert "listeners.tcp.1 = 127.0.0.1:1001" in conf
    assert "management.tcp.ip = 127.0.0.1" in conf
    env = variables(tmp_path, PORTS)
    assert env["ERL_EPMD_ADDRESS"] == "127.0.0.1"
    for name in ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "RABBITMQ_CTL_ERL_ARGS"):
        assert "inet_dist_use_interface {127,0,0,1}" in env[name]


def test_a_job_of_an_hour_is_not_cut_off_by_the_consumer_timeout(tmp_path: Path) -> None:
    (line,) = (line for line in written(tmp_path).splitlines() if line.startswith("consumer_timeout"))
    assert int(line.split("=")[1]) > 3600 * 1000


def test_without_management_there_is_no_plugin_and_no_listener(tmp_path: Path) -> None:
    assert "management" not in written(tmp_path, management=False)
    assert (tmp_path / "enabled_plugins").read_text() == "[].\n"


def test_everything_that_the_node_writes_or_reads_lies_below_its_folder(tmp_path: Path) -> None:
    env = variables(tmp_path, PORTS)
    for name in (
        "HOME",
        "RABBITMQ_CONFIG_FILE",
        "RABBITMQ_CONFIG_FILES",
        "RABBITMQ_MNESIA_BASE",
        "RABBITMQ_LOG_BASE",
    ):
        assert Path(env[name]).is_relative_to(tmp_path)


def test_the_cookie_is_secret_and_kept(tmp_path: Path) -> None:
    written(tmp_path)
    cookie = tmp_path / "home" / ".erlang.cookie"
    first = cookie.read_text()
    written(tmp_path)
    assert cookie.read_text() == first
    assert len(first) == 40
    assert cookie.stat().st_mode & 0o777 == 0o400
    assert tmp_path.stat().st_mode & 0o777 == 0o700


def test_variables_of_the_machines_own_node_are_dropped() -> None:
    env = {
        "RABBITMQ_NODENAME": "x",
        "ERL_LIBS": "y",
        "NOTIFY_SOCKET": "z",
        "PATH": "/bin",
        "RMQ_URL": "amqp://",
    }
    assert without_foreign(env) == {"PATH": "/bin", "RMQ_URL": "amqp://"}


def test_a_password_with_special_characters_is_escaped_in_the_address() -> None:
    assert url(5672, "a@b", "p/w:%") == "amqp://a%40b:p%2Fw%3A%25@127.0.0.1:5672/"
