"""A TCP proxy on loopback that stands between two parts of the lab and misbehaves on request."""

from __future__ import annotations

import contextlib
import queue
import selectors
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, Self
from urllib.parse import urlsplit, urlunsplit

from harness.ports import free_port

HOST: Final = "127.0.0.1"
CHUNK: Final = 65536
MOST_WAITING: Final = 1 << 20
COMMAND_SECONDS: Final = 10.0


class _Flow:
    """One direction of one connection: what was read from `source` and waits to go to `sink`."""

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self.source, self.sink = source, sink
        self.waiting: deque[tuple[float, bytes]] = deque()
        self.size = 0
        self.next_at = 0.0
        self.source_ended = False
        self.sink_ended = False

    @property
    def reads(self) -> bool:
        return not self.source_ended and self.size < MOST_WAITING

    def due(self) -> float | None:
        """When the next bytes, or the end, may go on; None where nothing waits."""
        if self.waiting:
            return max(self.waiting[0][0], self.next_at)
        return self.next_at if self.source_ended and not self.sink_ended else None

    def read(self, latency: float) -> None:
        """Takes what is there. Raises OSError where the connection broke."""
        data = self.source.recv(CHUNK)
        if data:
            self.waiting.append((time.monotonic() + latency, data))
            self.size += len(data)
        else:
            self.source_ended = True

    def write(self, rate: float | None) -> None:
        """Passes on what is due. Raises OSError where the connection broke."""
        if not self.waiting:
            self.sink_ended = True
            self.sink.shutdown(socket.SHUT_WR)
            return
        due, data = self.waiting.popleft()
        sent = self.sink.send(data if rate is None else data[: max(1, int(rate / 20))])
        self.size -= sent
        if sent < len(data):
            self.waiting.appendleft((due, data[sent:]))
        if rate is not None:
            self.next_at = max(time.monotonic(), self.next_at) + sent / rate


class _Link:
    """One accepted connection and its counterpart."""

    def __init__(self, client: socket.socket, target: socket.socket) -> None:
        self.ends = (client, target)
        self.flows = (_Flow(client, target), _Flow(target, client))

    def close(self, reset: bool) -> None:
        for end in self.ends:
            if reset:
                # No linger and no time to linger: the close sends RST (socket(7), SO_LINGER).
                with contextlib.suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.close()


class TcpProxy:
    """Forwards connections made to 127.0.0.1:`port` to `target_host`:`target_port`, both ways.

    `listen_port` is a free port where none is given, fixed for this object's life. As a context manager
    it starts on entry and stops on exit. Its methods may be called from any thread; each returns when
    what it asks is in force, and raises RuntimeError while the proxy does not run.

    One thread owns all sockets, so that nothing is half changed while bytes pass.
    """

    def __init__(self, target_host: str, target_port: int, listen_port: int | None = None) -> None:
        self.target = (target_host, target_port)
        self.port = listen_port or free_port(HOST)
        self._dark = self._ending = False
        self._latency = 0.0
        self._rate: float | None = None
        self._listener: socket.socket | None = None
        self._links: list[_Link] = []
        self._commands: queue.SimpleQueue[tuple[Callable[[], None], Future[None]]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    @property
    def connections(self) -> int:
        """How many connections pass through at this moment."""
        return len(self._links)

    def url(self, url: str) -> str:
        """`url` (AMQP or HTTP, with or without user and password) with this proxy as its host and port."""
        parts = urlsplit(url)
        login, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{login}{at}{HOST}:{self.port}"))

    def start(self) -> Self:
        """Listen and forward. OSError where the port is taken, RuntimeError where it runs already."""
        if self._thread is not None:
            raise RuntimeError("the proxy runs already")
        self._ending = False
        self._listen()
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name=f"proxy {self.port}", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Close everything; does nothing where it does not run."""
        if self._thread is not None:
            self._call(lambda: self._close_all(ending=True))
            self._thread.join(COMMAND_SECONDS)
            self._thread = None
            for part in (self._wake_read, self._wake_write, self._selector):
                part.close()

    def latency(self, seconds: float) -> None:
        """From now on hold back what passes for `seconds`, in each direction."""
        self._call(lambda: setattr(self, "_latency", seconds))

    def slow(self, bytes_per_second: float) -> None:
        """From now on let each connection pass so many bytes a second in each direction."""
        self._call(lambda: setattr(self, "_rate", bytes_per_second))

    def reset(self) -> None:
        """Break all present connections with RST at both ends; new ones are welcome."""
        self._call(lambda: self._drop_all(reset=True))

    def cut(self) -> None:
        """Close all connections and refuse new ones, until `heal`."""
        self._call(self._close_all)

    def blackhole(self) -> None:
        """Keep all connections and let new ones be made, but pass nothing on, until `heal`.

        What is sent meanwhile waits in the kernel's buffers, and ends are not told to the other side.
        """
        self._call(lambda: setattr(self, "_dark", True))

    def heal(self) -> None:
        """Undo `cut`, `blackhole`, `latency` and `slow`. OSError where the port was lost meanwhile."""
        self._call(self._mend)

    def _call(self, work: Callable[[], None]) -> None:
        if self._thread is None:
            raise RuntimeError("the proxy does not run")
        done: Future[None] = Future()
        self._commands.put((work, done))
        self._wake_write.send(b".")
        done.result(COMMAND_SECONDS)

    def _run(self) -> None:
        while not self._ending:
            for key, events in self._selector.select(self._arrange()):
                self._handle(key.fileobj, events)

    def _arrange(self) -> float:
        """Says what to wait for; returns for how many seconds at most."""
        wanted: dict[socket.socket, int] = {self._wake_read: selectors.EVENT_READ}
        wait = 60.0
        if not self._dark:
            if self._listener is not None:
                wanted[self._listener] = selectors.EVENT_READ
            now = time.monotonic()
            for link in self._links:
                for flow in link.flows:
                    if flow.reads:
                        wanted[flow.source] = wanted.get(flow.source, 0) | selectors.EVENT_READ
                    due = flow.due()
                    if due is not None and due <= now:
                        wanted[flow.sink] = wanted.get(flow.sink, 0) | selectors.EVENT_WRITE
                    elif due is not None:
                        wait = min(wait, due - now)
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket) and wanted.get(key.fileobj) == key.events:
                del wanted[key.fileobj]
            else:
                self._selector.unregister(key.fileobj)
        for end, events in wanted.items():
            self._selector.register(end, events)
        return wait

    def _handle(self, end: object, events: int) -> None:
        if end is self._wake_read:
            self._obey()
        elif self._listener is not None and end is self._listener:
            self._accept(self._listener)
        else:
            link = next((link for link in self._links if end in link.ends), None)
            if link is not None and not self._dark:
                self._pass_on(link, end, events)

    def _obey(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._wake_read.recv(CHUNK):
                continue
        while not self._commands.empty():
            work, done = self._commands.get()
            try:
                done.set_result(work())
            except Exception as error:
                done.set_exception(error)

    def _accept(self, listener: socket.socket) -> None:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        target = socket.socket(socket.AF_INET6 if ":" in self.target[0] else socket.AF_INET)
        for end in (client, target):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        target.connect_ex(self.target)
        self._links.append(_Link(client, target))

    def _pass_on(self, link: _Link, end: object, events: int) -> None:
        now = time.monotonic()
        try:
            for flow in link.flows:
                with contextlib.suppress(BlockingIOError):
                    if flow.source is end and events & selectors.EVENT_READ and flow.reads:
                        flow.read(self._latency)
                    due = flow.due()
                    if flow.sink is end and events & selectors.EVENT_WRITE and due is not None and due <= now:
                        flow.write(self._rate)
        except OSError:
            self._drop(link, reset=True)
            return
        if all(flow.sink_ended for flow in link.flows):
            self._drop(link, reset=False)

    def _drop(self, link: _Link, reset: bool) -> None:
        for end in link.ends:
            self._forget(end)
        self._links.remove(link)
        link.close(reset)

    def _drop_all(self, reset: bool) -> None:
        for link in list(self._links):
            self._drop(link, reset)

    def _mend(self) -> None:
        if self._listener is None:
            self._listen()
        self._dark, self._latency, self._rate = False, 0.0, None

    def _listen(self) -> None:
        listener = socket.socket()
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((HOST, self.port))
            listener.listen(128)
            listener.setblocking(False)
        except OSError:
            listener.close()
            raise
        self._listener = listener

    def _close_all(self, ending: bool = False) -> None:
        self._ending = ending
        self._drop_all(reset=False)
        if self._listener is not None:
            self._forget(self._listener)
            self._listener.close()
            self._listener = None

    def _forget(self, end: socket.socket) -> None:
        with contextlib.suppress(KeyError):
            self._selector.unregister(end)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
