"""A TCP proxy on loopback that stands between two parts of the lab and misbehaves on request."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, Self
from urllib.parse import urlsplit, urlunsplit

from harness.ports import free_port

HOST: Final = "127.0.0.1"
CHUNK: Final = 65536
MOST_CHUNKS: Final = 16
COMMAND_SECONDS: Final = 10.0

_Waiting = asyncio.Queue[tuple[float, bytes]]
_Link = list[asyncio.StreamWriter]


class TcpProxy:
    """Forwards connections made to 127.0.0.1:`port` to `target_host`:`target_port`, both ways.

    `listen_port` is a free port where none is given, fixed for this object's life. As a context manager
    it starts on entry and stops on exit. Its methods may be called from any thread; each returns when
    what it asks is in force, and raises RuntimeError while the proxy does not run.

    One thread with an event loop owns all sockets, so that nothing is half changed while bytes pass.
    """

    def __init__(self, target_host: str, target_port: int, listen_port: int | None = None) -> None:
        self.target = (target_host, target_port)
        self.port = listen_port or free_port(HOST)
        self._latency = 0.0
        self._rate: float | None = None
        self._server: asyncio.Server | None = None
        self._links: dict[asyncio.Task[Any], _Link] = {}
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
        self._loop = asyncio.new_event_loop()
        self._light = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy {self.port}", daemon=True)
        self._thread.start()
        try:
            self._call(self._mend)
        except OSError:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Close everything; does nothing where it does not run."""
        if self._thread is not None:
            self._call(self._close_all)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(COMMAND_SECONDS)
            self._thread = None
            self._loop.close()

    def latency(self, seconds: float) -> None:
        """From now on hold back what passes for `seconds`, in each direction."""
        self._call(self._set, seconds, self._rate)

    def slow(self, bytes_per_second: float) -> None:
        """Limit each connection to this many bytes a second in each direction from now on."""
        self._call(self._set, self._latency, bytes_per_second)

    def reset(self) -> None:
        """Break all present connections with RST at both ends; new ones are welcome."""
        self._call(self._drop_all, True)

    def cut(self) -> None:
        """Close all connections and refuse new ones, until `heal`."""
        self._call(self._close_all)

    def blackhole(self) -> None:
        """Keep all connections and let new ones be made, but pass nothing on, until `heal`.

        What is sent meanwhile waits in buffers, and ends are not told to the other side.
        """
        self._call(self._darken)

    def heal(self) -> None:
        """Undo `cut`, `blackhole`, `latency` and `slow`. OSError where the port was lost meanwhile."""
        self._call(self._mend)

    def _call(self, work: Callable[..., Coroutine[Any, Any, None]], *arguments: Any) -> None:
        if self._thread is None:
            raise RuntimeError("the proxy does not run")
        asyncio.run_coroutine_threadsafe(work(*arguments), self._loop).result(COMMAND_SECONDS)

    async def _set(self, latency: float, rate: float | None) -> None:
        self._latency, self._rate = latency, rate

    async def _darken(self) -> None:
        self._light.clear()

    async def _mend(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, HOST, self.port, limit=CHUNK)
        self._latency, self._rate = 0.0, None
        self._light.set()

    async def _close_all(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._drop_all(False)

    async def _drop_all(self, reset: bool) -> None:
        links = dict(self._links)
        for task, ends in links.items():
            if reset:
                _reset_at_close(ends)
            task.cancel()
        await asyncio.gather(*links, return_exceptions=True)
        await asyncio.sleep(0)  # the loop closes an aborted connection in its next round

    def _accept(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        ends = [client]
        task = self._loop.create_task(self._serve(reader, client, ends))
        self._links[task] = ends
        task.add_done_callback(self._links.pop)

    async def _serve(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter, ends: _Link) -> None:
        try:
            await self._light.wait()
            answers, target = await asyncio.open_connection(*self.target, limit=CHUNK)
            ends.append(target)
            async with asyncio.TaskGroup() as group:
                for source, sink in ((reader, target), (answers, client)):
                    waiting = _Waiting(MOST_CHUNKS)
                    group.create_task(self._read(source, waiting))
                    group.create_task(self._write(waiting, sink))
            for end in ends:
                end.close()
                await end.wait_closed()
        except* OSError:
            _reset_at_close(ends)
        finally:
            for end in ends:
                end.transport.abort()

    async def _read(self, source: asyncio.StreamReader, waiting: _Waiting) -> None:
        data = b"first"
        while data:
            try:
                data = await source.read(CHUNK)
            except OSError:
                await self._light.wait()
                raise
            await waiting.put((time.monotonic() + self._latency, data))

    async def _write(self, waiting: _Waiting, sink: asyncio.StreamWriter) -> None:
        while True:
            due, data = await waiting.get()
            await asyncio.sleep(max(0.0, due - time.monotonic()) if data else 0.0)
            await self._light.wait()
            if not data:
                sink.write_eof()
                return
            while data:
                rate = self._rate
                part = data if rate is None else data[: max(1, int(rate / 20))]
                data = data[len(part) :]
                sink.write(part)
                await sink.drain()
                await asyncio.sleep(len(part) / rate if rate else 0.0)
                await self._light.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def _reset_at_close(ends: _Link) -> None:
    """Has a close send RST: no linger and no time to linger (socket(7), SO_LINGER)."""
    for end in ends:
        with contextlib.suppress(OSError):
            end.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
