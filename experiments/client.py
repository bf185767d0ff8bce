"""A lab's HTTP API of experiments, as a program uses it."""

import uuid
from collections.abc import Sequence
from typing import Any, Final

import requests
from requests.auth import HTTPBasicAuth

from experiments.model import Experiment, FairnessRow
from experiments.plan import Plan

TIMEOUT: Final = (3.0, 60.0)  # seconds, to connect and to read


class ClientError(Exception):
    """The lab refused, or has no such experiment; the message is a sentence for the person who asked.

    Attributes:
        errors: the fields at fault, each with `field` and `message`, as a problem document has them.
    """

    def __init__(self, message: str, errors: list[dict[str, Any]] | None = None) -> None:
        super().__init__(message)
        self.errors = errors or []


class NobodyAnswers(ClientError):
    """There is no lab at the address, or it does not answer now."""


class LabClient:
    """The experiments of the lab at `url`; `user` and `password` where it asks for a login (HTTP Basic).

    Every method raises ClientError where the lab refuses, and NobodyAnswers where it is not reached.
    """

    def __init__(self, url: str, user: str | None = None, password: str | None = None) -> None:
        self.url = url.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Accept"] = "application/json"
        if user and password:
            self._session.auth = HTTPBasicAuth(user.encode(), password.encode())

    def is_there(self) -> bool:
        """Whether a lab answers."""
        try:
            return self._session.get(f"{self.url}/healthz", timeout=TIMEOUT).ok
        except requests.RequestException:
            return False

    def run(self, plan: Plan) -> str:
        """Has `plan` run, and returns the experiment's id."""
        headers = {"Idempotency-Key": str(uuid.uuid4()), "Content-Type": "application/json"}
        answer = self._ask("POST", "", data=plan.model_dump_json().encode(), headers=headers)
        return str(answer.json()["id"])

    def differences(self, plan: Plan) -> Sequence[FairnessRow]:
        """What differs between the arms of `plan` now, without running it."""
        told = self._ask("POST", "/differences", json=plan.model_dump(mode="json")).json()
        return [FairnessRow.model_validate(row) for row in told["fairness"]]

    def get(self, experiment_id: str, *, runs: bool = True) -> Experiment:
        """The experiment as it stands, without its repetitions where not `runs`: so it is watched, since the
        whole of it takes the lab's time."""
        told = self._ask("GET", f"/{experiment_id}" if runs else f"/{experiment_id}?runs=false").json()
        told.pop("race", None)
        return Experiment.model_validate(told)

    def list(self, limit: int = 20) -> list[dict[str, Any]]:
        """The newest experiments, newest first, without their repetitions."""
        found: list[dict[str, Any]] = self._ask("GET", f"?limit={limit}").json()["experiments"]
        return found

    def find(self, beginning: str) -> str:
        """The id that begins so, of the newest hundred; raises ClientError where none or several do."""
        ids = [one["id"] for one in self.list(100) if one["id"].startswith(beginning)]
        if len(ids) > 1:
            raise ClientError(f"{len(ids)} experiments have ids that begin with {beginning!r}.")
        return ids[0] if ids else beginning

    def cancel(self, experiment_id: str) -> None:
        """Has it cancelled."""
        self._ask("POST", f"/{experiment_id}/cancel")

    def report(self, experiment_id: str, kind: str) -> bytes:
        """Its report, as `html`, `md`, `csv` or `json`."""
        return self._ask("GET", f"/{experiment_id}/report.{kind}").content

    def close(self) -> None:
        """Gives back its connections."""
        self._session.close()

    def _ask(self, method: str, path: str, **more: Any) -> requests.Response:
        try:
            answer = self._session.request(
                method, f"{self.url}/api/experiments{path}", timeout=TIMEOUT, allow_redirects=False, **more
            )
        except requests.RequestException as error:
            raise NobodyAnswers(f"Nothing answers at {self.url}: {_cause(error)}.") from error
        if answer.ok and answer.status_code < 300:
            return answer
        raise _refusal(answer, self.url)


def _cause(error: BaseException) -> str:
    """Why a request failed, from what lies beneath it: the operating system's word, where it has one."""
    if isinstance(error, requests.Timeout):
        connect, read = TIMEOUT
        within = connect if isinstance(error, requests.ConnectTimeout) else read
        return f"no answer within {within:g} seconds"
    beneath: BaseException | None = error
    while beneath is not None:
        if isinstance(beneath, OSError) and beneath.strerror:
            return beneath.strerror[:1].lower() + beneath.strerror[1:]
        beneath = beneath.__cause__ or beneath.__context__
    return str(error)


def _refusal(answer: requests.Response, url: str) -> ClientError:
    if answer.status_code == requests.codes.unauthorized:
        return ClientError(f"{url} asks for a login: set LAB_USER and LAB_PASSWORD to it.")
    try:
        told = answer.json()
        text, errors = str(told["detail"]), told.get("errors")
    except (ValueError, KeyError, TypeError):
        text, errors = f"{url} answers {answer.status_code}; is it a lab?", None
    kind = NobodyAnswers if answer.status_code in (502, 503, 504) else ClientError
    return kind(text[:1].upper() + text[1:].rstrip(".") + ".", errors)
