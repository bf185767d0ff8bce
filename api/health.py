"""Alive, ready, and the figures that Prometheus takes."""

from collections.abc import Iterator

from flask import Response
from flask_openapi3 import APIBlueprint, Tag
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from api.answers import json_answer
from api.problems import problem
from api.schemas import Problem
from api.services import Services, services

health = APIBlueprint(
    "health", __name__, abp_tags=[Tag(name="Health", description="For probes and monitoring")]
)

READY_SECONDS = 2.0


@health.get("/healthz")
def healthz() -> Response:
    """Whether this process answers"""
    return json_answer({"status": "ok"})


@health.get("/readyz", responses={503: Problem})
def readyz() -> Response:
    """Whether store and broker can be reached; 503 names what cannot"""
    picture = services().watch.refresh(READY_SECONDS)
    away = [part for part in ("store", "broker") if not picture[part]["up"]]
    if away:
        return problem(503, "Not ready", f"{' and '.join(away)} cannot be reached")
    return json_answer({"status": "ready"})


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
        picture = self._parts.watch.refresh(READY_SECONDS)
        up = GaugeMetricFamily("lab_up", "Whether a part of the lab can be reached", labels=["part"])
        for part in ("store", "broker"):
            up.add_metric([part], float(bool(picture[part]["up"])))
        yield up
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
