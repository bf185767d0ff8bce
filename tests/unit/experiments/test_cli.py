"""The command line against a lab that is a double; against a real one: tests/integration/test_experiments_cli.py."""

import io
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from experiments.cli import main
from experiments.cli_text import ProgressBar
from experiments.client import ClientError, LabClient, NobodyAnswers
from experiments.model import Experiment
from experiments.plan import OpenLoop, Plan
from tests.experiment_samples import a_plan, an_experiment

NOWHERE = "http://127.0.0.1:1"


@cache
def _ran() -> Experiment:
    return an_experiment()


def one_that_ran(plan: Plan | None = None) -> Experiment:
    """An experiment with figures, as that of `plan`."""
    return _ran() if plan is None else _ran().model_copy(update={"plan": plan})


class FakeLab(ThreadingHTTPServer):
    """Answers the routes of experiments with `experiments`; a new one goes through `states`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.experiments: dict[str, Experiment] = {}
        self.states: list[dict[str, Any]] = [{"status": "IN_PROGRESS", "progress": 0.5, "step": "turn 1"}]
        self.end: dict[str, Any] = {"status": "DONE", "progress": 1.0, "step": ""}
        self.plans: list[Plan] = []
        self.authorization: str | None = None
        self.refusal: tuple[int, dict[str, Any]] | None = None
        self.cancelled: list[str] = []


class Handler(BaseHTTPRequestHandler):
    server: FakeLab

    def do_GET(self) -> None:
        lab = self.server
        path = self.path.partition("?")[0].removeprefix("/api/experiments").strip("/").split("/")
        if self.path == "/healthz":
            self._answer(200, {})
        elif lab.authorization and self.headers["Authorization"] != lab.authorization:
            self._answer(401, {"detail": "Log in first"})
        elif path == [""]:
            found = [json.loads(one.model_dump_json()) for one in lab.experiments.values()]
            self._answer(200, {"experiments": found, "next": None})
        elif (one := lab.experiments.get(path[0])) is None:
            self._answer(404, {"detail": f"there is no experiment {path[0]}"})
        elif len(path) == 2:
            self._answer(200, {"report": path[1]})
        else:
            if one.status in ("PENDING", "IN_PROGRESS"):
                state = lab.states.pop(0) if lab.states else lab.end
                one = lab.experiments[path[0]] = one.model_copy(update=state)
            self._answer(200, {**json.loads(one.model_dump_json()), "race": {}})

    def do_POST(self) -> None:
        lab, body = self.server, self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.endswith("/cancel"):
            lab.cancelled.append(self.path.split("/")[3])
            lab.end = {"status": "CANCELLED"}
            self._answer(202, {})
        elif lab.refusal:
            self._answer(*lab.refusal)
        elif self.path.endswith("/differences"):
            rows = [row.model_dump(mode="json") for row in _ran().fairness]
            self._answer(200, {"fairness": rows})
        else:
            assert self.headers["Idempotency-Key"]
            plan = Plan.model_validate_json(body)
            lab.plans.append(plan)
            lab.experiments["new"] = one_that_ran(plan).model_copy(update={"id": "new", "status": "PENDING"})
            self._answer(202, {"id": "new", "status": "PENDING"})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLab]:
    monkeypatch.setattr("experiments.cli.LOOK_SECONDS", 0.01)
    with FakeLab() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def call(*words: str) -> tuple[int, str, str]:
    """The exit status, and what was written on standard output and error."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main(words)
    return status, out.getvalue(), err.getvalue()


def run(lab: FakeLab, *words: str) -> tuple[int, str, str]:
    return call("run", "--url", lab.url, "--jobs", "20", *words)


def test_a_run_prints_its_verdict_and_figures(lab: FakeLab) -> None:
    status, out, err = run(lab, "--title", "Mine")
    assert status == 0
    assert [plan.title for plan in lab.plans] == ["Mine"]
    assert "Celery, safe" in out
    assert "Throughput" in out
    assert err.index("Kind of pool") < err.index(f"{lab.url}/experiments/new") < err.index("turn 1")
    assert "Alike: Concurrency in all." in err
    assert "Kind of pool" in out


def test_json_is_the_whole_document_and_nothing_else(lab: FakeLab) -> None:
    status, out, _ = run(lab, "--json")
    assert status == 0
    found = Experiment.model_validate_json(out)
    assert (found.id, found.status, found.plan.jobs) == ("new", "DONE", 20)


def test_reports_are_written_into_their_files(lab: FakeLab, tmp_path: Path) -> None:
    files = [tmp_path / f"r.{kind}" for kind in ("html", "md", "csv", "json")]
    status, _, _ = run(lab, *(word for file in files for word in ("--report", str(file))))
    assert status == 0
    assert [json.loads(file.read_text())["report"] for file in files] == [
        f"report.{file.suffix[1:]}" for file in files
    ]


def test_a_failed_experiment_exits_with_its_sentence(lab: FakeLab) -> None:
    lab.end = {"status": "FAILED", "error": "No worker answers."}
    status, out, err = run(lab, "--json")
    assert status == 1
    assert err.endswith("No worker answers.\n")
    assert Experiment.model_validate_json(out).status == "FAILED"


def test_one_that_somebody_cancelled_is_a_failure_too(lab: FakeLab) -> None:
    lab.end = {"status": "CANCELLED"}
    status, _, err = run(lab)
    assert (status, err.splitlines()[-1]) == (1, "The experiment was cancelled.")


def test_what_the_lab_refuses_names_the_option(lab: FakeLab) -> None:
    errors = [{"field": "payload_bytes", "message": "too much", "bound": 5}]
    lab.refusal = (422, {"detail": "payload_bytes: too much", "errors": errors})
    status, _, err = run(lab)
    assert (status, err.splitlines()[-1]) == (2, "Error: --payload: too much")


def test_what_the_lab_cannot_do_is_said_and_fails(lab: FakeLab) -> None:
    lab.refusal = (409, {"detail": "no worker answers: start one with `python -m consumer`"})
    assert run(lab)[::2] == (1, "No worker answers: start one with `python -m consumer`.\n")


def test_bad_options_exit_with_two_before_anything_is_sent(lab: FakeLab) -> None:
    assert run(lab, "--p", "7")[0] == 2
    assert run(lab, "--report", "x.pdf")[0] == 2
    assert lab.plans == []


def test_without_a_command_it_shows_its_usage() -> None:
    status, out, err = call()
    assert (status, out) == (2, "")
    assert err.startswith("Usage: ")
    assert "compare" in err


def test_help_is_no_failure() -> None:
    status, out, _ = call("run", "--help")
    assert status == 0
    assert "--no-equalise" in out


def test_ctrl_c_cancels_the_experiment_and_waits_for_its_end(
    lab: FakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_self: ProgressBar, _experiment: Experiment) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ProgressBar, "show", interrupted)
    status, out, err = run(lab, "--json")
    assert (status, out) == (130, "")
    assert lab.cancelled == ["new"]
    assert err.splitlines()[-1] == "new is CANCELLED."


def test_the_login_is_that_of_the_lab(lab: FakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.authorization = "Basic w6Q6w7Y="  # ä:ö
    assert call("list", "--url", lab.url)[::2] == (
        1,
        f"{lab.url} asks for a login: set LAB_USER and LAB_PASSWORD to it.\n",
    )
    monkeypatch.setenv("LAB_USER", "ä")
    monkeypatch.setenv("LAB_PASSWORD", "ö")
    assert call("list", "--url", lab.url)[0] == 0


def test_experiments_are_listed_shown_and_compared_by_the_beginnings_of_their_ids(lab: FakeLab) -> None:
    lab.experiments = {
        name: one_that_ran(a_plan()).model_copy(update={"id": name, "status": "DONE"})
        for name in ("abc", "abd", "xyz")
    }
    _, out, _ = call("list", "--url", lab.url)
    assert [line.split()[0] for line in out.splitlines()] == ["id", "---", "abc", "abd", "xyz"]
    assert out.count("200 jobs, 5 repetitions: waits, 0.01 s") == 3
    assert len(json.loads(call("list", "--url", lab.url, "--json")[1])) == 3
    assert "xyz  DONE  200 jobs" in call("show", "--url", lab.url, "x")[1]
    assert call("show", "--url", lab.url, "ab")[0] == 1
    assert call("show", "--url", lab.url, "none")[0] == 1
    status, out, _ = call("compare", "--url", lab.url, "abc", "xyz")
    assert status == 0
    assert "not known" in out or "equal within 5 %" in out
    assert len(json.loads(call("compare", "--url", lab.url, "--json", "abc", "xyz")[1])) == 2


def test_one_is_cancelled(lab: FakeLab) -> None:
    lab.experiments = {"abc": one_that_ran().model_copy(update={"id": "abc", "status": "IN_PROGRESS"})}
    assert call("cancel", "--url", lab.url, "abc")[:2] == (0, "abc is CANCELLED.\n")


def test_an_empty_lab_says_so(lab: FakeLab) -> None:
    assert call("list", "--url", lab.url)[1] == "None yet.\n"


def test_where_nothing_answers_looking_fails_with_the_address() -> None:
    status, _, err = call("list", "--url", NOWHERE)
    assert status == 1
    assert err == f"Nothing answers at {NOWHERE}: connection refused.\n"
    _, _, err = call("list", "--url", "http://nowhere.invalid")
    assert err.startswith("Nothing answers at http://nowhere.invalid: ")
    assert "not known" in err or "resolution" in err


@pytest.mark.parametrize(
    "address", ["localhost:8080", "ftp://localhost", "http://", "http://localhost:x", ""]
)
def test_an_address_that_is_none_is_refused_with_what_it_takes(address: str) -> None:
    status, _, err = call("list", "--url", address)
    assert status == 2
    assert f"{address!r}; it takes an address that begins with http:// or https://" in err


def test_an_address_may_be_written_in_capitals(lab: FakeLab) -> None:
    assert call("list", "--url", lab.url.replace("http", "Http"))[0] == 0


def test_where_there_is_no_harness_no_lab_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "experiments.stand", None)
    monkeypatch.setenv("PORT", "1")
    status, _, err = call("run")
    assert status == 1
    assert err == (
        "Nothing answers at http://localhost:1. No lab can be started from here: name a running one by --url.\n"
    )


def test_a_lab_that_was_named_is_not_replaced_by_another(lab: FakeLab) -> None:
    for url in (NOWHERE, f"{lab.url}/experiments"):
        status, _, err = call("run", "--url", url)
        assert (status, err.startswith(f"No lab answers at {url}. ")) == (1, True)


def test_the_size_of_workers_is_not_for_a_lab_that_runs(lab: FakeLab) -> None:
    status, _, err = call("run", "--url", lab.url, "--concurrency", "5")
    assert (status, "give --own as well" in err) == (2, True)


@pytest.mark.parametrize("number", ["0", "65"])
def test_a_worker_runs_at_least_one_job_at_once(number: str) -> None:
    status, _, err = call("run", "--concurrency", number)
    assert (status, err.splitlines()[-1]) == (
        2,
        f"Error: Invalid value for '--concurrency': {number} is not in the range 1<=x<=64.",
    )


def test_the_port_of_the_environment_is_the_labs(lab: FakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", str(lab.server_port))
    assert call("list")[0] == 0


def test_a_setting_that_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "x")
    status, _, err = call("list")
    assert status == 2
    assert "PORT" in err


def test_the_plan_is_printed() -> None:
    status, out, _ = call("plan", "--jobs", "5")
    assert status == 0
    assert Plan.model_validate_json(out).jobs == 5


def test_an_answer_that_is_no_labs_is_told(lab: FakeLab) -> None:
    client = LabClient(f"{lab.url}/elsewhere")
    with pytest.raises(ClientError, match="There is no experiment"):
        client.get("x")
    lab.refusal = (502, {})
    with pytest.raises(NobodyAnswers, match="502"):
        LabClient(lab.url).run(Plan.model_validate({"arms": [{"method": "sync"}], "jobs": 1}))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_progress_is_a_bar_that_leaves_nothing() -> None:
    stream = Terminal()
    progress = ProgressBar(stream)
    state = one_that_ran().model_copy(
        update={"status": "IN_PROGRESS", "progress": 0.5, "step": "turn 2 of 5"}
    )
    progress.show(state)
    assert "[###############...............]  50%  turn 2 of 5" in stream.getvalue()
    progress.say("done")
    *_, blank, left = stream.getvalue().split("\r")
    assert blank.strip() == ""
    assert left == "done\n"


def test_elsewhere_each_step_is_a_line() -> None:
    stream = io.StringIO()
    progress = ProgressBar(stream)
    for share, step in ((0.1, "warm-up"), (0.2, "warm-up"), (0.3, "turn 1")):
        progress.show(one_that_ran().model_copy(update={"progress": share, "step": step}))
    progress.end()
    assert stream.getvalue() == "10%  warm-up\n30%  turn 1\n"


def test_a_plan_is_run_again_with_more_repetitions(lab: FakeLab) -> None:
    lab.experiments["0198c2f4"] = one_that_ran()
    lab.experiments["0198c2f4"] = lab.experiments["0198c2f4"].model_copy(update={"id": "0198c2f4"})
    status, out, _ = call("run", "--url", lab.url, "--again", "0198", "--repetitions", "15")
    assert status == 0
    assert lab.plans == [one_that_ran().plan.model_copy(update={"repetitions": 15})]
    assert "python -m experiments run --again new --rate " in out


def test_a_share_of_the_capacity_takes_the_place_of_a_rate(lab: FakeLab) -> None:
    assert run(lab, "--load", "0.5")[0] == 0
    assert lab.plans[0].arrival == OpenLoop(law="open", share=0.5)
    status, _, err = run(lab, "--load", "0.5", "--rate", "3")
    assert status == 2
    assert "--load: takes the place of --rate" in err
