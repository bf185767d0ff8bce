"""What is to be handed on of the fault lab: a run's report in four forms, and the matrix."""

from typing import Final

from flask import Response

from api.faults.routes import FaultPath, faults, unknown
from api.services import services
from api.web.i18n import language
from api.web.schemas import Problem
from api.web.wording import gettext
from faults.document import FaultDocument
from faults.matrix import matrix_of, to_markdown
from faults.report import rendered

__all__ = ["faults"]

TYPES: Final = {"html": "text/html", "md": "text/markdown", "csv": "text/csv", "json": "application/json"}
MATRIX_COMMAND: Final = "make faults"


@faults.get("/<run_id>/report.html", responses={404: Problem})
def report_html(path: FaultPath) -> Response:
    """The report as one HTML file that needs nothing else"""
    return _report(path, "html")


@faults.get("/<run_id>/report.md", responses={404: Problem})
def report_md(path: FaultPath) -> Response:
    """The report as Markdown"""
    return _report(path, "md")


@faults.get("/<run_id>/report.csv", responses={404: Problem})
def report_csv(path: FaultPath) -> Response:
    """All jobs of all contenders, one in a row"""
    return _report(path, "csv")


@faults.get("/<run_id>/report.json", responses={200: FaultDocument, 404: Problem})
def report_json(path: FaultPath) -> Response:
    """The run as a JSON file"""
    return _report(path, "json")


@faults.get("/matrix.md")
def matrix_md() -> Response:
    """The matrix as Markdown, with the counters of each run and why it went so"""
    found = matrix_of(services().faults.done())
    return _file(to_markdown(found, MATRIX_COMMAND, gettext), "md", "faults")


def _report(path: FaultPath, form: str) -> Response:
    run = services().faults.get(path.run_id)
    if run is None:
        return unknown(path.run_id)
    return _file(rendered(run, form, gettext, language()), form, f"fault-{run.card}-{run.id[:8]}")


def _file(text: str, form: str, name: str) -> Response:
    response = Response(text, content_type=f"{TYPES[form]}; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.{form}"'
    return response
