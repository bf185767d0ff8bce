"""Publishes a job for the consumer, reports beside its path, for each line `id token` of the file that is its
argument; at a line of input, which it answers with when that began (time.monotonic())."""

import sys
import time
from pathlib import Path

from benchmarks.messages import KIND
from lab.job import Job
from lab.reporting.untracked import Untracked
from lab.settings import Settings
from transports import create_transport

transport = create_transport("rabbitmq", Settings.from_env(), Untracked().for_job)
jobs = []
for number, line in enumerate(Path(sys.argv[1]).read_text().splitlines(), 1):
    task_id, token = line.split()
    jobs.append(
        Job(task_id=task_id, num=number, kind=KIND, params={"serial": number}, token=token, beside=True)
    )
transport.submit([])
print("ready", flush=True)
sys.stdin.readline()
print(time.monotonic(), flush=True)
error = transport.submit(jobs).error
transport.close()
if error:
    sys.exit(error)
