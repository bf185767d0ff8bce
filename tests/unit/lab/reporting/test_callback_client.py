import json
import time
from pathlib import Path

import pytest

from lab.job import Job
from lab.reporting.callback_client import CallbackClient, Unreachable
from lab.reporting.job_report import Line, Lines
from lab.reporting.reporter import Reporter
from lab.reporting.spool import Spool
from lab.status import TaskStatus
from tests.callback_api import Api

MEGABYTE = 1_000_000


def done(task_id: str, result: object = 7) -> Line:
    job = Job(task_id=task_id, num=1, params={"timeout": 1.0}, token="t")
    return Lines(job, "w", 1, redelivered=False).line(TaskStatus.DONE, result=result)


def told(api: Api) -> dict[str, str]:
    return {update["task_id"]: update["status"] for update in api.updates}


@pytest.mark.parametrize("code", [301, 400, 403, 404, 410, 413, 422, 502])
def test_what_a_gateway_answers_is_no_answer(api: Api, code: int) -> None:
    api.own, api.answers = False, [code]
    client = CallbackClient(api.url)
    with pytest.raises(Unreachable, match=str(code)):
        client.post([done("x")])
    assert client.post([done("x")])[0].applied
    assert told(api) == {"x": "DONE"}


@pytest.mark.parametrize(
    "body",
    [
        b"<html>Welcome</html>",
        b'{"results":[{"task_id":"x","appl',
        b'{"results":[]}',
        b'{"results":[{"task_id":"y"}]}',
        b"",
    ],
)
def test_a_200_counts_only_with_verdicts_on_the_same_tasks(api: Api, body: bytes) -> None:
    api.bodies = [body]
    client = CallbackClient(api.url)
    with pytest.raises(Unreachable):
        client.post([done("x")])
    assert client.post([done("x")])[0].applied


def test_an_answer_of_two_bytes_a_second_ends_in_time(api: Api) -> None:
    api.trickle = 1
    client = CallbackClient(api.url, answer_seconds=1.0)
    begin = time.monotonic()
    with pytest.raises(Unreachable):
        client.post([done("x")])
    assert time.monotonic() - begin < 15
    assert client.post([done("x")])[0].applied


@pytest.mark.parametrize("own", [True, False])
def test_a_result_that_is_refused_for_its_size_ends_failed_and_holds_up_no_other(api: Api, own: bool) -> None:
    api.own, api.most_bytes = own, MEGABYTE
    lines = [done("large", "x" * 2 * MEGABYTE), *(done(str(n)) for n in range(18))]
    CallbackClient(api.url).post(lines)
    assert told(api) == {"large": "FAILED"} | {str(n): "DONE" for n in range(18)}
    (large,) = [update for update in api.updates if update["task_id"] == "large"]
    assert "413" in large["error"]
    assert "result" not in large


def test_a_spooled_result_whose_way_is_cut_ends_failed_and_holds_up_no_other(
    api: Api, tmp_path: Path
) -> None:
    api.cut_bytes = MEGABYTE
    spool = Spool(tmp_path)
    spool.put([done("large", "x" * 2 * MEGABYTE).json, *(done(str(n)).json for n in range(18))])
    spool.close()
    Reporter(api.url, Spool(tmp_path)).start()
    deadline = time.monotonic() + 60
    while len(told(api)) < 19 or list(tmp_path.iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert told(api) == {"large": "FAILED"} | {str(n): "DONE" for n in range(18)}


def test_one_cut_of_a_large_body_is_no_refusal(api: Api) -> None:
    api.cut_bytes = MEGABYTE
    client = CallbackClient(api.url)
    with pytest.raises(Unreachable):
        client.post([done("large", "x" * 2 * MEGABYTE)])
    api.cut_bytes = None
    client.post([done("large", "x" * 2 * MEGABYTE)])
    assert told(api) == {"large": "DONE"}


def test_a_result_too_deep_to_be_read_is_left_out_unread(api: Api) -> None:
    api.answers = [400]
    line = done("x")
    deep = line.json.replace(b'"result":7', b'"result":' + b"[" * 900 + b"]" * 900)
    CallbackClient(api.url).post([Line("x", deep)])
    assert [(update["status"], "HTTP 400" in update["error"]) for update in api.updates] == [("FAILED", True)]


def test_the_spool_hands_out_large_lines_a_few_at_a_time(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    lines = [done(str(n), "x" * 600_000).json for n in range(5)]
    spool.put(lines)
    batches: list[list[bytes]] = []
    assert spool.send(batches.append) == 5
    assert [line for batch in batches for line in batch] == lines
    assert [len(batch) for batch in batches] == [2, 2, 1]
    assert json.loads(batches[0][0])["task_id"] == "0"
