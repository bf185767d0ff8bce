import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from experiments.model import Usage
from experiments.plan import Arm
from experiments.usage import UsageMeter, api_server, local_nodes, read_nodes
from harness.node import RabbitNode
from lab.delivery import Delivery
from lab.settings import Settings
from tests.unit.experiments.test_equalise import Crew
from transports.control import ControlError, WorkerUsage

CELERY, SYNC = Arm(method="celery"), Arm(method="sync")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a lab whose broker is away."""
    nowhere = "http://127.0.0.1:1/"
    return Settings.from_env(
        {"LAB_VAR": str(tmp_path), "RMQ_URL": "amqp://u:p@127.0.0.1:1/", "LAB_MANAGEMENT_URL": nowhere}
    )


class Told(Crew):
    """Workers that tell what they have used, one list for each time that they are asked."""

    def __init__(self, *answers: Sequence[WorkerUsage]) -> None:
        super().__init__("celery")
        self.answers = list(answers)
        self.asked: list[int | None] = []

    def usage(  # type: ignore[override]
        self, *, enough: int | None = None, timeout: float = 1.0
    ) -> list[WorkerUsage]:
        self.asked.append(enough)
        if not self.answers:
            raise ControlError("away")
        return list(self.answers.pop(0))


def told(pid: int = 1, delivery: str = "safe", **figures: float) -> WorkerUsage:
    return WorkerUsage.model_validate({"name": f"w{pid}", "pid": pid, "delivery": delivery, **figures})


def between(settings: Settings, control: Told, arm: Arm = CELERY) -> dict[str, Usage]:
    meter = UsageMeter({"celery": control}, settings)
    meter.begin(arm)
    return meter.end()


def test_the_workers_of_the_arm_are_added_up(settings: Settings) -> None:
    control = Told(
        [
            told(1, cpu_seconds=1.0, bytes_in=10, memory=90),
            told(2, cpu_seconds=5.0, bytes_in=20, memory=90),
            told(3, "naive", cpu_seconds=1),
        ],
        [
            told(1, cpu_seconds=1.5, bytes_in=110, memory=7),
            told(2, cpu_seconds=6.0, bytes_in=25, memory=8),
            told(3, "naive", cpu_seconds=90),
        ],
    )
    used = between(settings, control)["workers"]
    assert used == Usage(cpu_seconds=1.5, bytes_in=105, memory=15)
    assert control.asked == [None, 3]  # the second time, three answers are enough


def test_what_the_workers_have_begun_and_the_clock_that_is_most_off_are_told(settings: Settings) -> None:
    control = Told(
        [told(1, begun=5, clock_offset=0.001), told(2, begun=1)],
        [told(1, begun=105, clock_offset=-0.06), told(2, begun=31, clock_offset=0.02)],
    )
    meter = UsageMeter({"celery": control}, settings)
    meter.begin(CELERY)
    meter.end()
    assert (meter.disturbance().others, meter.disturbance().clock_offset) == (130, -0.06)


def test_where_others_answer_at_the_end_than_at_the_begin_nothing_is_known_of_the_workers(
    settings: Settings,
) -> None:
    one, both = [told(1, cpu_seconds=1.0)], [told(1, cpu_seconds=2.0), told(2, cpu_seconds=100.0)]
    assert between(settings, Told(one, both, both))["workers"] == Usage()
    assert between(settings, Told(both, one, one))["workers"] == Usage()


def test_who_misses_a_question_is_asked_again(settings: Settings) -> None:
    before, after = ([told(n, cpu_seconds=n + more) for n in (1, 2)] for more in (0.0, 0.5))
    control = Told(before, after[:1], after)
    assert between(settings, control)["workers"].cpu_seconds == 1.0
    assert control.asked[-1] is None


def test_fewer_answers_do_not_lower_how_many_are_waited_for(settings: Settings) -> None:
    both, one = [told(1), told(2)], [told(1)]
    control = Told(both, both, one, one)
    meter = UsageMeter({"celery": control}, settings)
    for _ in range(2):
        meter.begin(CELERY)
        meter.end()
    assert control.asked == [None, 2, 2, 2]


def test_what_began_to_count_anew_is_unknown(settings: Settings) -> None:
    control = Told([told(cpu_seconds=1.0, bytes_in=100)], [told(cpu_seconds=2.0, bytes_in=3)])
    used = between(settings, control)["workers"]
    assert (used.cpu_seconds, used.bytes_in) == (1.0, None)


def test_where_nobody_answers_nothing_is_known(settings: Settings) -> None:
    assert between(settings, Told())["workers"] == Usage()


def test_a_method_without_workers_has_no_such_part(settings: Settings) -> None:
    used = between(settings, Told(), SYNC)
    assert set(used) == {"publisher", "api", "broker"}
    assert used["broker"] == Usage()


def test_this_process_and_its_connections_to_the_broker_are_the_publisher(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        here = settings.with_(rmq_url=f"amqp://u:p@127.0.0.1:{server.getsockname()[1]}/")
        with socket.create_connection(server.getsockname()) as client:
            other, _ = server.accept()
            meter = UsageMeter({}, here)
            meter.begin(SYNC)
            sum(range(5_000_000))
            client.sendall(b"x" * 1000)
            assert other.recv(1000, socket.MSG_WAITALL)
            other.sendall(b"y" * 77)
            client.recv(1000)
            used = meter.end()["publisher"]
            other.close()
    assert (used.bytes_in, used.bytes_out) == (77, 1000)
    assert used.cpu_seconds is not None
    assert 0.01 <= used.cpu_seconds < 10
    assert (used.memory or 0) > 1_000_000


def test_a_meter_that_was_not_begun_says_so(settings: Settings) -> None:
    with pytest.raises(RuntimeError):
        UsageMeter({}, settings).end()


@pytest.fixture
def server() -> Iterator[subprocess.Popen[str]]:
    """A process named gunicorn, whose child tells the id of the server that it finds above itself."""
    inner = "import sys; from experiments.usage import api_server; print(api_server(), flush=True); sys.stdin.read()"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    process = subprocess.Popen(
        [sys.executable, "-c", outer, "gunicorn"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield process
    process.communicate()


def test_the_api_is_the_gunicorn_above(server: subprocess.Popen[str]) -> None:
    assert server.stdout
    assert int(server.stdout.readline()) == server.pid


def test_without_one_above_there_is_no_api_to_look_at() -> None:
    assert api_server() is None


def test_a_broker_on_this_machine_is_looked_at_itself(node: RabbitNode, settings: Settings) -> None:
    here = settings.with_(rmq_url=node.url, management_api_url=node.management_url)
    deadline = time.monotonic() + 20
    while not (
        pids := local_nodes(here, read_nodes(here))
    ):  # a node tells its id some seconds after its start
        assert time.monotonic() < deadline
        time.sleep(0.2)
    (pid,) = pids
    assert "beam" in Path(f"/proc/{pid}/comm").read_text()
    meter = UsageMeter({}, here)
    meter.begin(SYNC)
    used = meter.end()["broker"]
    assert used.cpu_seconds is not None
    assert (used.memory or 0) > 10_000_000


def test_an_id_of_another_machine_or_program_is_not_taken_for_the_brokers(settings: Settings) -> None:
    mine = [{"os_pid": str(os.getpid())}]
    assert local_nodes(settings, mine) == []
    elsewhere = settings.with_(rmq_url="amqp://u:p@rmq/")
    assert local_nodes(elsewhere, mine) == []
    assert local_nodes(settings, [{"os_pid": "none"}, {}]) == []


def test_without_the_management_api_nothing_is_known_of_nodes(settings: Settings) -> None:
    assert read_nodes(settings) == []


def test_nothing_is_known_of_workers_that_nobody_can_ask(settings: Settings) -> None:
    naive = Arm(method="celery", delivery=Delivery.NAIVE)
    used = between(settings, Told([told(cpu_seconds=1.0)], [told(cpu_seconds=2.0)]), naive)
    assert used["workers"] == Usage()


def test_workers_that_were_not_there_at_the_begin_have_restarted(settings: Settings) -> None:
    before, after = [told(1), told(2)], [told(1), told(3)]
    meter = UsageMeter({"celery": Told(before, after, after)}, settings)
    meter.begin(CELERY)
    meter.end()
    assert meter.disturbance().restarts == 1


def test_what_other_programs_took_of_the_machine_is_told_where_all_parts_are_seen(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def share(used: dict[str, Usage]) -> float | None:
        machine = iter([(100.0, 10.0), (100.0 + 3.0 * (os.cpu_count() or 1), 20.0)])
        monkeypatch.setattr("experiments.usage.machine_seconds", lambda: next(machine))
        meter = UsageMeter({}, settings)
        parts = iter([{part: Usage(cpu_seconds=0.0, memory=1) for part in used}, used])
        monkeypatch.setattr(meter, "_others_now", lambda: next(parts))
        meter.begin(SYNC)
        meter.end()
        return meter.disturbance().foreign

    cores = os.cpu_count() or 1
    assert share({"api": Usage(cpu_seconds=1.0 * cores)}) == pytest.approx(0.2)
    assert share({"api": Usage(cpu_seconds=1.0 * cores), "broker": Usage()}) is None
