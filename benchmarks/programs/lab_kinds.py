"""Makes the benchmarks' functions kinds of jobs of the lab, in whichever of its programs imports this."""

from benchmarks.programs import work
from lab.jobs.context import Context
from lab.jobs.kinds import KINDS


def bench_tick(context: Context, serial: int) -> None:  # noqa: ARG001 - as every kind is called
    """`work.tick` as a job; `serial` differs for each."""
    work.tick()


def bench_stamp(context: Context, sent_ns: int) -> None:  # noqa: ARG001 - as every kind is called
    """`work.stamp` as a job."""
    work.stamp(sent_ns)


KINDS.update(bench_tick=bench_tick, bench_stamp=bench_stamp)
