import socket
from collections.abc import Iterator

import pytest

from harness import ports


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_free_default_port_is_taken_without_a_note() -> None:
    free = ports.free_port()
    assert ports.choose(None, free, "PORT") == (free, None)


def test_a_taken_default_port_gives_a_free_one_and_a_note(taken: int) -> None:
    port, note = ports.choose(None, taken, "PORT")
    assert port != taken
    assert not ports.is_taken("127.0.0.1", port)
    assert note == f"Port {taken} is taken, so {port} is used instead (PORT sets another)."


def test_a_taken_port_that_was_asked_for_is_an_error_that_names_the_variable(taken: int) -> None:
    with pytest.raises(ports.PortError, match=rf"^Port {taken} is taken by another program: set PORT to"):
        ports.choose(taken, 8080, "PORT")


def test_a_free_port_that_was_asked_for_is_used() -> None:
    free = ports.free_port()
    assert ports.choose(free, 8080, "PORT") == (free, None)


def test_an_address_that_this_machine_has_not_is_an_error_that_names_the_variable() -> None:
    with pytest.raises(ports.PortError, match=r"^PORT: 192\.0\.2\.1:8080 cannot be used: "):
        ports.choose(None, 8080, "PORT", "192.0.2.1")


def test_a_port_on_every_address_is_taken_on_loopback_too() -> None:
    with socket.socket() as listener:
        listener.bind(("0.0.0.0", 0))
        listener.listen()
        assert ports.is_taken("127.0.0.1", listener.getsockname()[1])


def test_a_connection_that_lingers_after_its_server_does_not_take_the_port() -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        address = listener.getsockname()
        client = socket.create_connection(address)
        served, _ = listener.accept()
        served.close()
        client.close()
    assert not ports.is_taken(*address)


def test_free_ports_are_never_given_twice_and_stay_out_of_the_range_of_outgoing_connections() -> None:
    given = [ports.free_port() for _ in range(50)]
    assert len(set(given)) == len(given)
    assert all(ports.FREE_FROM <= port < ports.FREE_TO for port in given)


@pytest.mark.parametrize("text", ["0", "65536", "-1", "80a", " 80", "8.0", "٨٠"])
def test_what_is_no_port_is_refused_with_the_variables_name(text: str) -> None:
    with pytest.raises(
        ports.PortError, match=r"^LAB_RABBITMQ_PORT=.* is no port: give a number from 1 to 65535\.$"
    ):
        ports.read(text, "LAB_RABBITMQ_PORT")


@pytest.mark.parametrize(("text", "port"), [(None, None), ("", None), ("1", 1), ("65535", 65535)])
def test_a_port_is_read_and_an_empty_variable_counts_as_unset(text: str | None, port: int | None) -> None:
    assert ports.read(text, "PORT") == port
