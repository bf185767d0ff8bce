"""What the parts of a stand use during a repetition: workers, API, broker and anyone who publishes."""

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlsplit

import psutil
import requests

from experiments.model import Disturbance, Usage
from experiments.plan import Arm
from lab.broker import management
from lab.broker.traffic import with_broker
from lab.exposure import is_loopback
from lab.settings import Settings
from lab.usage import cpu_seconds, machine_seconds, memory
from transports.control import Control, ControlError, WorkerUsage

_COUNTED: Final = ("cpu_seconds", "bytes_in", "bytes_out")


class UsageMeter:
    """Asks everybody for their figures before and after; what is between is the repetition's.

    What cannot be seen from here, or began to count from zero in between, is None: so are the workers' figures where
    others answer at the end than at the begin. `cpu_seconds` are counted in ticks of the kernel's clock, 10 ms each.

    Args:
        controls: by method, of the methods with workers.
    """

    def __init__(self, controls: Mapping[str, Control], settings: Settings) -> None:
        self._controls = controls
        self._settings = settings
        self._answering: dict[str, int] = {}
        self._arm: Arm | None = None
        self._workers: dict[tuple[str, int | None], WorkerUsage] = {}
        self._others: dict[str, Usage] = {}
        self._broker_pids: list[int] = []
        self._machine = (0.0, 0.0)
        self._foreign: float | None = None
        self._restarts = 0
        self._begun: int | None = None
        self._clock_offset: float | None = None

    def begin(self, arm: Arm) -> None:
        """Before the first job of a repetition of `arm`: notes the figures."""
        self._arm = arm
        self._restarts, self._begun, self._clock_offset = 0, None, None
        self._workers = self._workers_now(arm)
        self._broker_pids = local_nodes(self._settings, read_nodes(self._settings))
        self._others = self._others_now()
        self._machine = machine_seconds()

    def end(self) -> dict[str, Usage]:
        """After its last job: what "workers" (those of the arm's method and delivery), "api", "broker" and
        "publisher" (this process) have used; "workers" only where the method has any.

        Raises:
            RuntimeError: nothing was begun.
        """
        if self._arm is None:
            raise RuntimeError("the meter was not begun")
        machine, since = machine_seconds()
        used = {part: _between(self._others[part], now) for part, now in self._others_now().items()}
        if self._arm.method in self._controls:
            used["workers"] = self._workers_between(self._arm)
        self._arm = None
        self._foreign = self._share(used, machine - self._machine[0], since - self._machine[1])
        return used

    def disturbance(self) -> Disturbance:
        """What came from outside between the last begin and its end; `others` are all tasks that the workers have
        begun, those of the repetition too."""
        return Disturbance(
            foreign=self._foreign,
            restarts=self._restarts,
            others=self._begun or 0,
            clock_offset=self._clock_offset,
        )

    def _share(self, used: Mapping[str, Usage], spent: float, seconds: float) -> float | None:
        """The share of the processors that went to others than those who have `used` some of the `spent` seconds."""
        own = [part.cpu_seconds for part in used.values()]
        # A database server or Redis would be taken for somebody else.
        seen = self._settings.database_url.startswith("sqlite") and self._settings.celery_on_rabbitmq
        if seconds <= 0 or None in own or not seen:
            return None
        left = spent - sum(part for part in own if part is not None)
        return max(0.0, left / (seconds * (os.cpu_count() or 1)))

    def _workers_between(self, arm: Arm) -> Usage:
        now = self._workers_now(arm)
        if now.keys() != self._workers.keys():
            now |= self._workers_now(arm, everybody=True)
        self._restarts = len(now.keys() - self._workers.keys())
        if now.keys() != self._workers.keys():
            return Usage()  # who missed a question, ended or began: their share of the jobs cannot be told
        begun = [(self._workers[who].begun, told.begun) for who, told in now.items()]
        self._begun = sum(max(0, (after or 0) - (before or 0)) for before, after in begun)
        offsets = [told.clock_offset for told in now.values() if told.clock_offset is not None]
        self._clock_offset = max(offsets, key=abs, default=None)
        return _sum(_between(_plain(self._workers[who]), _plain(told)) for who, told in now.items())

    def _workers_now(self, arm: Arm, *, everybody: bool = False) -> dict[tuple[str, int | None], WorkerUsage]:
        """What those of the arm's workers have used that answer; `everybody` is waited for longer than for as
        many as have answered before."""
        if arm.method not in self._controls:
            return {}
        told: list[WorkerUsage] = []
        enough = None if everybody else self._answering.get(arm.method)
        with suppress(ControlError):
            told = self._controls[arm.method].usage(enough=enough)
        if told:
            self._answering[arm.method] = max(len(told), self._answering.get(arm.method, 0))
        return {(one.name, one.pid): one for one in told if one.delivery == arm.delivery.value}

    def _others_now(self) -> dict[str, Usage]:
        me = os.getpid()
        carried = with_broker(self._settings.rmq_url)
        publisher = Usage(
            cpu_seconds=cpu_seconds(me),
            memory=memory(me),
            bytes_in=carried.bytes_in,
            bytes_out=carried.bytes_out,
        )
        server = api_server()
        api = Usage()
        if server is not None:
            api = Usage(cpu_seconds=cpu_seconds(server, me), memory=memory(server, me))
        return {"publisher": publisher, "api": api, "broker": self._broker_now()}

    def _broker_now(self) -> Usage:
        return _sum(Usage(cpu_seconds=cpu_seconds(pid), memory=memory(pid)) for pid in self._broker_pids)


def api_server() -> int | None:
    """The id of the outermost gunicorn process above this one; None where none is."""
    try:
        above = psutil.Process().parents()
        servers = [one.pid for one in above if any("gunicorn" in word for word in one.cmdline())]
    except psutil.Error:
        return None
    return servers[-1] if servers else None


def read_nodes(settings: Settings) -> list[dict[str, Any]]:
    """The broker's nodes as its management API tells of them; none where it does not answer.
    https://www.rabbitmq.com/docs/http-api-reference#get-apinodes"""
    try:
        told = management.ask(settings, "nodes")
    except requests.RequestException:
        return []
    return [node for node in told if isinstance(node, dict)] if isinstance(told, list) else []


def local_nodes(settings: Settings, nodes: Iterable[Mapping[str, Any]]) -> list[int]:
    """The process ids of those `nodes` that run on this machine, where this process sees them; none where one
    of them does not, since a part of a cluster says nothing of it."""
    if not is_loopback(urlsplit(settings.rmq_url).hostname or ""):
        return []  # an id of another machine may be another program's here
    pids = []
    for node in nodes:
        try:
            process = psutil.Process(int(node["os_pid"]))
            if not process.name().startswith("beam"):
                return []
        except (KeyError, ValueError, TypeError, psutil.Error):
            return []
        pids.append(process.pid)
    return pids


def _plain(told: WorkerUsage) -> Usage:
    return Usage.model_validate(told.model_dump(include=set(Usage.model_fields)))


def _between(before: Usage, after: Usage) -> Usage:
    """What was used from `before` to `after`."""
    found: dict[str, Any] = {"memory": after.memory}
    for name in _COUNTED:
        was, now = getattr(before, name), getattr(after, name)
        found[name] = None if was is None or now is None or now < was else now - was
    return Usage(**found)


def _sum(parts: Iterable[Usage]) -> Usage:
    """The sum; what one of them does not know the sum does not know either."""
    values = [part.model_dump() for part in parts]
    names = Usage.model_fields if values else ()
    sums = {name: [one[name] for one in values] for name in names}
    return Usage(**{name: None if None in found else sum(found) for name, found in sums.items()})
