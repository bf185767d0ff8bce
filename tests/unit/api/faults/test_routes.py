"""The JSON API of the fault lab, from runs that are made up."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from api.faults.service import FaultLab
from api.services import Services
from faults.document import ARMS
from tests.fault_samples import a_document, keep

BODY = {"card": "worker-killed", "arms": [{"method": "celery", "delivery": "safe"}], "jobs": 20}


@pytest.fixture(autouse=True)
def _runs_can_be_started(parts: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts.faults, "can_run", lambda: True)


def test_a_run_is_taken_as_asked_with_the_card_s_own_values_for_what_is_left_out(client: FlaskClient) -> None:
    answer = client.post(
        "/api/faults", json={**BODY, "prediction": {"celery:safe": {"lost": 0, "doubled": 1}}}
    )
    assert answer.status_code == 202, answer.text
    run = answer.get_json()
    assert answer.headers["Location"].endswith(f"/api/faults/{run['id']}")
    assert (run["status"], run["jobs"], run["seed"], run["strength"]) == ("PENDING", 20, 1, 1.0)
    assert list(run["arms"]) == ["celery:safe"]
    assert run["prediction"] == {"celery:safe": {"lost": 0, "doubled": 1}}
    assert client.get(f"/api/faults/{run['id']}").get_json() == run


def test_a_card_alone_is_run_by_all_contenders(client: FlaskClient) -> None:
    run = client.post("/api/faults", json={"card": "deploy"}).get_json()
    assert list(run["arms"]) == list(ARMS)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"card": "no-such"}, "card"),
        ({"arms": []}, "arms"),
        ({"arms": [{"method": "sync"}]}, "arms.0.method"),
        ({"jobs": 3}, "jobs"),
        ({"jobs": 100_000}, "jobs"),
        ({"seconds": 0}, "seconds"),
        ({"strength": 99}, "strength"),
        ({"prediction": {"celery:safe": {"lost": -1, "doubled": 0}}}, "prediction.celery:safe.lost"),
        ({"more": 1}, "more"),
    ],
)
def test_what_cannot_be_run_is_refused_by_the_field_s_name(
    client: FlaskClient, changes: dict[str, Any], field: str
) -> None:
    answer = client.post("/api/faults", json={**BODY, **changes})
    assert answer.status_code == 422
    assert answer.mimetype == "application/problem+json"
    assert field in [error["field"] for error in answer.get_json()["errors"]]


def test_the_same_request_under_the_same_key_is_one_run(client: FlaskClient) -> None:
    key = {"Idempotency-Key": "one"}
    first, again = (client.post("/api/faults", json=BODY, headers=key).get_json()["id"] for _ in range(2))
    assert first == again
    assert client.post("/api/faults", json={**BODY, "jobs": 8}, headers=key).status_code == 409


def test_where_no_broker_can_be_started_it_says_what_to_start(
    client: FlaskClient, parts: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts.faults, "can_run", lambda: False)
    answer = client.post("/api/faults", json=BODY)
    assert answer.status_code == 409
    assert "make up" in answer.get_json()["detail"]


def test_a_run_is_cancelled_once(client: FlaskClient) -> None:
    run_id = client.post("/api/faults", json=BODY).get_json()["id"]
    assert client.post(f"/api/faults/{run_id}/cancel").get_json()["status"] == "CANCELLED"
    assert client.post(f"/api/faults/{run_id}/cancel").status_code == 409
    assert client.post("/api/faults/none/cancel").status_code == 404


def test_runs_are_listed_newest_first_without_their_jobs(client: FlaskClient, parts: Services) -> None:
    ids = [keep(parts, a_document("celery:naive", jobs=5)) for _ in range(3)]
    page = client.get("/api/faults?limit=2").get_json()
    assert [run["id"] for run in page["runs"]] == ids[:0:-1]
    assert page["runs"][0]["marks"] == {}
    assert page["runs"][0]["arms"]["celery:naive"]["lost"] == 1
    rest = client.get(f"/api/faults?limit=2&cursor={page['next']}").get_json()
    assert ([run["id"] for run in rest["runs"]], rest["next"]) == (ids[:1], None)
    assert client.get("/api/faults?card=deploy").get_json()["runs"] == []
    assert len(client.get(f"/api/faults/{ids[0]}").get_json()["marks"]["celery:naive"]) == 5


def test_a_cell_of_the_matrix_is_the_newest_run_s_and_null_where_none_was(
    client: FlaskClient, parts: Services
) -> None:
    keep(parts, a_document("celery:naive", "celery:safe"))
    newest = keep(parts, a_document("celery:naive", jobs=8))
    client.post("/api/faults", json=BODY)
    matrix = client.get("/api/faults/matrix").get_json()
    cells = next(row for row in matrix["cards"] if row["card"] == "worker-killed")["cells"]
    assert (cells["celery:naive"]["run"], cells["celery:naive"]["lost"]) == (newest, 1)
    assert cells["celery:safe"]["doubled"] == 1
    assert cells["rabbitmq:safe"] is None
    assert matrix["missing"] == len(matrix["cards"]) * len(ARMS) - 2
    assert matrix["waiting"] == 1
    assert matrix["estimate_seconds"] >= 0


def test_what_is_missing_is_one_run_for_each_card_by_those_that_never_ran_it(parts: Services) -> None:
    lab: FaultLab = parts.faults
    keep(parts, a_document("celery:naive", "celery:safe"))
    plans = {plan.card: plan.arms for plan in lab.missing(lab.matrix())}
    assert set(plans["worker-killed"]) == {"rabbitmq:naive", "rabbitmq:safe"}
    assert plans["deploy"] == ARMS
    lab.start(lab.missing(lab.matrix()))
    assert lab.missing(lab.matrix()) == []


def test_a_run_that_cannot_be_read_is_left_out(client: FlaskClient, parts: Services) -> None:
    run_id = parts.faults.rows.add([{"card": "worker-killed", "arms": ["of another version"]}])[0]
    assert client.get("/api/faults").get_json()["runs"] == []
    assert client.get(f"/api/faults/{run_id}").status_code == 404


def test_a_report_has_four_forms_and_the_matrix_one(client: FlaskClient, parts: Services) -> None:
    run_id = keep(parts, a_document("celery:naive", jobs=5))
    told = {form: client.get(f"/api/faults/{run_id}/report.{form}") for form in ("html", "md", "csv", "json")}
    for form, answer in told.items():
        assert answer.status_code == 200
        name = f'attachment; filename="fault-worker-killed-{run_id[:8]}.{form}"'
        assert answer.headers["Content-Disposition"] == name
    assert told["html"].text.startswith("<!doctype html>")
    assert told["json"].get_json()["id"] == run_id
    assert len(told["csv"].text.splitlines()) == 6
    matrix = client.get("/api/faults/matrix.md", headers={"Accept-Language": "ru"}).text
    assert "python -m faults run worker-killed" in matrix
    assert client.get("/api/faults/none/report.md").status_code == 404
