"""A worker as RabbitMQ's tutorial on work queues writes it: `python -m consumer.tutorial`.

One job at a time, in the callback; its message is acknowledged afterwards. Nothing reconnects, and an error ends it.
https://www.rabbitmq.com/tutorials/tutorial-two-python
"""

import argparse
import logging
import signal
import socket

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.spec import Basic, BasicProperties

from lab.job import Job, error_text
from lab.jobs.context import Cancelled, Context
from lab.jobs.files import TaskFiles
from lab.jobs.kinds import KINDS
from lab.jobs.task_api import TaskAPI
from lab.logs import DATE_FORMAT, LOG_FORMAT, JobLog
from lab.reporting.plain_reports import PlainReports
from lab.reporting.reporter import Reporter
from lab.reporting.untracked import Untracked
from lab.settings import Settings
from lab.status import TaskStatus

QUEUE = "tasks.naive"

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("-n", "--hostname", default="tutorial@%h", help="the worker's name; %%h is the host")
name = parser.parse_args().hostname.replace("%h", socket.gethostname())

logging.basicConfig(level=logging.INFO, format=LOG_FORMAT, datefmt=DATE_FORMAT)
logging.getLogger("pika").setLevel(logging.CRITICAL)
settings = Settings.from_env()
log = JobLog("RabbitMQ Consumer tutorial", settings.log_language)
stamps = Reporter(settings.api_url) if settings.tracked else Untracked()
reports = PlainReports(settings.api_url, stamps) if settings.tracked else stamps

connection = pika.BlockingConnection(pika.URLParameters(settings.rmq_url))
channel = connection.channel()
channel.queue_declare(QUEUE, durable=True, arguments={"x-queue-type": "classic"})
channel.basic_qos(prefetch_count=1)


def callback(ch: BlockingChannel, method: Basic.Deliver, _: BasicProperties, body: bytes) -> None:
    job = Job.model_validate_json(body)
    attempt = job.attempt + method.redelivered
    report = reports.for_job(job, name, attempt, redelivered=method.redelivered)
    if report(TaskStatus.IN_PROGRESS, progress=0.0).run:
        log.started(job)
        files = TaskFiles(settings.api_url, job.task_id, job.token)
        api = TaskAPI(settings.api_url, job.task_id, job.token)
        context = Context(job.num, attempt, job.time_limit, report, files, api, places=settings.places)
        try:
            result = KINDS[job.kind](context, **job.params)
            report(TaskStatus.DONE, progress=1.0, result=result)
            log.finished(job)
        except Cancelled:
            report(TaskStatus.CANCELLED)
        except Exception as error:
            report(TaskStatus.FAILED, error=error_text(error))
            log.failed(job, error)
    ch.basic_ack(method.delivery_tag)


channel.basic_consume(QUEUE, callback)
signal.signal(signal.SIGTERM, lambda *_: connection.add_callback_threadsafe(channel.stop_consuming))
signal.signal(signal.SIGINT, signal.getsignal(signal.SIGTERM))

print(f"waiting for tasks in {QUEUE}", flush=True)
try:
    channel.start_consuming()
finally:
    stamps.flush(5.0)
