import contextlib
import errno
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from harness.proxy import TcpProxy


class Echo:
    """A server that sends back what it gets, and the end after the end."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.endings: list[str] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self.listener.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._serve, args=(accepted,), daemon=True))
            self._threads[-1].start()

    def _serve(self, accepted: socket.socket) -> None:
        with accepted:
            try:
                while data := accepted.recv(65536):
                    accepted.sendall(data)
                self.endings.append("end")
            except OSError as error:
                self.endings.append(errno.errorcode.get(error.errno or 0, "?"))

    def wait_for_ending(self) -> str:
        deadline = time.monotonic() + 5
        while not self.endings:
            assert time.monotonic() < deadline, "the server's connection does not end"
            time.sleep(0.01)
        return self.endings[0]

    def close(self) -> None:
        # A thread in accept() is woken by shutdown, not by close.
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self._threads:
            thread.join(5)


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[TcpProxy]:
    with TcpProxy("127.0.0.1", echo.port) as running:
        yield running


@contextlib.contextmanager
def dial(proxy: TcpProxy, timeout: float = 5.0) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout) as client:
        yield client


def ask(client: socket.socket, data: bytes = b"ping") -> bytes:
    client.sendall(data)
    return receive(client, len(data))


def receive(client: socket.socket, size: int) -> bytes:
    got = b""
    while len(got) < size:
        part = client.recv(65536)
        assert part, f"the connection ended after {len(got)} bytes"
        got += part
    return got


def wait_for_connections(proxy: TcpProxy, count: int) -> None:
    deadline = time.monotonic() + 5
    while proxy.connections != count:
        assert time.monotonic() < deadline, proxy.connections
        time.sleep(0.01)


def test_bytes_pass_both_ways(proxy: TcpProxy) -> None:
    with dial(proxy) as one, dial(proxy) as two:
        assert ask(one) == b"ping"
        assert ask(two, b"pong") == b"pong"
        assert proxy.connections == 2
    wait_for_connections(proxy, 0)


def test_much_passes_whole_and_in_order(proxy: TcpProxy) -> None:
    data = bytes(range(256)) * 40_000
    with dial(proxy, 20) as client:
        sender = threading.Thread(target=client.sendall, args=(data,))
        sender.start()
        assert receive(client, len(data)) == data
        sender.join()


def test_the_end_of_one_direction_is_passed_on_and_the_other_goes_on(proxy: TcpProxy, echo: Echo) -> None:
    with dial(proxy) as client:
        client.sendall(b"last words")
        client.shutdown(socket.SHUT_WR)
        assert receive(client, 10) == b"last words"
        assert client.recv(1) == b""
    assert echo.wait_for_ending() == "end"


def test_latency_holds_back_each_direction(proxy: TcpProxy) -> None:
    with dial(proxy) as client:
        ask(client)
        proxy.latency(0.15)
        begin = time.monotonic()
        ask(client)
        assert 0.3 <= time.monotonic() - begin < 1.0
        proxy.heal()
        begin = time.monotonic()
        ask(client)
        assert time.monotonic() - begin < 0.15


def test_latency_delays_chunks_side_by_side(proxy: TcpProxy) -> None:
    proxy.latency(0.2)
    with dial(proxy) as client:
        begin = time.monotonic()
        for _ in range(10):
            client.sendall(b"x" * 10)
            time.sleep(0.01)
        assert receive(client, 100) == b"x" * 100
        assert time.monotonic() - begin < 1.5


def test_a_slow_line_passes_so_many_bytes_a_second(proxy: TcpProxy) -> None:
    proxy.slow(20_000)
    with dial(proxy) as client:
        begin = time.monotonic()
        ask(client, b"x" * 10_000)
        assert 0.4 <= time.monotonic() - begin < 2.0


def test_a_reset_breaks_both_ends_and_new_connections_are_welcome(proxy: TcpProxy, echo: Echo) -> None:
    with dial(proxy) as client:
        ask(client)
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    assert echo.wait_for_ending() == "ECONNRESET"
    with dial(proxy) as client:
        assert ask(client) == b"ping"


def test_a_cut_line_closes_and_refuses_until_it_is_healed(proxy: TcpProxy, echo: Echo) -> None:
    with dial(proxy) as client:
        ask(client)
        proxy.cut()
        assert client.recv(1) == b""
    assert echo.wait_for_ending() == "end"
    with pytest.raises(ConnectionRefusedError), dial(proxy):
        pass
    proxy.heal()
    with dial(proxy) as client:
        assert ask(client) == b"ping"


def test_a_black_hole_keeps_old_and_new_connections_and_says_nothing(proxy: TcpProxy, echo: Echo) -> None:
    with dial(proxy) as old:
        ask(old)
        proxy.blackhole()
        with dial(proxy) as new:
            for client in (old, new):
                client.settimeout(0.3)
                client.sendall(b"anybody?")
                with pytest.raises(TimeoutError):
                    client.recv(1)
            assert echo.endings == []
            proxy.heal()
            for client in (old, new):
                client.settimeout(5)
                assert receive(client, 8) == b"anybody?"


def test_who_leaves_in_the_black_hole_is_missed_only_afterwards(proxy: TcpProxy, echo: Echo) -> None:
    with dial(proxy) as client:
        ask(client)
        proxy.blackhole()
    time.sleep(0.3)
    assert echo.endings == []
    proxy.heal()
    assert echo.wait_for_ending() == "end"


def test_where_nobody_listens_the_client_is_sent_away(echo: Echo) -> None:
    port = echo.port
    echo.close()
    with TcpProxy("127.0.0.1", port) as proxy:
        # The reset may come while the client is still connecting, or with its first read.
        with contextlib.suppress(ConnectionResetError), dial(proxy) as client:
            assert client.recv(1) == b""
        wait_for_connections(proxy, 0)


def test_it_starts_again_on_the_same_port_after_a_stop(echo: Echo) -> None:
    proxy = TcpProxy("127.0.0.1", echo.port)
    for _ in range(2):
        with proxy, dial(proxy) as client:
            assert ask(client) == b"ping"
    proxy.stop()
    with pytest.raises(RuntimeError, match="does not run"):
        proxy.reset()


def test_it_does_not_start_twice_nor_on_a_port_that_is_taken(proxy: TcpProxy) -> None:
    with pytest.raises(RuntimeError, match="runs already"):
        proxy.start()
    with pytest.raises(OSError, match="in use"):
        TcpProxy("127.0.0.1", 1, proxy.port).start()


def test_an_idle_proxy_uses_no_processor_time(proxy: TcpProxy) -> None:
    with dial(proxy) as client:
        ask(client)
        client.shutdown(socket.SHUT_WR)
        for change in (lambda: None, lambda: proxy.latency(5.0), proxy.blackhole):
            change()
            begin = time.process_time()
            time.sleep(0.3)
            assert time.process_time() - begin < 0.15


@pytest.mark.parametrize(
    ("url", "rewritten"),
    [
        ("amqp://student:qwerty@localhost:5672/", "amqp://student:qwerty@127.0.0.1:{port}/"),
        (
            "amqp://a%40b:c@[::1]:5672/%2Fname?heartbeat=5",
            "amqp://a%40b:c@127.0.0.1:{port}/%2Fname?heartbeat=5",
        ),
        ("http://localhost:8080/update/?a=b", "http://127.0.0.1:{port}/update/?a=b"),
        ("https://host/x", "https://127.0.0.1:{port}/x"),
    ],
)
def test_an_address_is_led_through_it(url: str, rewritten: str) -> None:
    proxy = TcpProxy("127.0.0.1", 1)
    assert proxy.url(url) == rewritten.format(port=proxy.port)
