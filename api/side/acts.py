"""What *Run both* does for each feature, on one side at a time."""

import time
import uuid
from typing import Any, Final

import pika

from api.schedule.service import Schedule, now
from api.side.stage import Act, SideOutcome, SideRun
from api.tasks.receive import republish
from api.workflows.schemas import WorkflowRequest
from api.workflows.service import WorkflowService
from lab.broker import amqp
from lab.delivery import Delivery
from lab.schedule import ENTRIES
from transports.control import WorkerPicture
from transports.methods import QUEUES

BEGIN_SECONDS: Final = 5.0
LIMITED_SECONDS: Final = 10.0
LIMITED_KIND: Final = "multiply"
POISON_SECONDS: Final = 10.0
SCRATCH_MS: Final = 60_000


def tasks(*requests: dict[str, Any]) -> Act:
    """Submits these tasks, as fields of `POST /api/tasks`; together, in this order."""

    def act(stage: SideRun) -> SideOutcome:
        rows = [row for fields in requests for row in stage.submit(**fields)]
        return SideOutcome(tasks=_with_followers(rows), error=stage.publish())

    return act


def workflow(pattern: str) -> Act:
    """Sends a workflow on the lab's samples."""

    def act(stage: SideRun) -> SideOutcome:
        service = WorkflowService(stage.settings, stage.store, stage.relay, stage.workflow_rows)
        request = WorkflowRequest.model_validate({"pattern": pattern, "method": stage.method})
        return SideOutcome(workflow=service.send(request), error=stage.publish())

    return act


def submit_twice(stage: SideRun) -> SideOutcome:
    """The same request comes twice under one key."""
    key = f"side:{uuid.uuid4()}"
    rows = [stage.submit(key=key, timeout=0.5)[0] for _ in range(2)]
    answers = [{"Idempotency-Key": key, "task": row["id"]} for row in rows]
    return SideOutcome(list(dict.fromkeys(row["id"] for row in rows)), answers=answers, error=stage.publish())


def cancel(stage: SideRun) -> SideOutcome:
    """A long job is cancelled as soon as it runs."""
    task_id = stage.submit(timeout=20)[0]["id"]
    trouble = stage.publish()
    stage.wait([task_id], BEGIN_SECONDS, begun=True)
    stage.submitter.cancel(task_id)
    stage.transport.cancel([task_id])
    return SideOutcome([task_id], error=trouble)


def rate_limit(stage: SideRun) -> SideOutcome:
    """Three jobs of a kind that may begin once a second; then the limit is as it was before."""
    before = {
        (picture.rate_limits or {}).get(LIMITED_KIND, "0")
        for picture in stage.control.pictures()
        if picture.rate_limits is not None
    }
    try:
        told = stage.control.rate_limit(LIMITED_KIND, "1/s")
        rows = stage.submit(kind=LIMITED_KIND, x=6, y=7, count=3)
        ids = [row["id"] for row in rows]
        trouble = stage.publish()
        stage.wait(ids, LIMITED_SECONDS)
    finally:
        stage.control.rate_limit(LIMITED_KIND, before.pop() if len(before) == 1 else "0")
    return SideOutcome(
        ids, answers=[{"worker": one.worker, "error": one.error} for one in told], error=trouble
    )


def inspect(stage: SideRun) -> SideOutcome:
    """All workers are asked what they do."""
    answers = [_brief(picture) for picture in stage.control.pictures()]
    return SideOutcome(answers=answers, error=None if answers else "no worker answers")


def resize(stage: SideRun) -> SideOutcome:
    """One worker runs one job more at once, and then one fewer."""
    safe = [one.name for one in stage.control.pictures() if one.delivery == Delivery.SAFE.value]
    if not safe:
        return SideOutcome(error="no worker answers")
    answers = []
    for order in (stage.control.grow, stage.control.shrink):
        told = order(safe[0], 1)
        sizes = [one.concurrency for one in stage.control.pictures() if one.name == safe[0]]
        answers += [
            {
                "worker": one.worker,
                "order": f"{order.__name__} 1",
                "error": one.error,
                "concurrency": sizes[0],
            }
            for one in told
            if sizes
        ]
    return SideOutcome(answers=answers)


def unreadable(stage: SideRun) -> SideOutcome:
    """A message that is not a job is put into the queue."""
    letter = f"no job, {uuid.uuid4()}"
    properties = {"content_type": "application/json", "delivery_mode": 2}
    republish(stage.settings.rmq_url, QUEUES[stage.method], letter.encode(), properties)
    return SideOutcome(letter=letter)


def poison(stage: SideRun) -> SideOutcome:
    """A message is taken and returned, as by workers that it kills, until the broker gives it up: in a queue
    with the arguments of the real one, so that no worker is harmed."""
    letter = f"returned too often, {uuid.uuid4()}"
    with amqp.connected(stage.settings.rmq_url, "transport-lab side by side") as connection:
        channel = connection.channel()
        amqp.declare_topology(channel)
        channel.confirm_delivery()
        queue, arguments = f"lab.side.{uuid.uuid4()}", amqp.queue_arguments(QUEUES[stage.method])
        channel.queue_declare(queue, durable=True, arguments={**arguments, "x-expires": SCRATCH_MS})
        channel.basic_publish(
            "", queue, letter.encode(), pika.BasicProperties(delivery_mode=2), mandatory=True
        )
        answers: list[dict[str, Any]] = []
        deadline = time.monotonic() + POISON_SECONDS
        while len(answers) <= amqp.DELIVERY_LIMIT and time.monotonic() < deadline:
            method, properties, _ = channel.basic_get(queue)
            if method is None or properties is None:
                time.sleep(0.02)  # it is on its way back
                continue
            count = (properties.headers or {}).get("x-delivery-count", 0)
            answers.append({"delivery": len(answers) + 1, "x-delivery-count": count})
            channel.basic_reject(method.delivery_tag, requeue=True)
    return SideOutcome(letter=letter, answers=answers)


def beat(stage: SideRun) -> SideOutcome:
    """The health check is run as if its minute had come."""
    row = Schedule(stage.settings, stage.store, stage.relay).run_now(
        ENTRIES["check-health-every-minute"], now()
    )
    return SideOutcome([row["id"]], error=stage.publish())


def _with_followers(rows: list[dict[str, Any]]) -> list[str]:
    found = []
    for row in rows:
        found.append(row["id"])
        found += [
            row["options"][link]["id"] for link in ("callback", "errback") if link in (row["options"] or {})
        ]
    return found


def _brief(picture: WorkerPicture) -> dict[str, Any]:
    told = picture.model_dump(exclude={"method", "kinds"})
    return {**told, "active": [task.id for task in picture.active or ()], "kinds": len(picture.kinds or ())}
