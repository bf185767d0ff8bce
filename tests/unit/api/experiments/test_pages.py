"""The pages of experiments, from experiments that are made up, without a broker."""

import html
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from flask.testing import FlaskClient

from api.experiments.form import DEFAULTS, ExperimentForm, typed_of
from api.experiments.presets import PRESETS
from api.services import Services
from experiments.cli_options import plan_of
from experiments.cli_text import summary
from experiments.guide_questions import CONTRADICTIONS
from experiments.model import Experiment, Mark
from experiments.plan import Arm, OpenLoop, Plan
from experiments.sampling import pack
from tests.experiment_samples import a_plan, an_experiment, an_open_plan

FORM = {**DEFAULTS, "arm": ["celery:safe", "rabbitmq:safe", "sync"], "warm_up": "on", "equalise": "on"}
RUSSIAN = {"Accept-Language": "ru"}


class Texts(HTMLParser):
    """Whether a page's elements are closed in the order in which they were opened."""

    VOID = frozenset({"meta", "link", "input", "br", "img"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, _attrs: Any) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, _attrs: Any) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def page(client: FlaskClient, address: str, **more: Any) -> str:
    """The page at `address`, which must be there and well formed."""
    answer = client.get(address, **more)
    assert answer.status_code == 200, answer.text[:500]
    texts = Texts()
    texts.feed(answer.text)
    assert texts.open == []
    return answer.text


def send(client: FlaskClient, address: str = "/experiments", **changes: Any) -> Any:
    return client.post(address, data={**FORM, **changes})


def run(parts: Services, experiment: Experiment) -> str:
    """Stores `experiment` as the process that runs it does, and returns its id."""
    rows = parts.experiments.rows
    found = rows.add(experiment.plan)
    assert rows.claim() == found
    rows.keep_setting(found, experiment.fairness, experiment.environment)
    for one in experiment.runs:
        rows.keep_run(found, one, pack([]))
    told = experiment.totals, experiment.comparisons, experiment.marks
    rows.finish(found, experiment.status, experiment.error, *told)
    rows.release(found)
    return found


def error(text: str, name: str) -> str:
    found = re.search(rf'data-error="{name}">(.*?)</p>', text)
    assert found
    return found[1]


def test_the_form_as_it_comes_is_a_plan_of_three_contenders() -> None:
    plan = ExperimentForm().plan()
    assert plan == Plan(
        arms=[Arm(method="celery"), Arm(method="rabbitmq"), Arm(method="sync")], jobs=500, repetitions=5
    )


@pytest.mark.parametrize(
    "plan",
    [
        *PRESETS.values(),
        a_plan(work="failing", p=0.25, payload_bytes=10, seed=7, title="Mine", warm_up=False, equalise=False),
        a_plan(duration={"law": "uniform", "low": 0.1, "high": 0.2}, deadline=20),
        a_plan(duration={"law": "values", "values": [0.1, 0.25]}),
        an_open_plan(),
    ],
)
def test_a_plan_comes_back_out_of_the_form_that_it_fills_in(plan: Plan) -> None:
    assert ExperimentForm(typed_of(plan)).plan() == plan


@pytest.mark.parametrize(
    ("changes", "name", "bound"),
    [
        ({"jobs": "0"}, "jobs", "A whole number from 1 to 100,000."),
        ({"jobs": ""}, "jobs", "A whole number from 1 to 100,000."),
        ({"repetitions": "51"}, "repetitions", "A whole number from 1 to 50; all together"),
        ({"fixed": "61"}, "fixed", "A number of seconds from 0 to 60."),
        ({"law": "uniform", "low": "2", "high": "1"}, "high", "A number of seconds from the least up to 60."),
        ({"law": "exponential", "mean": "0"}, "mean", "A number of seconds above 0, at most 60."),
        ({"law": "values", "values": "1 two"}, "values", "1 to 10,000 numbers of seconds"),
        ({"arrival": "open", "rate": "x"}, "rate", "A number above 0, at most 5,000."),
        ({"arrival": "share", "share": "0"}, "share", "A number of percent above 0, at most 400."),
        ({"arrival": "share", "share": "half"}, "share", "A number of percent above 0, at most 400."),
        ({"amount": "seconds"}, "seconds", "Seconds go with a steady rate"),
        ({"amount": "seconds", "seconds": "3600", "arrival": "open", "rate": "5000"}, "seconds", "no more than"),
        ({"work": "failing", "p": "2"}, "p", "A share from 0 to 1."),
        ({"payload_bytes": "-1"}, "payload_bytes", "A whole number from 0 to 1,000,000; all messages"),
        ({"deadline": "0"}, "deadline", "A number of seconds above 0, at most 7,200."),
        ({"seed": "-1"}, "seed", "A whole number from 0 to"),
        ({"arm": []}, "arm", "One to 6 contenders"),
        ({"arm": ["celery:safe", "celery:naive", "rabbitmq:safe", "sync"], "twice": "on"}, "arm", "One to 6"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_at_its_field_and_what_was_typed_stays(
    client: FlaskClient, changes: dict[str, Any], name: str, bound: str
) -> None:
    answer = send(client, title="Kept", **changes)
    assert answer.status_code == 422
    assert error(answer.text, name).startswith(bound) or bound in error(answer.text, name)
    assert len([said for said in re.findall(r'data-error="\w+">(.+?)</p>', answer.text) if said]) == 1
    assert 'value="Kept"' in answer.text


def test_the_form_starts_an_experiment_once(client: FlaskClient, parts: Services) -> None:
    first = send(client, key="a-key-of-the-form")
    assert first.status_code == 303
    assert send(client, key="a-key-of-the-form").location == first.location
    assert send(client, key="a-key-of-the-form", jobs="2").status_code == 409
    (stored,), _ = parts.experiments.rows.page(10)
    assert stored.plan == ExperimentForm().plan()
    assert first.location.endswith(stored.id)


def test_what_differs_is_shown_before_anything_runs(client: FlaskClient, parts: Services) -> None:
    text = page(client, "/experiments")
    assert 'data-key="acknowledgement"' in text
    answer = send(client, "/experiments/differences", arm=["celery:naive", "rabbitmq:naive"], title="Kept")
    assert answer.status_code == 200
    table = answer.text.partition("data-differences-table")[2]
    assert "Celery, as it comes" in table
    assert "Celery, safe" not in table
    assert 'value="Kept"' in answer.text
    assert parts.experiments.rows.page(10)[0] == []


def test_each_row_that_differs_has_a_sign_and_a_word(client: FlaskClient, parts: Services) -> None:
    text = page(client, f"/experiments/{run(parts, an_experiment())}")
    rows = re.findall(r'<tr data-equal="(\w+)".*?</tr>', text, re.DOTALL)
    assert set(rows) == {"true", "false"}
    for row in re.findall(r'<tr data-equal="false".*?</tr>', text, re.DOTALL):
        assert "#i-warning" in row
        assert "differs" in row


def test_a_script_asks_for_what_differs_by_its_fields(client: FlaskClient) -> None:
    text = page(client, "/experiments/differences?typed=1&arm=rabbitmq:safe&arm=rabbitmq:naive")
    assert "RabbitMQ, by the tutorial" in text
    assert "Celery, safe" not in text.partition("data-differences-table")[2]


def test_no_contender_has_nothing_to_differ_in(client: FlaskClient) -> None:
    text = page(client, "/experiments/differences?typed=1")
    assert "Choose at least one contender" in text
    assert "<table" not in text


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_fills_in_the_form(client: FlaskClient, name: str) -> None:
    text = page(client, f"/experiments?preset={name}")
    assert 'aria-current="true"><strong>' in text
    repetitions = re.search(r'name="repetitions".*? value="(\d+)"', text)
    assert repetitions
    assert int(repetitions[1]) == PRESETS[name].repetitions


@pytest.mark.parametrize("headers", [{}, RUSSIAN])
def test_a_finished_experiment_has_verdict_figures_charts_and_downloads(
    client: FlaskClient, parts: Services, headers: dict[str, str]
) -> None:
    found = run(parts, an_experiment())
    text = page(client, f"/experiments/{found}", headers=headers)
    assert text.index("title-verdict") < text.index("title-figures") < text.index("title-charts")
    assert len(re.findall(r'data-chart="\w+"', text)) == 5
    assert 'data-figure="throughput"' in text
    for form in ("html", "md", "csv", "json"):
        assert f"/api/experiments/{found}/report.{form}" in text
    assert f"/experiments?again={found}" in text
    assert "form-cancel" not in text
    assert "&lt;a &amp; b&gt;" in text


def test_the_part_that_moves_says_that_it_has_ended(client: FlaskClient, parts: Services) -> None:
    answer = client.get(f"/experiments/{run(parts, an_experiment())}/now")
    assert answer.status_code == 200
    assert 'data-status="DONE"' in answer.text


def test_the_guide_cites_rows_and_runs(client: FlaskClient, parts: Services) -> None:
    assert "Answer a few questions" in page(client, "/guide")
    found = run(parts, an_experiment())
    text = page(client, "/guide?length=seconds&cancel=force&throughput=hundred&broker=nonsense")
    assert f'href="/experiments/{found}"' in text
    assert 'href="/side-by-side/' in text
    assert '<option value="force" selected>' in text
    assert "Why" in text


def test_the_guide_is_in_the_menu_and_opens_the_form_filled_in_for_what_it_does_not_know(
    client: FlaskClient,
) -> None:
    text = page(client, "/guide?latency=tenth&throughput=hundred&broker=other")
    assert '<a href="/guide" aria-current="page">' in text
    addresses = [html.unescape(found) for found in re.findall(r'href="(/experiments\?measure=[^"]+)"', text)]
    assert len(addresses) == 2
    burst, open_loop = (page(client, address) for address in addresses)
    assert 'id="arrival-burst" checked' in burst
    assert 'id="arrival-open" checked' in open_loop
    assert re.search(r'name="rate"[^>]* value="100"', open_loop)
    for form in (burst, open_loop):
        assert 'id="work-noop" checked' in form
        assert 'id="arm-celery-safe" aria-describedby="about-celery-safe arm-error" checked' in form
        assert 'id="arm-rabbitmq-safe" aria-describedby="about-rabbitmq-safe arm-error" checked' not in form


@pytest.mark.parametrize("pair", CONTRADICTIONS, ids=lambda pair: f"{pair[0]}-{pair[1]}")
def test_where_answers_contradict_each_other_no_method_stands_there_as_if_it_met_all(
    client: FlaskClient, pair: tuple[tuple[str, str], tuple[str, str], str]
) -> None:
    query = "&".join(f"{question}={answer}" for question, answer in pair[:2])
    text = page(client, f"/guide?{query}")
    assert "no method meets all of them" in text
    assert set(stands(text)) <= {"ruled out", "does not meet all answers"}


def test_the_guide_says_of_each_method_where_it_stands(client: FlaskClient) -> None:
    text = page(client, "/guide?length=instant&loss=never&later=yes&broker=other")
    assert stands(text) == ["does not meet all answers", "ruled out", "ruled out"]
    assert stands(page(client, "/guide?loss=never&later=yes&broker=other")) == ["", "ruled out", "ruled out"]


def stands(text: str) -> list[str]:
    """What the guide's page says of each method beside its name, best first."""
    (listed,) = re.findall(r'<ul class="guide-scores">(.*?)</ul>', text, re.DOTALL)
    return [said.strip() for said in re.findall(r"</span>(.*?)</li>", listed)]


def test_the_command_line_has_the_same_defaults_as_the_form() -> None:
    assert plan_of({"burst": False}) == ExperimentForm().plan()


def test_run_again_fills_in_the_form(client: FlaskClient, parts: Services) -> None:
    found = run(parts, an_experiment(an_open_plan(title="Mine", seed=42)))
    text = page(client, f"/experiments?again={found}")
    assert 'value="Mine"' in text
    assert 'value="42"' in text


def test_too_few_repetitions_are_said(client: FlaskClient, parts: Services) -> None:
    text = page(client, f"/experiments/{run(parts, an_experiment(a_plan(repetitions=1)))}")
    assert "Fewer than three repetitions" in text
    assert "ex-interval" not in text


def test_a_running_one_shows_the_race_and_can_be_cancelled(client: FlaskClient, parts: Services) -> None:
    rows = parts.experiments.rows
    found = rows.add(a_plan())
    assert "Its turn has not come" in page(client, f"/experiments/{found}")
    rows.claim()
    rows.tell(found, 0.25, "turn 2 of 5, Sync", {"Celery, safe": [(0.0, 0.0), (1.0, 0.5)]})
    part = client.get(f"/experiments/{found}/now").text
    assert "Turn 2 of 5: Sync" in part
    assert "25 % of all jobs" in part
    assert part.count("<svg") == 2
    assert "<html" not in part
    answer = client.post(f"/experiments/{found}/cancel", follow_redirects=True)
    assert "Cancelled: what has not ended is not counted." in answer.text


def test_a_failed_one_says_why_and_what_to_do(client: FlaskClient, parts: Services) -> None:
    failed = an_experiment(status="FAILED", error="no <worker> answers", runs=[], totals=[], comparisons=[])
    text = page(client, f"/experiments/{run(parts, failed)}")
    assert "no &lt;worker&gt; answers" in text
    assert "“Run again” brings the form back" in text
    assert "title-figures" not in text


def test_an_ended_one_is_not_cancelled(client: FlaskClient, parts: Services) -> None:
    found = run(parts, an_experiment())
    answer = client.post(f"/experiments/{found}/cancel", follow_redirects=True)
    assert "It has ended before." in answer.text
    assert client.get(f"/experiments/{found}/cancel").location.endswith(f"/experiments/{found}")


def test_two_are_compared_the_older_one_first(client: FlaskClient, parts: Services) -> None:
    one = run(parts, an_experiment(a_plan(title="Before")))
    other = run(parts, an_experiment(an_open_plan(title="After", arms=[Arm(method="celery")])))
    answer = client.get(f"/experiments/compare?pick={other}&pick={one}")
    assert answer.status_code == 302
    assert answer.location.endswith(f"?one={one}&other={other}")
    text = page(client, answer.location)
    assert text.index("Before") < text.index("After")
    assert "Only in one of them:" in text
    assert "How they come" in text
    assert "holds by itself" in text


def test_when_a_run_began_is_shown_as_other_times_are(client: FlaskClient, parts: Services) -> None:
    began = ("2026-11-30T20:49:42.244283Z", "2026-12-01T06:00:01.000001Z")
    told = [{"begun_at": at, "processor": at} for at in began]
    one, other = (run(parts, an_experiment().model_copy(update={"environment": facts})) for facts in told)
    text = page(client, f"/experiments/{one}")
    shown = '<time datetime="2026-11-30T20:49:42.244283Z">30 Nov 2026, 20:49:42</time> UTC'
    assert f"<dt>Begun</dt><dd>{shown}</dd>" in text
    assert f"<dt>Processor</dt><dd>{began[0]}</dd>" in text
    both = page(client, f"/experiments/compare?one={one}&other={other}")
    assert f">{shown}<" in both
    assert "1 Dec 2026, 06:00:01" in both
    assert "30 нояб. 2026, 20:49:42" in page(client, f"/experiments/{one}", headers=RUSSIAN)


def test_anything_but_two_is_not_compared(client: FlaskClient, parts: Services) -> None:
    found = run(parts, an_experiment())
    for query in ("", f"?pick={found}", f"?pick={found}&pick={found}", f"?one={found}"):
        answer = client.get(f"/experiments/compare{query}", follow_redirects=True)
        assert "Choose two experiments to compare." in answer.text


def test_what_was_chosen_stays_chosen_where_it_is_not_two(client: FlaskClient, parts: Services) -> None:
    found = [run(parts, an_experiment(a_plan(title=title))) for title in ("One", "Two", "Three", "Four")]
    query = "&".join(f"pick={one}" for one in found[:3])
    text = page(client, client.get(f"/experiments/compare?{query}").location)
    assert [re.search(f'value="{one}"[^>]* checked', text) is not None for one in found] == [
        True,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    "address",
    [
        "/experiments/none",
        "/experiments/none/now",
        "/experiments?again=none",
        "/experiments/compare?one=a&other=b",
    ],
)
def test_what_is_not_there_is_not_found(client: FlaskClient, address: str) -> None:
    assert client.get(address).status_code == 404
    assert client.post("/experiments/none/cancel").status_code == 404


def test_the_list_says_each_verdict_in_one_line(client: FlaskClient, parts: Services) -> None:
    run(parts, an_experiment(a_plan(title="Three at once")))
    text = page(client, "/experiments")
    row = text[text.index("data-experiment-id") :]
    assert "Three at once" in row
    assert "times as many jobs a second" in row


def test_an_open_loop_is_told_in_words(client: FlaskClient, parts: Services) -> None:
    plan = an_open_plan(arrival=OpenLoop(law="open", rate=12.5), title="")
    text = page(client, f"/experiments/{run(parts, an_experiment(plan))}")
    assert "12.5 a second, at random times" in text


def test_browsers_find_the_icon_where_they_look(client: FlaskClient) -> None:
    answer = client.get("/favicon.ico")
    assert answer.status_code == 302
    with client.get(answer.location) as picture:
        assert picture.mimetype == "image/svg+xml"


@pytest.mark.parametrize("headers", [{}, RUSSIAN])
def test_contenders_that_the_form_cannot_hold_are_not_changed_without_a_word(
    client: FlaskClient, parts: Services, headers: dict[str, str]
) -> None:
    celery, consumer = Arm(method="celery"), Arm(method="rabbitmq")
    for arms, told in (
        ([celery, celery, celery, consumer], True),
        ([consumer, celery], True),
        ([celery, celery], False),
        ([celery, consumer], False),
    ):
        found = parts.experiments.rows.add(a_plan(arms=arms))
        text = page(client, f"/experiments?again={found}", headers=headers)
        assert ("ex-changed" in text) is told
        assert (f'href="/experiments/{found}">' in text.partition('id="runs"')[0]) is told


def test_older_experiments_are_a_link_away(
    client: FlaskClient, parts: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.experiments.pages.RECENT", 2)
    for number in range(3):
        parts.experiments.rows.add(a_plan(title=f"Number {number}"))
    text = page(client, "/experiments")
    assert "Number 0" not in text
    older = re.search(r'href="(/experiments\?before=[0-9]+)#runs"', text)
    assert older
    text = page(client, older[1])
    assert "Number 0" in text
    assert "Number 2" not in text
    assert "The newest" in text
    assert page(client, "/experiments?before=nonsense")


def test_the_page_counts_the_repetitions_that_count(client: FlaskClient, parts: Services) -> None:
    plan = a_plan(repetitions=5)
    whole = an_experiment(plan)
    kept = [run for run in whole.runs if run.turn <= (4 if run.arm == 0 else 3)]
    stopped = whole.model_copy(update={"status": "CANCELLED", "runs": kept})
    text = page(client, f"/experiments/{run(parts, stopped)}")
    assert "Repetitions that count: 3–4." in text
    assert "Time to publish and end to end begin" in text
    assert "hold all together" in text


def test_in_russian_names_and_numbers_are_russian(client: FlaskClient, parts: Services) -> None:
    found = run(parts, an_experiment(an_open_plan(duration={"law": "fixed", "seconds": 0.025})))
    text = page(client, f"/experiments/{found}", headers=RUSSIAN)
    seen = re.sub(r"<(style|script).*?</\1>|<[^>]*>", " ", text, flags=re.DOTALL)
    numbers = set(re.findall(r"(?<![0-9.])[0-9]+\.[0-9]+(?![0-9.])", seen))
    assert numbers <= {"99.9"}
    assert "Процессор" in seen
    assert "0,025 с" in seen


def test_what_went_wrong_is_said_in_russian(client: FlaskClient, parts: Services) -> None:
    error = (
        "no worker answers that takes the jobs of Celery, safe: start one with `a`, or in containers with `b`"
    )
    failed = an_experiment(status="FAILED", error=error, runs=[], totals=[], comparisons=[])
    text = page(client, f"/experiments/{run(parts, failed)}", headers=RUSSIAN)
    assert "не отвечает ни один worker, который берёт задачи участника Celery, надёжно" in text


@pytest.mark.parametrize("headers", [{}, RUSSIAN])
def test_page_and_report_say_the_same_figures_in_the_same_way(
    client: FlaskClient, parts: Services, headers: dict[str, str]
) -> None:
    found = run(parts, an_experiment())
    text = page(client, f"/experiments/{found}", headers=headers)
    report = client.get(f"/api/experiments/{found}/report.html", headers=headers).text
    rows = [re.findall(r"<tr data-\w+=.*?</tr>", one, re.DOTALL) for one in (text, report)]
    assert len(rows[0]) > 55
    assert rows[0] == rows[1]
    assert re.findall(r"<figure.*?</figure>", text, re.DOTALL) == re.findall(
        r"<figure.*?</figure>", report, re.DOTALL
    )


MARKS = {
    "foreign_load": ({"value": 0.3}, "Other programs took a share of the machine"),
    "growing_queue": ({"value": 60.0, "of": 100.0}, "More came than was done, and the queue grew"),
    "late_sender": ({"value": 4.0}, "The sender was late"),
    "clock_offset": ({"value": 0.05}, "A worker's clock differs from the sender's"),
    "other_tasks": ({"value": 90.0}, "Workers ran tasks that are not of the experiment"),
}


@pytest.mark.parametrize("kind", MARKS)
def test_what_disturbed_it_is_the_first_line_in_page_terminal_and_every_report(
    client: FlaskClient, parts: Services, kind: str
) -> None:
    values, words = MARKS[kind]
    marked = an_experiment(marks={kind: [Mark(arm=0, turn=1, **values)]})
    found = run(parts, marked)
    reports = {form: client.get(f"/api/experiments/{found}/report.{form}") for form in ("html", "md", "json")}
    for text in (page(client, f"/experiments/{found}"), reports["html"].text):
        first = text[text.index("title-verdict") :].partition("<p")[2].partition("</p>")[0]
        assert words in first.replace("&#39;", "'")
    assert words in reports["md"].text.partition("## Verdict\n\n")[2].splitlines()[0].replace("\\", "")
    assert reports["json"].json["verdict"][0].startswith(words)
    assert client.get(f"/api/experiments/{found}").json["verdict"][0].startswith(words)
    assert summary(marked).splitlines()[2].startswith(f"! {words}")


def test_a_next_step_is_a_button_that_starts_it_once(client: FlaskClient, parts: Services) -> None:
    found = run(parts, an_experiment(a_plan(title="Before")))
    text = page(client, f"/experiments/{found}")
    assert text.index("ex-winners") < text.index('data-step="half"') < text.index("title-figures")
    assert f'action="/experiments/{found}/next/half"' in text
    answers = [client.post(f"/experiments/{found}/next/half", data={"key": "a-key-of-it"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    assert answers[0].location == answers[1].location
    started = parts.experiments.rows.page(1)[0][0]
    assert answers[0].location.endswith(started.id)
    assert isinstance(started.plan.arrival, OpenLoop)
    assert client.post(f"/experiments/{found}/next/nonsense").status_code == 404


def test_what_is_beyond_capacity_is_said_while_it_runs(client: FlaskClient, parts: Services) -> None:
    rows = parts.experiments.rows
    found = rows.add(a_plan(arrival={"law": "open", "share": 0.5}, title=""))
    assert "at 50 % of the capacity, at random times" in page(client, f"/experiments/{found}")
    rows.claim()
    rows.tell(found, 0.0, "measuring the capacity, Celery, safe", {})
    assert "Measuring by a short burst how many jobs a second each can do: Celery, safe" in page(
        client, f"/experiments/{found}/now"
    )
    rows.tell(found, 0.25, "turn 2 of 5, Sync; beyond capacity: 75/s offered, 40/s done", {})
    text = page(client, f"/experiments/{found}/now")
    assert "Turn 2 of 5: Sync<" in text
    assert "Beyond capacity: 75/s offered, 40/s done." in text
