"""The pages of the fault lab, from runs that are made up, without a broker."""

import re

import pytest
from flask.testing import FlaskClient

from api.services import Services
from faults.cards import CARDS
from tests.fault_samples import a_document, keep
from tests.unit.api.experiments.test_pages import page

CARD = "/faults/cards/worker-killed"
FORM = {"arm": ["celery:naive", "celery:safe"], "jobs": "20", "seconds": "0,2", "seed": "1", "strength": "1"}
RUSSIAN = {"Accept-Language": "ru"}


@pytest.fixture(autouse=True)
def _runs_can_be_started(parts: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts.faults, "can_run", lambda: True)


def test_every_card_has_its_question_its_issue_and_its_form(client: FlaskClient) -> None:
    text = page(client, "/faults")
    for card in CARDS.values():
        assert f'href="/faults/cards/{card.name}"' in text
        assert card.issue_url in text
        page(client, f"/faults/cards/{card.name}", headers=RUSSIAN)
    assert client.get("/faults/cards/none").status_code == 404


def test_the_form_starts_a_run_with_what_was_predicted_and_goes_to_its_page(
    client: FlaskClient, parts: Services
) -> None:
    answer = client.post(CARD, data={**FORM, "lost.celery:naive": "3", "doubled.celery:safe": "1"})
    assert answer.status_code == 303, answer.text
    run = parts.faults.get(answer.headers["Location"].rpartition("/")[2])
    assert run is not None
    assert (run.jobs, run.seconds, list(run.arms)) == (20, 0.2, FORM["arm"])
    guessed = {arm: (guess.lost, guess.doubled) for arm, guess in run.prediction.items()}
    assert guessed == {"celery:naive": (3, 0), "celery:safe": (0, 1)}


def test_a_form_sent_twice_is_one_run(client: FlaskClient) -> None:
    data = {**FORM, "key": "k" * 16}
    assert (
        client.post(CARD, data=data).headers["Location"] == client.post(CARD, data=data).headers["Location"]
    )
    assert client.post(CARD, data={**data, "jobs": "8"}).status_code == 409


def test_a_form_with_faults_comes_back_as_it_was_typed_with_what_is_wrong(client: FlaskClient) -> None:
    data = {**FORM, "arm": [], "jobs": "2", "strength": "77", "lost.celery:safe": "many"}
    answer = client.post(CARD, data=data)
    assert answer.status_code == 422
    said = dict(re.findall(r'data-error="(\w+)">([^<]+)<', answer.text))
    assert said.keys() == {"arm", "jobs"}
    assert re.search(r'name="jobs" type="text"[^>]*value="2"', answer.text)
    answer = client.post(CARD, data={**data, "arm": FORM["arm"], "jobs": "20"})
    assert set(re.findall(r'data-error="(\w+)">[^<]+<', answer.text)) == {"prediction"}
    answer = client.post(CARD, data={**FORM, "strength": "77"})
    assert set(re.findall(r'data-error="(\w+)">[^<]+<', answer.text)) == {"strength"}


def test_without_a_broker_to_start_the_pages_say_what_to_do(
    client: FlaskClient, parts: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts.faults, "can_run", lambda: False)
    for address in ("/faults", CARD, "/faults/matrix"):
        assert "docker compose --profile faults run" in page(client, address)
    assert client.post(CARD, data=FORM).status_code == 409


def test_a_run_that_has_ended_shows_each_job_the_counters_the_prediction_and_why(
    client: FlaskClient, parts: Services
) -> None:
    guess = {"celery:naive": {"lost": 3, "doubled": 0}, "celery:safe": {"lost": 0, "doubled": 1}}
    run_id = keep(parts, a_document("celery:naive", "celery:safe", jobs=12), guess)
    text = page(client, f"/faults/{run_id}")
    assert 'data-status="DONE" data-ended' in text
    assert text.count("?arm=celery:naive&amp;job=3#job") == 3  # in both pictures, and in the table
    assert "fault-fault-hatch" in text
    assert re.search(r'<tr data-arm="celery:naive">.*?not as predicted', text, re.DOTALL)
    assert re.search(r'<tr data-arm="celery:safe">.*?as predicted', text, re.DOTALL)
    assert "agree." in text
    assert CARDS["worker-killed"].why.split(",")[0] in text
    assert 'href="/side-by-side/late-acks"' in text
    assert f'href="/faults/cards/worker-killed?again={run_id}"' in text
    page(client, f"/faults/{run_id}", headers=RUSSIAN)


def test_one_job_is_shown_with_its_history(client: FlaskClient, parts: Services) -> None:
    run_id = keep(parts, a_document("celery:naive", jobs=12))
    text = page(client, f"/faults/{run_id}?arm=celery:naive&job=3")
    assert re.search(r"job 3</strong>: lost – its message: in no queue", text)
    assert 'data-status="IN_PROGRESS"' in text
    assert "There is no such job." in page(client, f"/faults/{run_id}?arm=celery:naive&job=99")


def test_a_run_is_shown_while_it_goes_on_and_can_be_cancelled(client: FlaskClient, parts: Services) -> None:
    document = a_document("celery:safe", jobs=12, phases={"baseline": (0.0, 4.0), "fault": (4.0, None)})
    run_id = parts.faults.rows.add([{"card": "worker-killed", "arms": ["celery:safe"], "jobs": 12}])[0]
    assert "Its turn has not come" in page(client, f"/faults/{run_id}")
    parts.faults.rows.claim()
    assert "A lab of its own is starting" in page(client, f"/faults/{run_id}/now")
    parts.faults.rows.tell(run_id, document)
    now = page(client, f"/faults/{run_id}/now")
    assert "The fault is in effect." in now
    assert 'data-status="IN_PROGRESS"' in now
    assert client.post(f"/faults/{run_id}/cancel").status_code == 303
    assert parts.faults.rows.cancelled(run_id)


def test_a_run_that_failed_says_why(client: FlaskClient, parts: Services) -> None:
    run_id = parts.faults.rows.add([{"card": "deploy", "arms": ["celery:safe"]}])[0]
    parts.faults.rows.claim()
    parts.faults.rows.finish(run_id, "FAILED", "no room <for> a broker", None)
    assert "no room &lt;for&gt; a broker" in page(client, f"/faults/{run_id}")
    assert client.get("/faults/none").status_code == 404


def test_the_matrix_has_numbers_where_something_ran_and_runs_what_is_missing(
    client: FlaskClient, parts: Services
) -> None:
    run_id = keep(parts, a_document())
    text = page(client, "/faults/matrix")
    row = text.partition('<tr data-card="worker-killed">')[2].partition("</tr>")[0]
    assert row.count(f'href="/faults/{run_id}"') == 4
    assert "lost 1" in row
    assert "ran twice 1" in row
    assert "lost" not in text.partition('<tr data-card="deploy">')[2].partition("</tr>")[0]
    for _again in range(2):
        assert client.post("/faults/matrix", data={"key": "m" * 16}).status_code == 303
    assert len(parts.faults.rows.open()) == len(CARDS) - 1
    assert 'id="now"' in page(client, "/faults/matrix", headers=RUSSIAN)
    assert "14 runs are under way or wait" in page(client, "/faults/matrix/now")


def test_again_fills_the_form_in(client: FlaskClient, parts: Services) -> None:
    run_id = keep(parts, a_document("celery:safe", jobs=17, seed=9))
    text = page(client, f"{CARD}?again={run_id}")
    assert re.search(r'name="jobs"[^>]+value="17"', text)
    assert re.search(r'value="celery:safe"[^>]+checked', text)
    assert not re.search(r'value="rabbitmq:safe"[^>]+checked', text)
