"""What is to be handed on of an experiment: a report in four forms, to be kept as a file."""

from collections.abc import Callable, Iterator
from functools import partial

from flask import Response, stream_with_context

from api.experiments.routes import ExperimentPath, experiments, unknown
from api.services import services
from api.web.i18n import language
from api.web.schemas import Problem
from api.web.wording import gettext
from experiments.model import Experiment
from experiments.report_html import to_html
from experiments.report_md import to_markdown
from experiments.table_csv import to_csv
from experiments.verdict import verdict_of

__all__ = ["experiments"]


@experiments.get("/<experiment_id>/report.html", responses={404: Problem})
def report_html(path: ExperimentPath) -> Response:
    """The report as one HTML file that needs nothing else"""
    return _file(path, "html", "text/html", lambda found: to_html(found, gettext, language()))


@experiments.get("/<experiment_id>/report.md", responses={404: Problem})
def report_md(path: ExperimentPath) -> Response:
    """The report as Markdown"""
    return _file(path, "md", "text/markdown", lambda found: to_markdown(found, gettext))


@experiments.get("/<experiment_id>/report.json", responses={200: Experiment, 404: Problem})
def report_json(path: ExperimentPath) -> Response:
    """The experiment as a JSON file"""
    return _file(path, "json", "application/json", _json)


@experiments.get("/<experiment_id>/report.csv", responses={404: Problem})
def report_csv(path: ExperimentPath) -> Response:
    """All jobs of all repetitions, one in a row"""
    samples = partial(services().experiments.rows.samples, path.experiment_id)
    return _file(path, "csv", "text/csv", lambda found: stream_with_context(to_csv(found, samples)))


def _json(found: Experiment) -> str:
    return found.model_copy(update={"verdict": verdict_of(found).lines}).model_dump_json(indent=2)


def _file(
    path: ExperimentPath, ending: str, content_type: str, written: Callable[[Experiment], str | Iterator[str]]
) -> Response:
    found = services().experiments.rows.get(path.experiment_id)
    if found is None:
        return unknown(path.experiment_id)
    response = Response(written(found), content_type=f"{content_type}; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="experiment-{found.id[:8]}.{ending}"'
    return response
