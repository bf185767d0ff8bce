import re

from flask.testing import FlaskClient
from openapi_spec_validator import validate

from api import LabAPI


def test_the_document_is_valid_openapi(client: FlaskClient) -> None:
    validate(client.get("/openapi.json").json)


def test_every_json_route_is_described(app: LabAPI, client: FlaskClient) -> None:
    described = {
        (re.sub(r"{.*?}", "*", path), method.upper())
        for path, item in client.get("/openapi.json").json["paths"].items()
        for method in item
    }
    routes = {
        (re.sub(r"<.*?>", "*", rule.rule), method)
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if rule.rule.startswith(("/api/", "/update_task_status_api", "/healthz", "/readyz", "/metrics"))
    }
    assert routes <= described


def test_bounds_stand_in_the_document(client: FlaskClient) -> None:
    schema = client.get("/openapi.json").json["components"]["schemas"]["TaskRequest"]["properties"]
    assert schema["count"]["maximum"] == 10_000
    assert "3600" in str(schema["timeout"])


def test_the_page_and_its_assets_come_from_here(client: FlaskClient) -> None:
    page = client.get("/docs").text
    assert not re.search(r"(src|href)=\"(https?:)?//", page)
    assets = re.findall(r"<(?:script[^>]+src|link[^>]+href)=\"(/[^\"]+)\"", page)
    assert any("swagger-ui" in address for address in assets)
    for address in assets:
        with client.get(address) as answer:
            assert answer.status_code == 200, address


def test_an_asset_outside_its_folder_is_not_served(client: FlaskClient) -> None:
    assert client.get("/docs/assets/../../../api/__init__.py").status_code == 404
    assert client.get("/docs/assets/%2e%2e/%2e%2e/__init__.py").status_code == 404


def test_errors_are_described_as_the_problem_documents_that_they_are(client: FlaskClient) -> None:
    paths = client.get("/openapi.json").json["paths"]
    submit = paths["/api/tasks"]["post"]["responses"]
    for status in ("400", "401", "403", "409", "413", "415", "422", "429", "503"):
        assert submit[status]["content"].keys() == {"application/problem+json"}, status
    assert paths["/healthz"]["get"]["responses"]["200"]
    assert "404" in paths["/api/tasks/{task_id}"]["get"]["responses"]


def test_a_method_that_a_route_does_not_take_is_answered_as_that_whatever_the_body_is(
    client: FlaskClient,
) -> None:
    answer = client.post("/api/experiments", data="x")
    assert answer.status_code == 415
    assert client.post("/healthz", data="x").status_code == 405
    assert client.post("/api/tasks/x", data="x").status_code == 405
    assert client.post("/api/nothing", data="x").status_code == 404
