import pika
import pytest
from kombu import Connection

from lab.broker.address import normal, virtual_host, without_password
from lab.settings import Settings, SettingsError

SECRET = "s3cret"


@pytest.mark.parametrize(
    ("given", "vhost"),
    [
        ("amqp://anna:s3cret@broker:5672//", "/"),
        ("amqp://anna:s3cret@broker:5672/", "/"),
        ("amqp://anna:s3cret@broker:5672", "/"),
        ("amqp://broker", "/"),
        ("pyamqp://anna:s3cret@broker/lab", "lab"),
        ("amqp://anna:s3cret@broker:5672/%2F", "/"),
        ("amqp://anna:s3cret@broker:5672/%2Flab", "/lab"),
        ("amqp://anna:s3cret@broker:5672//lab", "/lab"),
        ("amqp://anna:s3cret@broker:5672/a/b%20c", "a/b c"),
        ("amqp://anna:p%40ss%2Fw%3B@broker:5672/lab", "lab"),
        ("amqps://anna:s3cret@broker/lab", "lab"),
    ],
)
def test_every_form_that_celery_takes_means_the_same_to_celery_and_pika(given: str, vhost: str) -> None:
    settings = Settings.from_env({"RMQ_URL": given})
    by_hand = pika.URLParameters(settings.rmq_url)
    asked, read = Connection(given), Connection(settings.celery_broker_url)
    assert (by_hand.virtual_host, read.virtual_host, virtual_host(settings.rmq_url)) == (vhost,) * 3
    assert asked.virtual_host == vhost
    assert by_hand.host == read.hostname == "broker"
    assert (by_hand.credentials.username, by_hand.credentials.password) == (
        read.userid or "guest",
        read.password or "guest",
    )
    assert normal(settings.rmq_url) == settings.rmq_url


@pytest.mark.parametrize("name", ["RMQ_URL", "CELERY_BROKER_URL"])
@pytest.mark.parametrize(
    "given",
    [
        "amqp://anna:s3cret@one/;amqp://anna:s3cret@two/",
        "amqp://anna:s3cret@one:port/",
        "amqp://anna:s3cret@one:0/",
        "amqp://anna:s3cret@one/?heartbeat=5",
        "amqp://anna@one/",
        "amqp://anna:s3cret@one/#2",
    ],
)
def test_what_not_all_parts_can_read_is_refused_without_showing_the_password(given: str, name: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name} ") as refused:
        Settings.from_env({name: given})
    assert SECRET not in str(refused.value)


def test_an_address_is_shown_without_its_password() -> None:
    assert without_password("amqps://anna:s3cret@broker:1/lab") == "amqps://anna@broker:1/lab"
    assert without_password("amqp://broker/") == "amqp://broker/"
