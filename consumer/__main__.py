"""Starts the hand-written worker: `python -m consumer --concurrency 3`."""

import argparse
import gc
import logging
import signal
import socket
import sys
from pathlib import Path

from consumer.connection import Consumer
from consumer.control import Control
from consumer.handler import Handler
from consumer.runner import Runner
from lab.files import TaskFiles
from lab.logs import DATE_FORMAT, LOG_FORMAT, JobLog
from lab.reporter import Reporter
from lab.settings import Settings, SettingsError
from lab.spool import Spool
from lab.task_api import TaskAPI
from lab.untracked import Untracked


def main(arguments: list[str] | None = None) -> int:
    """Consumes until SIGTERM or SIGINT, finishes what it holds, and returns the exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=options.loglevel.upper(), format=LOG_FORMAT, datefmt=DATE_FORMAT)
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    try:
        settings = Settings.from_env()
    except SettingsError as error:
        print(f"consumer: {error}", file=sys.stderr)
        return 1
    name = options.hostname.replace("%h", socket.gethostname())
    reporter: Reporter | Untracked = Untracked()
    if settings.tracked:
        reporter = Reporter(settings.api_url, Spool(settings.spool))
    reporter.start()
    handler = Handler(
        lambda job, attempt, again: reporter.for_job(job, name, attempt, redelivered=again),
        JobLog("RabbitMQ Consumer consumer", settings.log_language),
        lambda job: TaskFiles(settings.api_url, job.task_id, job.token),
        lambda job: TaskAPI(settings.api_url, job.task_id, job.token),
        settings.places,
        reporter,
    )
    alive = options.alive_file.touch if options.alive_file else lambda: None
    runner = Runner(handler, options.concurrency, reporter.is_cancelled)
    consumer = Consumer(
        settings.rmq_url,
        settings.delivery,
        handler,
        runner,
        Control(
            name,
            settings.delivery,
            runner,
            reporter.cancel,
            look=lambda: consumer.look(),
            traffic=lambda: consumer.traffic(),
            prefetch=lambda: consumer.prefetch,
        ).obey,
        options.grace,
        alive,
        options.prefetch,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: consumer.stop())
    gc.freeze()  # what is here stays: the collector need not go through it again and again
    gc.set_threshold(10_000, 50, 50)
    consumer.run()
    logging.getLogger("consumer").info("stopped")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m consumer", description=__doc__)
    parser.add_argument(
        "-c", "--concurrency", type=_at_least_one, default=3, metavar="N", help="jobs at once (default 3)"
    )
    parser.add_argument(
        "--prefetch",
        type=_at_least_one,
        default=0,
        metavar="N",
        help="messages held at most (default: as many as jobs at once); more of them is faster where jobs are"
        " short, and keeps them from other workers where they are long",
    )
    parser.add_argument(
        "-n", "--hostname", default="consumer@%h", metavar="NAME", help="the worker's name; %%h is the host"
    )
    parser.add_argument(
        "--grace",
        type=float,
        default=25.0,
        metavar="SECONDS",
        help="how long running jobs may take to end when the worker is stopped (default 25)",
    )
    parser.add_argument(
        "--alive-file",
        type=Path,
        metavar="PATH",
        help="a file to touch while the broker's connection is served, for health checks",
    )
    parser.add_argument(
        "-l", "--loglevel", default="info", choices=["debug", "info", "warning", "error", "critical"]
    )
    return parser


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("takes a number from 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
