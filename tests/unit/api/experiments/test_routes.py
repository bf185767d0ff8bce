import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from api.services import Services
from experiments.arrivals import jobs_of
from experiments.figures import figures_of
from experiments.model import ArmTurn
from experiments.plan import Plan
from experiments.sampling import pack, samples_of
from store.experiments import conclude

PLAN = {"arms": [{"method": "sync"}], "jobs": 3}


def test_a_plan_is_taken_and_can_be_looked_at(client: FlaskClient) -> None:
    answer = client.post("/api/experiments", json=PLAN)
    assert answer.status_code == 202
    taken = answer.get_json()
    assert answer.headers["Location"] == f"/api/experiments/{taken['id']}"
    found = client.get(answer.headers["Location"]).get_json()
    assert (found["status"], found["race"], found["runs"]) == ("PENDING", {}, [])
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", found["created_at"])
    assert found["finished_at"] is None
    assert found["plan"]["arms"] == [{"method": "sync", "delivery": "safe"}]
    listed = client.get("/api/experiments").get_json()
    assert [one["id"] for one in listed["experiments"]] == [taken["id"]]
    assert listed["next"] is None


def test_it_can_be_watched_without_its_repetitions(client: FlaskClient, parts: Services) -> None:
    rows = parts.experiments.rows
    experiment_id = rows.add(Plan.model_validate(PLAN))
    rows.claim()
    plan = Plan.model_validate(PLAN)
    figures = figures_of(samples_of(jobs_of(plan, 1), 1, [], [], [], {}, {}, in_request=True), plan, 1, {})
    rows.keep_run(experiment_id, ArmTurn(turn=1, arm=0, begun_us=1, figures=figures), pack([]))
    path = f"/api/experiments/{experiment_id}"
    assert len(client.get(path).get_json()["runs"]) == 1
    watched = client.get(f"{path}?runs=false").get_json()
    assert (watched["runs"], watched["status"], watched["race"]) == ([], "IN_PROGRESS", {})
    assert client.get(f"{path}?runs=some").status_code == 422


def test_reports_travel_beside_the_path_unless_the_plan_says_otherwise(client: FlaskClient) -> None:
    for told, kept in (({}, "beside"), ({"reports": "in_path"}, "in_path")):
        taken = client.post("/api/experiments", json={**PLAN, **told}).get_json()
        assert taken["plan"]["reports"] == kept
    wrong = client.post("/api/experiments", json={**PLAN, "reports": "never"})
    assert (wrong.status_code, wrong.get_json()["errors"][0]["field"]) == (422, "reports")


def test_a_repeated_request_is_taken_once(client: FlaskClient) -> None:
    headers = {"Idempotency-Key": "once"}
    first = client.post("/api/experiments", json=PLAN, headers=headers).get_json()
    assert client.post("/api/experiments", json=PLAN, headers=headers).get_json()["id"] == first["id"]
    other = client.post("/api/experiments", json={**PLAN, "jobs": 4}, headers=headers)
    assert other.status_code == 409
    assert other.content_type == "application/problem+json"


def test_what_is_wrong_with_a_plan_is_said_by_field_and_bound(client: FlaskClient) -> None:
    answer = client.post("/api/experiments", json={**PLAN, "jobs": 100_001})
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0] == {
        "field": "jobs",
        "message": "Input should be less than or equal to 100000",
        "code": "less_than_equal",
        "bound": 100_000,
    }
    both = client.post("/api/experiments", json={**PLAN, "seconds": 3})
    assert "either jobs or seconds" in both.get_json()["detail"]


@pytest.mark.parametrize(
    ("more", "field", "bound"),
    [
        ({"duration": {"law": "fixed", "seconds": -1}}, "duration.seconds", 0.0),
        ({"duration": {"law": "values", "values": [1, -1]}}, "duration.values.1", 0.0),
        ({"arrival": {"law": "open", "rate": 0, "spacing": "even"}}, "arrival.rate", 0.0),
        ({"arrival": {"law": "never"}}, "arrival", None),
    ],
)
def test_a_field_of_a_law_is_named_as_the_request_has_it(
    client: FlaskClient, more: dict[str, Any], field: str, bound: float | None
) -> None:
    plan = {"arms": [{"method": "sync"}], "jobs": 1, **more}
    (error,) = client.post("/api/experiments", json=plan).get_json()["errors"]
    assert (error["field"], error.get("bound")) == (field, bound)


def test_what_differs_is_told_before_anything_runs(client: FlaskClient, parts: Services) -> None:
    plan = {**PLAN, "arms": [{"method": "sync"}, {"method": "rabbitmq", "delivery": "naive"}]}
    answer = client.post("/api/experiments/differences", json=plan)
    assert answer.status_code == 200
    rows = {row["key"]: row for row in answer.get_json()["fairness"]}
    assert rows["concurrency"]["can_equalise"]
    assert rows["queue_type"]["values"] == ["none", "classic"]
    assert client.post("/api/experiments/differences", json={**plan, "jobs": 0}).status_code == 422
    assert parts.experiments.rows.page(10)[0] == []


def test_cancelling_answers_as_it_stands(client: FlaskClient, parts: Services) -> None:
    experiment_id = client.post("/api/experiments", json=PLAN).get_json()["id"]
    answer = client.post(f"/api/experiments/{experiment_id}/cancel")
    assert (answer.status_code, answer.get_json()["status"]) == (202, "CANCELLED")
    assert client.post(f"/api/experiments/{experiment_id}/cancel").status_code == 409


def test_an_experiment_that_is_not_there_is_not_found(client: FlaskClient) -> None:
    for path in ("", "/report.html", "/report.md", "/report.csv", "/report.json"):
        answer = client.get(f"/api/experiments/nothing{path}")
        assert (answer.status_code, answer.content_type) == (404, "application/problem+json")
    assert client.post("/api/experiments/nothing/cancel").status_code == 404


def test_a_finished_experiment_can_be_had_as_a_file_in_four_forms(
    client: FlaskClient, parts: Services
) -> None:
    rows = parts.experiments.rows
    experiment_id = client.post("/api/experiments", json=PLAN).get_json()["id"]
    rows.claim()
    plan = Plan.model_validate(PLAN)
    jobs = jobs_of(plan, 1)
    task = {
        "num": 1, "status": "DONE", "attempt": 1, "worker": "sync-1", "created_us": 1_000_000,
        "published_us": None, "started_us": 1_000_100, "finished_us": 1_000_200,
    }  # fmt: skip
    ends = [{"num": 1, "status": "DONE", "recorded_us": 1_000_300}]
    samples = samples_of(jobs, 1_000_000, [1, 1, 1], [task], ends, {}, {}, in_request=True)
    figures = figures_of(samples, plan, 1_000_000, {})
    rows.keep_run(experiment_id, ArmTurn(turn=1, arm=0, begun_us=1_000_000, figures=figures), pack(samples))
    conclude(rows, experiment_id, "DONE")
    path = f"/api/experiments/{experiment_id}/report"
    html, text, table, document = (client.get(f"{path}.{kind}") for kind in ("html", "md", "csv", "json"))
    assert html.content_type == "text/html; charset=utf-8"
    assert html.headers["Content-Disposition"].endswith(f'filename="experiment-{experiment_id[:8]}.html"')
    assert html.text.lower().startswith("<!doctype html>")
    assert text.text.startswith("#")
    assert len(table.text.splitlines()) == 1 + 3
    assert document.get_json()["runs"][0]["figures"]["jobs"] == 3
    russian = client.get(f"{path}.html", headers={"Accept-Language": "ru"})
    assert 'lang="ru"' in russian.text
