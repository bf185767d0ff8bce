"""Alive, ready, and the figures that Prometheus takes."""

from collections.abc import Iterator
from typing import Any, Literal

from flask import Response
from flask_openapi3 import APIBlueprint, Tag
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from pydantic import BaseModel

from api.services import Services, services
from api.web.answers import json_answer
from api.web.problems import problem
from api.web.schemas import Problem
from lab.delivery import Delivery
from lab.settings import Settings
from transports.methods import CELERY, QUEUES

health = APIBlueprint(
    "health", __name__, abp_tags=[Tag(name="Health", description="For probes and monitoring")]
)

READY_SECONDS = 2.0
WAIT_SECONDS = 1.5


class AliveOut(BaseModel):
    """The process answers."""

    status: Literal["ok"]


class ReadyOut(BaseModel):
    """Tasks of the default mode can be taken and run; `details` is what is wrong all the same."""

    status: Literal["ready"]
    details: list[str]


@health.get("/healthz", responses={200: AliveOut})
def healthz() -> Response:
    """Whether this process answers"""
    return json_answer({"status": "ok"})


@health.get("/readyz", responses={200: ReadyOut, 503: Problem})
def readyz() -> Response:
    """Whether tasks of the default mode can be taken and run; 503 names what is in the way

    The answer comes within two seconds. `details` name what is wrong with the lab, also where it does not keep it
    from working.
    """
    parts = services()
    picture = parts.watch.within(WAIT_SECONDS, READY_SECONDS)
    troubles, details = _troubles(parts.settings, picture), _details(picture)
    if refused := picture["refused"]:
        troubles.append("reports are refused")
        details.append(f"reports are refused: {refused} in the last 5 minutes")
    if troubles:
        return problem(503, "Not ready", "; ".join(troubles), details=details)
    return json_answer({"status": "ready", "details": details})


def _troubles(settings: Settings, picture: dict[str, Any]) -> list[str]:
    away = [part for part in ("store", "broker") if not picture[part]["up"]]
    if away:
        return [f"{' and '.join(away)} cannot be reached"]
    delivery = settings.delivery
    workers = picture["workers" if delivery is Delivery.SAFE else "naive_workers"]
    queues = {name: delivery.queue(queue) for name, queue in QUEUES.items()}
    if not settings.celery_on_rabbitmq:
        del queues[CELERY.name]  # they are not on this broker
    if any(workers[method] is None for method in queues):
        return ["a queue is missing"]
    return [f"no worker consumes {queue}" for method, queue in queues.items() if not workers[method]]


def _details(picture: dict[str, Any]) -> list[str]:
    details = [f"the broker's {alarm} alarm is on: publishing is blocked" for alarm in picture["alarms"]]
    if nowhere := picture["nowhere"]:
        details.append(f"{nowhere} tasks are nowhere: in no queue, and with no worker")
    return details


@health.get("/metrics")
def metrics() -> Response:
    """Figures in Prometheus' text format

    All are read from store and broker, so that each process of the API gives the same.
    """
    registry = CollectorRegistry()
    registry.register(_Figures(services()))
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class _Figures:
    def __init__(self, parts: Services) -> None:
        self._parts = parts

    def collect(self) -> Iterator[Metric]:
        tasks = GaugeMetricFamily("lab_tasks", "Tasks by method and status", labels=["method", "status"])
        for (method, status), n in sorted(self._parts.store.counts_by_method().items()):
            tasks.add_metric([method, status], n)
        yield tasks
        picture = self._parts.watch.within(WAIT_SECONDS, READY_SECONDS)
        up = GaugeMetricFamily("lab_up", "Whether a part of the lab can be reached", labels=["part"])
        for part in ("store", "broker"):
            up.add_metric([part], float(bool(picture[part]["up"])))
        yield up
        yield GaugeMetricFamily(
            "lab_tasks_nowhere",
            "Tasks that are in no queue and with no worker",
            value=picture["nowhere"],
        )
        yield CounterMetricFamily(
            "lab_reports_refused",
            "Reports of workers that were refused, as their token is made with an unknown key",
            value=picture["refused_total"],
        )
        alarms = GaugeMetricFamily("lab_broker_alarm", "Alarms that block publishing", labels=["resource"])
        for resource in ("memory", "disk"):
            alarms.add_metric([resource], float(resource in picture["alarms"]))
        yield alarms
        yield GaugeMetricFamily(
            "lab_outbox_tasks", "Tasks that wait to be handed to the broker", value=picture["waiting"]
        )
        ready = GaugeMetricFamily("lab_queue_ready_messages", "Messages ready in a queue", labels=["queue"])
        for queue in picture["queues"]:
            if queue["ready"] is not None:
                ready.add_metric([queue["name"]], queue["ready"])
        yield ready
        workers = GaugeMetricFamily("lab_workers", "Workers that are connected", labels=["method"])
        for method, n in picture["workers"].items():
            if n is not None:
                workers.add_metric([method], n)
        yield workers
