import re

from flask.testing import FlaskClient
from openapi_spec_validator import validate

from api import LabAPI
from api.web.described import prose


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


def test_the_page_shows_every_route_and_document_and_leads_back(client: FlaskClient) -> None:
    page, document = client.get("/docs").text, client.get("/openapi.json").json
    for path, item in document["paths"].items():
        for method, told in item.items():
            assert f"<strong>{method.upper()}</strong> <code>{path}</code>" in page
            assert f'id="{told["operationId"]}"' in page
    anchors = set(re.findall(r'id="(schema-[^"]+)"', page))
    assert {name.removeprefix("schema-") for name in anchors} == document["components"]["schemas"].keys()
    assert set(re.findall(r'href="#(schema-[^"]+)"', page)) <= anchors
    assert 'class="crumb"><a href="/"' in page
    assert all(
        address.startswith("/") for address in re.findall(r'<(?:script|link)[^>]+(?:src|href)="([^"]+)', page)
    )


def test_the_page_shows_code_in_descriptions_as_code(client: FlaskClient) -> None:
    page = client.get("/docs").text
    assert "`" not in page
    assert "<code>Idempotency-Key</code> is honoured." in page


def test_descriptions_are_escaped_within_code_and_outside() -> None:
    assert prose("a < `<b>` & `") == "a &lt; <code>&lt;b&gt;</code> &amp; `"
    assert prose("") == ""


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
