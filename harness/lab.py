"""A whole lab of its own, as `make up` runs it but without a supervisor: for tests and benchmarks."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import requests

from harness.ports import free_port
from harness.processes import ManagedProcess, ProcessError, tail, until

ROOT = Path(__file__).resolve().parent.parent
_FOREIGN = (
    "RMQ_URL", "API_URL", "PORT", "DATABASE_URL", "CELERY_BROKER_URL", "RESULT_BACKEND", "DELIVERY", "SMTP_URL",
    "LAB_HOST", "LAB_PUBLISH", "LAB_USER", "LAB_PASSWORD",
)  # fmt: skip


def celery_worker(concurrency: int, name: str, **settings: float) -> list[str]:
    """The command of a Celery worker `name`@host, as people type it: `python -m celery` would find modules that it
    does not. `settings` of Celery replace those of the application."""
    command = str(Path(sys.executable).with_name("celery"))
    options = ["--loglevel=info", f"--concurrency={concurrency}", "-n", f"{name}@%h"]
    replaced = [f"{setting}={value}" for setting, value in settings.items()]
    return [command, "-A", "celery_app", "worker", *options, *(["--", *replaced] if replaced else [])]


def consumer(concurrency: int, name: str, grace: float) -> list[str]:
    """The command of a hand-written worker `name`@host."""
    options = ["--concurrency", str(concurrency), "-n", f"{name}@%h", "--grace", str(grace)]
    return [sys.executable, "-m", "consumer", *options]


class Lab:
    """API, Celery workers and consumers below `base`, over the broker at `rmq_url`.

    Args:
        base: the lab's LAB_VAR, and its logs.
        database_url: the store; a SQLite file below `base` by default.
        env: more settings.
        root: the project's folder, whose code runs.
    """

    def __init__(
        self,
        base: Path,
        rmq_url: str,
        *,
        database_url: str | None = None,
        management_url: str = "http://127.0.0.1:15672/",
        env: Mapping[str, str] | None = None,
        root: Path = ROOT,
    ) -> None:
        self.base = base
        self.root = root
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.env = {name: value for name, value in os.environ.items() if name not in _FOREIGN} | {
            "LAB_VAR": str(base),
            "RMQ_URL": rmq_url,
            "PORT": str(self.port),
            "API_URL": f"{self.url}/update_task_status_api/",
            "LAB_MANAGEMENT_URL": management_url,
            "LAB_SUBMISSIONS_PER_MINUTE": "0",
            "PYTHONUNBUFFERED": "1",
            **({"DATABASE_URL": database_url} if database_url else {}),
            **(env or {}),
        }
        self.api = self.process("api", "-m", "gunicorn", "-c", "api/gunicorn_conf.py", "api.wsgi:app")
        self.workers: list[ManagedProcess] = []
        self.session = requests.Session()

    def process(self, name: str, *arguments: str) -> ManagedProcess:
        """A Python process of this lab, not yet started; `name` names its log."""
        return ManagedProcess(
            [sys.executable, *arguments], env=self.env, log=self.base / "log" / f"{name}.log", cwd=self.root
        )

    def start_api(self, timeout: float = 30.0) -> None:
        """Migrates the store and starts the API; raises ProcessError where it does not answer in time."""
        migration = self.process("migrate", "-m", "store.migrate").start()
        until(lambda: not migration.running, timeout, 0.02)
        if migration.returncode != 0:
            raise ProcessError(migration.log.read_text())
        self.api.start()
        self.wait_for_api(timeout)

    def wait_for_api(self, timeout: float = 30.0) -> None:
        """Waits for /healthz; raises ProcessError after `timeout` seconds."""
        self.api.wait_until(self._api_answers, "the API", timeout)

    def _api_answers(self) -> bool:
        try:
            return self.session.get(f"{self.url}/healthz", timeout=2).ok
        except requests.RequestException:
            return False

    def restart_api(self) -> None:
        """Stops the API in order and starts it again on the same port."""
        self.api.terminate(timeout=20)
        self.api.start()
        self.wait_for_api()

    def start_celery(self, concurrency: int = 3, name: str = "celery") -> ManagedProcess:
        """Starts a Celery worker `name`@host and waits until it is ready."""
        log = self.base / "log" / f"{name}.log"
        worker = ManagedProcess(celery_worker(concurrency, name), env=self.env, log=log, cwd=self.root)
        self.workers.append(worker)
        worker.start().wait_for_log("ready.", timeout=60)
        return worker

    def start_consumer(
        self, concurrency: int = 3, name: str = "consumer", grace: float = 25.0
    ) -> ManagedProcess:
        """Starts a hand-written worker `name`@host and waits until it consumes; with DELIVERY=naive as many
        by the tutorial as `concurrency` says."""
        worker = self.process(name, *consumer(concurrency, name, grace)[1:])
        self.workers.append(worker)
        worker.start().wait_for_log("waiting for tasks", timeout=60)
        count = concurrency if self.env.get("DELIVERY") == "naive" else 1
        if not until(lambda: worker.log.read_bytes().count(b"waiting for tasks") >= count, 60):
            raise ProcessError(f"fewer than {count} workers wait for tasks:\n{tail(worker.log, 30)}")
        return worker

    def submit(
        self, method: str, timeout: float = 0.0, count: int = 1, **fields: Any
    ) -> list[dict[str, Any]]:
        """Submits timed jobs and returns the tasks of the answer; raises requests.HTTPError."""
        body = {"method": method, "timeout": timeout, "count": count, **fields}
        tasks: list[dict[str, Any]] = self._ask("POST", "api/tasks", json=body)["tasks"]
        return tasks

    def cancel(self, *task_ids: str) -> None:
        """Asks for tasks to be cancelled; one that has ended stays as it is."""
        for task_id in task_ids:
            self.session.post(f"{self.url}/api/tasks/{task_id}/cancel", timeout=30)

    def task(self, task_id: str) -> dict[str, Any]:
        """One task with its history."""
        return self._ask("GET", f"api/tasks/{task_id}")

    def wait_for(
        self, task_ids: list[str], *statuses: str, timeout: float = 60.0
    ) -> dict[str, dict[str, Any]]:
        """Waits until all tasks stand at one of `statuses` (DONE where none is named).

        Raises TimeoutError with the first laggards.
        """
        wanted, deadline, seen = set(statuses or ("DONE",)), time.monotonic() + timeout, {}
        left = list(task_ids)
        while left:
            for task_id in left[:50]:
                seen[task_id] = self.task(task_id)
            left = [i for i in left if i not in seen or seen[i]["status"] not in wanted]
            if left and time.monotonic() > deadline:
                raise TimeoutError(f"{len(left)} of {len(task_ids)} tasks not {wanted}: {seen.get(left[0])}")
            if left:
                time.sleep(0.1)
        return seen

    def process_images(self, images: list[str]) -> str:
        """Sends a group by the plain route and returns its id."""
        return str(self._ask("POST", "process_images", json={"images": images})["group_id"])

    def share(self, group_id: str) -> float:
        """The share of a group's tasks that are done, by the plain route."""
        return float(self._ask("GET", f"status/{group_id}")["status"])

    def wait_for_share(self, group_id: str, share: float = 1.0, timeout: float = 60.0) -> list[float]:
        """Waits until that share is reached; returns each that was seen on the way, once. Raises
        TimeoutError."""
        seen, deadline = [self.share(group_id)], time.monotonic() + timeout
        while seen[-1] < share:
            if time.monotonic() > deadline:
                raise TimeoutError(f"group {group_id} went by {seen}")
            time.sleep(0.02)
            if (now := self.share(group_id)) != seen[-1]:
                seen.append(now)
        return seen

    def receive(self) -> requests.Response:
        """Presses "receive by hand" as a browser would: with the token that the page gave."""
        session = requests.Session()
        page = session.get(f"{self.url}/", timeout=30)
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.text)
        form = {"csrf_token": token.group(1) if token else ""}
        return session.post(f"{self.url}/receive", data=form, timeout=90)

    def wait_for_letters(self, count: int, timeout: float = 30.0) -> list[dict[str, Any]]:
        """Waits until the store holds `count` dead letters, and returns them; raises TimeoutError."""
        deadline = time.monotonic() + timeout
        while True:
            letters: list[dict[str, Any]] = self._ask("GET", "api/dead-letters")["dead_letters"]
            if len(letters) >= count:
                return letters
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(letters)} dead letters, not {count}")
            time.sleep(0.1)

    def _ask(self, method: str, path: str, json: Any = None) -> dict[str, Any]:
        answer = self.session.request(method, f"{self.url}/{path}", json=json, timeout=120 if json else 30)
        answer.raise_for_status()
        told: dict[str, Any] = answer.json()
        return told

    def stop(self) -> None:
        """Ends workers, then the API."""
        for process in (*self.workers, self.api):
            if process.running:
                process.kill_group()
        self.session.close()

    def __enter__(self) -> Self:
        self.start_api()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
