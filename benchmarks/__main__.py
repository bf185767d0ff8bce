"""Runs the benchmarks, prints one table, and writes `benchmarks/results/latest.json`."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import psutil

from benchmarks import ceilings, fanout, labs, latency, outside, page, peers, relays, table, turns
from benchmarks.contender import Contender, Row
from benchmarks.stand import RESULTS, Stand
from harness.node import NodeError, RabbitNode
from lab.broker.installed import installed

CONTENDERS: Final[list[Contender]] = [
    *ceilings.CONTENDERS,
    *peers.CONTENDERS,
    *outside.CONTENDERS,
    *labs.CONTENDERS,
    *relays.CONTENDERS,
    *latency.CONTENDERS,
    *page.CONTENDERS,
    *fanout.CONTENDERS,
]
PACKAGES: Final = (
    "celery", "kombu", "pika", "dramatiq", "taskiq", "taskiq-aio-pika", "aio-pika", "flask", "sqlalchemy", "gunicorn",
)  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """What was asked for, in one go; 0 when all of it ran."""
    options = _parser().parse_args(arguments)
    if options.list:
        print("\n".join(f"{one.key:<28} {one.title}" for one in CONTENDERS))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # through all that ends what was started
    chosen = select((options.profile or options.only or "").split(","))
    if not chosen or not installed():
        print(
            "bench: RabbitMQ is not installed" if chosen else "bench: no row has such a name", file=sys.stderr
        )
        return 1
    begin = time.monotonic()
    rounds, again = (1, 0) if options.profile else (options.rounds, options.again)
    folder = Path(tempfile.mkdtemp(prefix="lab-bench-"))
    try:
        with RabbitNode(folder / "rmq", management=options.management) as node:
            stand = Stand(node, folder, options.limit, profile=options.profile)
            rows = turns.run(chosen, stand, rounds, options.jobs, again, tell=_tell)
    except NodeError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    finally:
        if options.keep:
            print(f"logs and data: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    if not options.profile:
        write(rows, stand.rabbitmq)
    print("\n" + "\n".join([*table.lines(rows), "", *(table.markdown(rows) if options.markdown else [])]))
    print(f"\n{time.monotonic() - begin:.0f} s; written to {_shown(RESULTS)}")
    return 0 if all(row.values or row.skipped for row in rows) else 1


def select(words: Sequence[str]) -> list[Contender]:
    """The contenders that `words` name: one by its whole name, or all whose names contain the word."""
    names = {one.key for one in CONTENDERS}
    return [
        one
        for one in CONTENDERS
        if any(word == one.key or (word not in names and word in one.key) for word in words)
    ]


def write(rows: list[Row], rabbitmq: str) -> None:
    """Writes `latest.json`."""
    RESULTS.mkdir(exist_ok=True)
    found = {
        "ratios": table.ratios(rows),
        "rows": [row.to_json() for row in rows],
        "machine": machine(rabbitmq),
    }
    (RESULTS / "latest.json").write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")


def machine(rabbitmq: str) -> dict[str, Any]:
    """What it ran on: processors, memory, system, versions; `rabbitmq` is the broker's."""
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "rabbitmq": rabbitmq,
        **{
            one.name: one.version
            for one in importlib.metadata.distributions()
            if one.name.lower() in PACKAGES
        },
    }


def _shown(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _tell(line: str) -> None:
    print(line, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--list", action="store_true", help="name the rows and end")
    parser.add_argument(
        "--only", metavar="WORDS", help="only rows whose names contain one of these: consumer,relay"
    )
    parser.add_argument("--rounds", type=int, default=3, help="how often each row is measured (default 3)")
    parser.add_argument("--jobs", type=int, help="jobs for each row, instead of its own number")
    parser.add_argument(
        "--again",
        type=int,
        default=turns.AGAIN,
        help="how often a run is repeated that others disturbed (default 2)",
    )
    parser.add_argument(
        "--limit", type=float, default=30.0, help="seconds after which a run is taken as it is (default 30)"
    )
    parser.add_argument(
        "--profile", metavar="ROW", help="run this row once under py-spy; profiles go to benchmarks/results/"
    )
    parser.add_argument(
        "--management", action="store_true", help="run RabbitMQ's management plugin as well, as make up does"
    )
    parser.add_argument("--markdown", action="store_true", help="print the tables for README.md as well")
    parser.add_argument("--keep", action="store_true", help="keep the folder with logs and data")
    return parser


if __name__ == "__main__":
    sys.exit(main())
