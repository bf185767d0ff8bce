"""The worker of RabbitMQ's tutorial with nothing of the lab: one process, one job at a time, acknowledged after it.

pika_work QUEUE, of the broker BENCH_URL
"""

import json
import os
import sys
import time

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.spec import Basic, BasicProperties

from benchmarks.programs import work


def on_message(channel: BlockingChannel, method: Basic.Deliver, _: BasicProperties, body: bytes) -> None:
    """Runs one job."""
    if seconds := json.loads(body)["seconds"]:
        time.sleep(seconds)
    work.tick()
    channel.basic_ack(method.delivery_tag)


if __name__ == "__main__":
    consuming = pika.BlockingConnection(pika.URLParameters(os.environ["BENCH_URL"])).channel()
    consuming.basic_qos(prefetch_count=1)
    consuming.basic_consume(sys.argv[1], on_message)
    consuming.start_consuming()
