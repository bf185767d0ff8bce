"""Starts the hand-written worker: `python -m consumer --concurrency 3`; with DELIVERY=naive that many workers by
the tutorial."""

import argparse
import logging
import signal
import socket
import sys
from functools import partial
from pathlib import Path
from threading import Thread

from consumer import processes
from consumer.control import RemoteControl
from consumer.jobs import Jobs
from consumer.overdue import watch
from consumer.worker import Worker
from lab.broker.traffic import with_broker
from lab.delivery import Delivery
from lab.jobs.apart import context_of
from lab.logs import DATE_FORMAT, LOG_FORMAT, JobLog
from lab.reporting.reporter import Reporter
from lab.reporting.spool import Spool
from lab.reporting.untracked import Untracked
from lab.settings import Settings, SettingsError


def main(arguments: list[str] | None = None) -> int:
    """Consumes until SIGTERM or SIGINT, finishes the jobs that run, and returns the exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=options.loglevel.upper(), format=LOG_FORMAT, datefmt=DATE_FORMAT)
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    try:
        settings = Settings.from_env().private()
    except SettingsError as error:
        print(f"consumer: {error}", file=sys.stderr)
        return 1
    name = options.hostname.replace("%h", socket.gethostname())
    if settings.delivery is Delivery.NAIVE:
        command = [sys.executable, "-m", "consumer.tutorial", "--hostname", name]
        processes.run(command, options.concurrency, options.grace)
        return 0
    url = settings.api_url
    reporter = Reporter(url, Spool(settings.spool)) if settings.tracked else Untracked()
    reporter.start()
    jobs = Jobs(
        options.concurrency,
        lambda job, attempt, redelivered: reporter.for_job(job, name, attempt, redelivered=redelivered),
        partial(context_of, settings),
        JobLog("RabbitMQ Consumer consumer", settings.log_language),
        reporter.is_cancelled,
        reporter.clock.now_us,
    )
    Thread(target=watch, args=(jobs, reporter.is_cancelled), daemon=True).start()
    control = RemoteControl(
        name,
        jobs,
        reporter.cancel,
        lambda: with_broker(settings.rmq_url),
        lambda: worker.prefetch,
        lambda: reporter.clock.offset,
    )
    alive = options.alive_file.touch if options.alive_file else lambda: None
    worker = Worker(settings.rmq_url, jobs, control.listen, options.grace, alive, options.prefetch, name)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    worker.run()
    reporter.flush(5.0)
    logging.getLogger("consumer").info("stopped")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m consumer", description=__doc__)
    add = parser.add_argument
    add("-c", "--concurrency", type=_at_least_one, default=3, metavar="N", help="jobs at once (default 3)")
    prefetch = "messages held at most (default: as many as jobs at once)"
    add("--prefetch", type=_at_least_one, default=0, metavar="N", help=prefetch)
    add("-n", "--hostname", default="consumer@%h", metavar="NAME", help="the worker's name; %%h is the host")
    add("-l", "--loglevel", default="info", choices=["debug", "info", "warning", "error", "critical"])
    grace = "how long running jobs may take to end when the worker is stopped (default 25)"
    add("--grace", type=float, default=25.0, metavar="SECONDS", help=grace)
    alive = "a file to touch while the broker's connection is served, for health checks"
    add("--alive-file", type=Path, metavar="PATH", help=alive)
    return parser


def _at_least_one(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError("takes a whole number from 1")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
