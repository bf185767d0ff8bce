"""Values that no store, broker, JSON or page can carry, at every door: refused with a word, and harmless for good."""

import json
from typing import Any, Final

import hypothesis
import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from api import LabAPI
from api.services import Services
from lab.token import sign
from store.tasks import NewTask

TIMES: Final = (
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "1969-12-31T23:59:59.999999Z",
    "2200-01-01T00:00:00Z",
    "9999-12-31T23:59:59-12:00",
    "9999-12-31T23:59:59.999999+00:00",
    "2026-01-31T24:00:00Z",
    "2026-01-31T12:00:00+24:00",
    "99999999999999999999",
)
NUMBERS: Final = (
    2**31,
    2**53 + 1,
    2**63,
    -(2**63) - 1,
    2**64,
    10**400,
    1e308,
    -1e308,
    5e-324,
    -0.0,
    -1,
    0,
    True,
)
TEXTS: Final = (
    "",
    "\x00",
    "a\x00b",
    "\ufffe\U0010ffff",
    "\u202e",
    "x" * 20_000,
    "%s%n{}",
    "'\";--",
    "-1",
    "NaN",
    "null",
)
ODD = st.sampled_from([*TIMES, *NUMBERS, *TEXTS, None, [], {}, [[]], {"a": {}}, ["\x00"]]) | st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=5,
)
TASK: Final = {"method": "celery", "timeout": 1.0}
PLAN: Final = {"arms": [{"method": "sync", "delivery": "safe"}], "jobs": 5}
# A request of each route that is in order, and what else it may hold.
BODIES: Final[dict[str, tuple[dict[str, Any], tuple[str, ...]]]] = {
    "/api/tasks": (
        TASK,
        ("count", "kind", "numbers", "times", "params", "delivery", "max_retries", "time_limit", "countdown", "eta",
         "expires", "priority", "retry", "keep_result", "callback", "errback"),
    ),
    "/api/workflows": ({"method": "rabbitmq", "pattern": "chain"}, ("source", "count", "fail_at")),
    "/api/experiments": (
        PLAN,
        ("title", "seconds", "duration", "arrival", "p", "payload_bytes", "repetitions", "seed", "deadline"),
    ),
    "/api/groups": ({"method": "celery", "images": ["a"]}, ("operation",)),
    "/process_images": ({"images": ["a"]}, ("operation",)),
    "/api/experiments/differences": (PLAN, ("title", "duration", "arrival")),
}  # fmt: skip
FORMS: Final = {
    "/submit": {"method": "celery", "kind": "process_task", "timeout": "1", "count": "1", "countdown": "",
                "expires": "", "priority": "", "delivery": "safe", "key": "", "max_retries": ""},
    "/workflows": {"method": "rabbitmq", "pattern": "chain", "source": "", "paths": "", "count": "", "key": ""},
    "/experiments": {"title": "", "jobs": "5", "seconds": "", "repetitions": "1", "seed": "1", "deadline": "9"},
    "/control/rate-limit": {"kind": "add", "rate": "1/s", "worker": ""},
    "/control/ping": {"worker": "", "n": ""},
    "/login": {"user": "", "password": ""},
}  # fmt: skip
QUERIES: Final = {
    "/": ("method", "status", "q", "before"),
    "/api/tasks": ("method", "status", "q", "limit", "cursor", "experiment"),
    "/api/dead-letters": ("limit", "cursor"),
    "/dead-letters": ("before",),
    "/api/groups": ("limit",),
    "/api/workflows": ("limit",),
    "/api/experiments": ("limit", "cursor", "status"),
    "/experiments/compare": ("a", "b", "one", "other"),
    "/images": ("method",),
    "/lang/ru": ("next",),
}
PATHS: Final = (
    "/api/tasks/{}", "/tasks/{}", "/task/{}", "/api/groups/{}", "/status/{}", "/images/{}", "/api/workflows/{}",
    "/workflows/{}", "/api/experiments/{}", "/api/experiments/{}/report.csv", "/experiments/{}", "/dead-letters/{}",
    "/api/reports/{}", "/reports/{}", "/api/side-by-side/{}", "/api/tasks/{}/result", "/control/queues/{}/purge",
)  # fmt: skip
LISTS: Final = ("/", "/api/tasks", "/api/workflows", "/workflows", "/api/experiments", "/experiments", "/api/groups",
                "/images", "/dead-letters", "/api/dead-letters", "/metrics")  # fmt: skip

many = hypothesis.settings(
    max_examples=15,
    database=None,
    deadline=None,
    suppress_health_check=[
        hypothesis.HealthCheck.function_scoped_fixture,
        hypothesis.HealthCheck.too_slow,
        hypothesis.HealthCheck.data_too_large,
    ],
)


@pytest.fixture(autouse=True)
def no_exception_passes(app: LabAPI) -> None:
    """Answers as the served application gives them."""
    app.testing = False


def told(client: FlaskClient, method: str, path: str, **more: Any) -> int:
    """The status of the answer, which is no fault of the lab's."""
    with client.open(path, method=method, **more) as answer:
        nothing_behind = (
            answer.status_code == 503 and "The store" not in answer.text
        )  # there is no broker here
        assert answer.status_code < 500 or nothing_behind, (path, more, answer.text)
        return answer.status_code


def assert_all_is_well(client: FlaskClient, parts: Services) -> None:
    """The lists, the page and the stream of events answer."""
    for path in LISTS:
        assert client.get(path).status_code == 200, path
    assert parts.feed.enter()
    stream = parts.feed.stream(0)
    assert [next(stream) for _ in range(2)]
    stream.close()


@many
@given(st.data())
@pytest.mark.parametrize("path", BODIES)
def test_no_body_is_too_much(client: FlaskClient, path: str, data: st.DataObject) -> None:
    good, others = BODIES[path]
    changes = data.draw(st.dictionaries(st.sampled_from([*good, *others]), ODD, min_size=1, max_size=3))
    told(client, "POST", path, data=json.dumps({**good, **changes}), content_type="application/json")


@many
@given(st.data())
@pytest.mark.parametrize("path", FORMS)
def test_no_form_is_too_much(client: FlaskClient, path: str, data: st.DataObject) -> None:
    odd = ODD.map(lambda value: value if isinstance(value, str) else json.dumps(value))
    changes = data.draw(st.dictionaries(st.sampled_from([*FORMS[path]]), odd, min_size=1, max_size=3))
    told(client, "POST", path, data={**FORMS[path], **changes})


@many
@given(st.data())
def test_no_query_and_no_path_is_too_much(client: FlaskClient, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from([*QUERIES]))
    odd = ODD.map(lambda value: (value if isinstance(value, str) else json.dumps(value))[:500])
    query = data.draw(st.dictionaries(st.sampled_from(QUERIES[path]), odd, min_size=1))
    told(client, "GET", path, query_string=query)
    name = data.draw(odd.filter(lambda text: "/" not in text and text not in ("", ".", "..")))
    told(client, "GET", data.draw(st.sampled_from(PATHS)).format(json.dumps(name)[1:-1].replace("%", "%25")))


@many
@given(st.data())
def test_no_update_is_too_much(client: FlaskClient, parts: Services, data: st.DataObject) -> None:
    task = parts.store.add(NewTask("celery", "process_task", {"timeout": 1.0}, 1.0)).rows[0]["id"]
    good = {"task_id": task, "status": "DONE", "token": sign(parts.secret, task), "attempt": 1}
    names = (
        "at",
        "began_at",
        "worker",
        "error",
        "result",
        "run",
        "progress",
        "attempt",
        "status",
        "task_id",
        "first",
    )
    changes = data.draw(st.dictionaries(st.sampled_from(names), ODD, min_size=1, max_size=4))
    if "task_id" in changes and isinstance(changes["task_id"], str):
        changes["token"] = sign(parts.secret, changes["task_id"])
    single = json.dumps({**good, **changes})
    for body in (single, f'{{"updates": [{single}, {json.dumps(good)}]}}'):
        told(client, "POST", "/update_task_status_api/", data=body, content_type="application/json")
    told(client, "GET", f"/api/tasks/{task}")
    told(client, "GET", f"/tasks/{task}")


@many
@given(st.data())
def test_after_any_of_it_lists_page_and_events_answer(
    client: FlaskClient, parts: Services, data: st.DataObject
) -> None:
    for path in ("/api/tasks", "/api/workflows", "/api/experiments"):
        good, others = BODIES[path]
        changes = data.draw(st.dictionaries(st.sampled_from([*good, *others]), ODD, max_size=2))
        told(client, "POST", path, data=json.dumps({**good, **changes}), content_type="application/json")
    test_no_update_is_too_much.hypothesis.inner_test(client, parts, data)
    assert_all_is_well(client, parts)


@pytest.mark.parametrize("name", ["eta", "expires"])
@pytest.mark.parametrize("moment", TIMES)
def test_a_time_out_of_its_bounds_is_named(
    client: FlaskClient, parts: Services, name: str, moment: str
) -> None:
    answer = client.post("/api/tasks", json={**TASK, name: moment})
    assert answer.status_code == 422
    assert {error["field"] for error in answer.json["errors"]} == {name}
    assert sum(parts.store.counts().values()) == 0


@pytest.mark.parametrize("name", ["at", "began_at"])
@pytest.mark.parametrize("moment", TIMES)
def test_a_time_that_a_worker_tells_is_bounded_too(
    client: FlaskClient, parts: Services, name: str, moment: str
) -> None:
    task = client.post("/api/tasks", json=TASK).json["tasks"][0]["id"]
    update = {"task_id": task, "status": "DONE", "token": sign(parts.secret, task), name: moment}
    answer = client.post("/update_task_status_api/", json=update)
    assert (answer.status_code, name in answer.text) == (400, True)
    assert client.get(f"/api/tasks/{task}").json["status"] == "PENDING"
