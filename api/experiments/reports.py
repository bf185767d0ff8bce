"""What is to be handed on of an experiment: a report in four forms, to be kept as a file."""

from collections.abc import Iterator, Sequence

from flask import Response, stream_with_context

from api.experiments.routes import ExperimentPath, experiments, unknown
from api.i18n import language
from api.schemas import Problem
from api.services import services
from api.wording import gettext
from experiments.model import Experiment, Sample
from experiments.report_html import to_html
from experiments.report_md import to_markdown
from experiments.table_csv import to_csv

__all__ = ["experiments"]


@experiments.get("/<experiment_id>/report.html", responses={404: Problem})
def report_html(path: ExperimentPath) -> Response:
    """The report as one HTML file that needs nothing else"""
    found = services().experiments.rows.get(path.experiment_id)
    if found is None:
        return unknown(path.experiment_id)
    return _file(found, to_html(found, gettext, language()), "html", "text/html")


@experiments.get("/<experiment_id>/report.md", responses={404: Problem})
def report_md(path: ExperimentPath) -> Response:
    """The report as Markdown"""
    found = services().experiments.rows.get(path.experiment_id)
    if found is None:
        return unknown(path.experiment_id)
    return _file(found, to_markdown(found, gettext), "md", "text/markdown")


@experiments.get("/<experiment_id>/report.json", responses={200: Experiment, 404: Problem})
def report_json(path: ExperimentPath) -> Response:
    """The experiment as a JSON file"""
    found = services().experiments.rows.get(path.experiment_id)
    if found is None:
        return unknown(path.experiment_id)
    return _file(found, found.model_dump_json(indent=2), "json", "application/json")


@experiments.get("/<experiment_id>/report.csv", responses={404: Problem})
def report_csv(path: ExperimentPath) -> Response:
    """All jobs of all repetitions, one in a row"""
    rows = services().experiments.rows
    found = rows.get(path.experiment_id)
    if found is None:
        return unknown(path.experiment_id)

    def samples_of(turn: int, arm: int) -> Sequence[Sample]:
        return rows.samples(path.experiment_id, turn, arm)

    return _file(found, stream_with_context(to_csv(found, samples_of)), "csv", "text/csv")


def _file(experiment: Experiment, body: str | Iterator[str], ending: str, content_type: str) -> Response:
    response = Response(body, content_type=f"{content_type}; charset=utf-8")
    response.headers["Content-Disposition"] = (
        f'attachment; filename="experiment-{experiment.id[:8]}.{ending}"'
    )
    return response
