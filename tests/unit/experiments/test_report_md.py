import re

from experiments.plan import Plan
from experiments.report_md import plain, to_markdown
from tests.experiment_samples import a_plan, an_experiment, an_open_plan

EXPERIMENT = an_experiment()
MARKDOWN = to_markdown(EXPERIMENT)


def test_the_report_has_all_its_parts() -> None:
    headings = re.findall(r"^## (.+)$", MARKDOWN, re.MULTILINE)
    assert headings == [
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
    assert MARKDOWN.startswith("# Three at once\n")


def test_every_table_has_as_many_cells_in_each_row() -> None:
    tables = re.findall(r"(?:^\|.*\|\n)+", MARKDOWN, re.MULTILINE)
    assert len(tables) > 12
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_the_plan_in_it_is_the_plan() -> None:
    found = re.search(r"```json\n(.+?)```", MARKDOWN, re.DOTALL)
    assert found
    assert Plan.model_validate_json(found[1]) == EXPERIMENT.plan


def test_what_users_wrote_makes_no_markup() -> None:
    title = "a | b\n# c [x](y) <b> `d`"
    text = to_markdown(an_experiment(a_plan(title=title)))
    assert text.startswith("# a \\| b \\# c \\[x\\](y) \\<b\\> \\`d\\`\n")
    assert plain("*_~\\") == "\\*\\_\\~\\\\"


def test_an_experiment_that_measured_nothing_has_a_report() -> None:
    nothing = an_experiment(
        status="CANCELLED", runs=[], totals=[], comparisons=[], fairness=[], environment={}
    )
    text = to_markdown(nothing)
    assert "**It was cancelled.**" in text
    assert "- Nothing was measured." in text


def test_in_a_language_with_a_decimal_comma_no_number_has_a_point() -> None:
    whole = an_experiment(an_open_plan(duration={"law": "exponential", "mean": 0.025}))
    surroundings = {"memory": "7.7 GiB", "load": "0.25 0.50 0.75"}
    text = to_markdown(
        whole.model_copy(update={"environment": surroundings}), lambda words: {"1.5": "1,5"}.get(words, words)
    )
    told = text[text.index("## Verdict") : text.index("## How to run it again")]
    assert [found for found in re.findall(r"[0-9]+\.[0-9]+", told) if found != "99.9"] == []
    assert "7,7 GiB" in told
    assert "0,025" in told


def test_why_it_failed_is_said_in_the_readers_language() -> None:
    failed = an_experiment(
        status="FAILED",
        error="Workers come and go: they could not be made equal.",
        runs=[],
        totals=[],
        comparisons=[],
    )
    assert "**It failed: WORKERS COME" in to_markdown(
        failed, lambda words: words.upper() if words.startswith("Workers") else words
    )
