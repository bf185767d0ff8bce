import base64
import json
import re
from html.parser import HTMLParser

from experiments.charts import charts_of
from experiments.plan import Plan
from experiments.report_html import to_html
from tests.experiment_samples import a_plan, an_experiment

EXPERIMENT = an_experiment()
HTML = to_html(EXPERIMENT)
ASSETS = {"src", "href", "srcset", "data", "poster", "action", "xlink:href"}


class Parts(HTMLParser):
    """What a page consists of: its tags, what it refers to, and its headings."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.references: list[str] = []
        self.headings: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.references += [value or "" for name, value in attrs if name in ASSETS]
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            while self.open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("h1", "h2"):
            self.headings.append(data.strip())


def test_the_report_refers_to_nothing_outside_itself() -> None:
    parts = Parts(HTML)
    assert "http" not in HTML
    assert "//" not in HTML.replace("<!--", "")
    assert [one for one in parts.references if not one.startswith(("data:", "#"))] == []
    assert not {"script", "link", "img", "iframe", "object"} & set(parts.tags)
    assert not re.search(r"@import|url\((?!#)", HTML)


def test_the_report_has_all_its_parts_in_their_order() -> None:
    assert Parts(HTML).headings == [
        "Three at once",
        "Verdict",
        "The figures",
        "Charts",
        "One against the other",
        "What it cost, and what went wrong",
        "Where the time goes",
        "Each repetition",
        "Differences other than the method",
        "The plan",
        "Where it ran",
        "How to run it again",
    ]


def test_every_chart_is_in_it_with_its_table() -> None:
    for chart in charts_of(EXPERIMENT.plan, EXPERIMENT.runs):
        assert chart.svg in HTML
        assert chart.slim in HTML
        assert f"<figcaption><h3>{chart.title}</h3></figcaption>" in HTML
    assert Parts(HTML).tags.count("details") == 5


def test_the_plan_in_it_is_the_plan() -> None:
    found = re.search(r"data:application/json;base64,([^\"]+)", HTML)
    assert found
    assert Plan.model_validate_json(base64.b64decode(found[1])) == EXPERIMENT.plan
    assert json.loads(base64.b64decode(found[1]))["seed"] == 1
    assert "python -m experiments run --plan plan.json" in HTML
    assert "curl -H" in HTML


def test_figures_have_their_intervals_and_unequal_rows_their_warning() -> None:
    total = EXPERIMENT.totals[0].figures["throughput"]
    assert total.low is not None
    cell = f'{total.value:.0f}\N{NO-BREAK SPACE}jobs/s <span class="ex-interval">{total.low:.0f} to '
    assert f'<td class="ex-n" data-label="Celery, safe">{cell}' in HTML
    assert '<tr data-equal="false" data-state="differs" data-key="pool">' in HTML
    assert '<use href="#i-warning"/></svg> differs</span>' in HTML


def test_what_users_wrote_is_escaped() -> None:
    html = to_html(an_experiment(a_plan(title="<script>alert(1)</script>")))
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "&lt;a &amp; b&gt;" in html


def test_light_dark_and_print_are_provided_for() -> None:
    for part in (
        "prefers-color-scheme: dark",
        "@media print",
        "--method-celery: #22683a",
        "--method-celery: #7fd196",
    ):
        assert part in HTML


def test_an_experiment_that_measured_nothing_has_a_report() -> None:
    failed = an_experiment(
        status="FAILED",
        error="no worker answers",
        runs=[],
        totals=[],
        comparisons=[],
        fairness=[],
        environment={},
    )
    html = to_html(failed)
    assert "It failed: no worker answers" in html
    assert Parts(html).headings == ["Three at once", "Verdict", "The plan", "How to run it again"]


def test_the_report_speaks_the_language_it_is_given() -> None:
    html = to_html(EXPERIMENT, lambda text: {"Verdict": "Вывод"}.get(text, text), "ru")
    assert '<html lang="ru">' in html
    assert ">Вывод</h2>" in html
