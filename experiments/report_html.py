"""The report as one HTML file that needs nothing else: no script, no font, no picture from anywhere."""

import base64
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from experiments.charts.svg import element, style_of
from experiments.model import Experiment
from experiments.plan import Plan
from experiments.report import COMMAND, CURL, content_of
from experiments.words import N_, Translate, untranslated

_ABOUT: Final = N_("Report of an experiment")
_NUMBERS: Final = N_("The numbers")
_TEMPLATES: Final = Environment(
    loader=PackageLoader("experiments"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def to_html(experiment: Experiment, _: Translate = untranslated, language: str = "en") -> str:
    """The report on `experiment`, in the language of `_`, whose code is `language`."""
    content = content_of(experiment, _)
    return _TEMPLATES.get_template("report.html").render(
        _=_,
        language=language,
        content=content,
        experiment=experiment,
        plan_file=base64.b64encode(content.plan_json.encode()).decode(),
        about=_(_ABOUT),
        numbers=_(_NUMBERS),
        command=COMMAND,
        curl=CURL,
        sample=lambda arm: _sample(experiment.plan, arm),
        svg=Markup,
    )


def _sample(plan: Plan, arm: int) -> Markup:
    """A bit of the arm's line, as the charts draw it."""
    style = style_of(plan, arm)
    line = element(
        "path", d="M0 5h26", stroke=style.colour, stroke_width=2.5, stroke_dasharray=style.dash or None
    )
    drawn = element("svg", line, width=26, height=10, viewBox="0 0 26 10", aria_hidden="true")
    return Markup(drawn)  # noqa: S704 - made of numbers and of this project's own names
