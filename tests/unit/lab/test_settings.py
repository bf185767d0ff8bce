import os
import stat
import threading
from pathlib import Path

import pytest

from lab.settings import Settings, SettingsError


def test_an_empty_environment_gives_the_documented_defaults(tmp_path: Path) -> None:
    settings = Settings.from_env({"LAB_VAR": str(tmp_path)})
    assert settings.rmq_url == "amqp://student:qwerty@localhost:5672/"
    assert settings.api_url == "http://localhost:8080/update_task_status_api/"
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)
    assert settings.database_url == f"sqlite:///{tmp_path}/lab.sqlite3"
    assert settings.celery_broker_url == settings.rmq_url
    assert settings.result_backend == f"db+sqlite:///{tmp_path}/results.sqlite3"


def test_an_empty_variable_counts_as_unset() -> None:
    assert Settings.from_env({"PORT": " "}).port == 8080


def test_celery_may_have_a_broker_of_its_own() -> None:
    settings = Settings.from_env({"CELERY_BROKER_URL": "redis://localhost:6379/0"})
    assert settings.celery_broker_url == "redis://localhost:6379/0"
    assert settings.rmq_url.startswith("amqp://")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "eighty"),
        ("PORT", "-1"),
        ("PORT", "65536"),
        ("PORT", "80.5"),
        ("RMQ_URL", "localhost:5672"),
        ("RMQ_URL", "http://localhost/"),
        ("API_URL", "localhost:8080"),
        ("LAB_SYNC_MAX_SECONDS", "nan"),
        ("LAB_LOG_LANGUAGE", "de"),
        ("LAB_TIMEZONE", "Mars/Olympus"),
        ("LAB_TIMEZONE", "../etc/passwd"),
        ("LAB_KEEP_DAYS", "0"),
        ("SMTP_URL", "localhost:25"),
        ("SMTP_URL", "smtp://localhost:mail"),
        ("LAB_REPORT_TO", "anna@example.org, nobody"),
    ],
)
def test_a_setting_of_the_wrong_form_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        Settings.from_env({name: value})


@pytest.mark.parametrize(
    ("given", "to"),
    [
        ({}, ("postmaster@localhost",)),
        ({"SMTP_URL": "smtp://anna:secret@mail:25"}, ("postmaster@localhost",)),
        ({"SMTP_URL": "smtps://anna%40example.org:secret@mail"}, ("anna@example.org",)),
        ({"LAB_REPORT_TO": "a@example.org, b@example.org"}, ("a@example.org", "b@example.org")),
    ],
)
def test_reports_go_to_whom_is_named_or_to_the_mail_servers_user(
    given: dict[str, str], to: tuple[str, ...]
) -> None:
    assert Settings.from_env(given).report_to == to


LOGIN = {"LAB_USER": "anna", "LAB_PASSWORD": "a good word"}
OWN_BROKER = {"RMQ_URL": "amqp://anna:secret@broker:5672/"}


@pytest.mark.parametrize("name", LOGIN)
def test_half_a_login_is_refused(name: str) -> None:
    other = next(iter(LOGIN.keys() - {name}))
    with pytest.raises(SettingsError, match=f"^{other} is not set"):
        Settings.from_env({name: "x"})


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.1", "[2001:db8::1]", "lab.example", "*"])
@pytest.mark.parametrize("name", ["LAB_HOST", "LAB_PUBLISH"])
def test_a_lab_that_other_machines_reach_needs_a_login_and_a_brokers_password_of_its_own(
    name: str, address: str
) -> None:
    here = {name: address}
    with pytest.raises(SettingsError, match=f"^{name} .*LAB_USER and LAB_PASSWORD and .*RMQ_PASSWORD"):
        Settings.from_env(here)
    with pytest.raises(SettingsError, match="give the broker a password of its own"):
        Settings.from_env(here | LOGIN)
    with pytest.raises(SettingsError, match="set LAB_USER and LAB_PASSWORD, or"):
        Settings.from_env(here | OWN_BROKER)
    assert Settings.from_env(here | LOGIN | OWN_BROKER).user == "anna"


@pytest.mark.parametrize(
    "url",
    [
        "amqp://student:qwerty@b/",
        "amqps://anna:qwerty@b/",
        "amqp://guest:guest@b/",
        "amqp://b/",
        "amqp://a:%71werty@b/",
    ],
)
@pytest.mark.parametrize("name", ["RMQ_URL", "CELERY_BROKER_URL"])
def test_a_password_that_everybody_knows_is_refused_beyond_this_machine(name: str, url: str) -> None:
    with pytest.raises(SettingsError, match="RMQ_PASSWORD"):
        Settings.from_env(LOGIN | OWN_BROKER | {"LAB_HOST": "0.0.0.0", name: url})


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.53", "::1", "[::1]", "localhost"])
def test_loopback_needs_neither(address: str) -> None:
    assert Settings.from_env({"LAB_HOST": address}).user is None


def test_a_container_that_is_published_on_loopback_may_listen_everywhere() -> None:
    settings = Settings.from_env({"LAB_HOST": "0.0.0.0", "LAB_PUBLISH": "127.0.0.1"})
    assert settings.host == "0.0.0.0"


def test_the_password_is_not_shown_with_the_settings() -> None:
    keys = {"LAB_SECRET_KEY": "another word", "LAB_FORMER_SECRET_KEYS": "a former word"}
    shown = repr(Settings.from_env({**LOGIN, **keys}))
    assert "word" not in shown.replace("password", "")


def test_the_secret_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    settings = Settings.from_env({"LAB_VAR": str(tmp_path / "new")})
    first = settings.secret()
    assert len(first) >= 32
    assert settings.secret() == first
    assert stat.S_IMODE((tmp_path / "new" / "secret_key").stat().st_mode) == 0o600


def test_processes_that_start_at_once_agree_on_the_secret(tmp_path: Path) -> None:
    settings = Settings.from_env({"LAB_VAR": str(tmp_path)})
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.append(settings.secret())) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20
    assert len(set(found)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["secret_key"]


def test_a_set_secret_is_used_and_not_written_down(tmp_path: Path) -> None:
    settings = Settings.from_env({"LAB_VAR": str(tmp_path), "LAB_SECRET_KEY": "of my own"})
    assert settings.secret() == b"of my own"
    assert list(tmp_path.iterdir()) == []


def test_former_keys_hold_beside_a_set_secret_and_beside_one_that_the_lab_made(tmp_path: Path) -> None:
    env = {"LAB_VAR": str(tmp_path), "LAB_FORMER_SECRET_KEYS": "second, first,"}
    made = Settings.from_env(env)
    assert made.secrets() == (made.secret(), b"second", b"first")
    assert Settings.from_env({**env, "LAB_SECRET_KEY": "third"}).secrets() == (b"third", b"second", b"first")
    assert Settings.from_env({"LAB_SECRET_KEY": "third"}).secrets() == (b"third",)


def test_the_folder_and_what_is_written_are_for_their_owner_only(tmp_path: Path) -> None:
    former = os.umask(0o022)
    try:
        for var in (tmp_path / "new", tmp_path / "old"):
            if var.name == "old":
                var.mkdir(mode=0o755)
            settings = Settings.from_env({"LAB_VAR": str(var)})
            assert settings.private() is settings
            (var / "log").mkdir()
            (var / "log" / "api.log").touch()
            modes = [stat.S_IMODE(one.stat().st_mode) for one in (var, var / "log", var / "log" / "api.log")]
            assert modes == [0o700, 0o700, 0o600]
    finally:
        os.umask(former)


def test_a_folder_of_everybody_stays_everybodys(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    former = os.umask(0o022)
    try:
        Settings.from_env({"LAB_VAR": str(tmp_path)}).private()
    finally:
        os.umask(former)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o1777
