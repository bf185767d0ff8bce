"""The report as one HTML file that needs nothing else: no script, no font, no picture from anywhere."""

import base64
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from experiments.model import Experiment
from experiments.report import COMMAND, CURL, command_of, content_of
from experiments.words import Translate, untranslated

TEMPLATES: Final = Path(__file__).parent / "templates"
"""Where the parts are that a report and a page are made of; they speak by the `_` of anyone who uses them."""

_ENVIRONMENT: Final = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
)


def to_html(experiment: Experiment, _: Translate = untranslated, language: str = "en") -> str:
    """The report on `experiment`, in the language of `_`, whose code is `language`."""
    content = content_of(experiment, _)
    return _ENVIRONMENT.get_template("report.html").render(
        _=_,
        language=language,
        content=content,
        plan_file=base64.b64encode(content.plan_json.encode()).decode(),
        command=COMMAND,
        command_of=command_of,
        curl=CURL,
    )
