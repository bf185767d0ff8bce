"""Runs a feature on both sides at once, and keeps what came of it."""

import json
import logging
import os
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from api.side.feature import Feature
from api.side.stage import Parts, SideOutcome, SideRun
from api.tasks.receive import BrokerAway
from api.workflows.service import NoChords
from lab.broker import amqp
from lab.clock import now_us, to_iso
from transports.control import ControlError

ERRORS: Final = (BrokerAway, ControlError, NoChords, *amqp.ERRORS)

logger = logging.getLogger(__name__)


class KeptRuns:
    """The last run of each feature, as files below `folder` that all processes of the API read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, run: dict[str, Any]) -> None:
        """Keeps `run` as the last one of its `feature`."""
        self._folder.mkdir(parents=True, exist_ok=True)
        incoming = self._folder / f".{secrets.token_hex(8)}"
        incoming.write_text(json.dumps(run))
        os.replace(incoming, self._path(run["feature"]))

    def last(self, feature: str) -> dict[str, Any] | None:
        """The last run of `feature`; None where there was none."""
        try:
            run: dict[str, Any] = json.loads(self._path(feature).read_text())
        except FileNotFoundError:
            return None
        return run

    def _path(self, feature: str) -> Path:
        return self._folder / f"{feature}.json"


class RunsAlready(Exception):
    """Somebody else has this feature run at this moment."""


class SideBySide:
    """The runs of the page, in one process of the API."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._kept = KeptRuns(parts.settings.var / "side")
        self._running: set[str] = set()
        self._lock = threading.Lock()

    def run(self, feature: Feature) -> dict[str, Any]:
        """Has `feature` done on each of its sides and returns what they began; most of it ends later.

        Raises:
            RunsAlready: it is being begun in this process.
        """
        with self._lock:
            if feature.id in self._running:
                raise RunsAlready(feature.id)
            self._running.add(feature.id)
        try:
            with ThreadPoolExecutor(2) as pool:
                sides = dict(
                    zip(
                        feature.methods,
                        pool.map(lambda method: self._one(feature, method), feature.methods),
                        strict=True,
                    )
                )
        finally:
            with self._lock:
                self._running.discard(feature.id)
        run = {"feature": feature.id, "at": to_iso(now_us()), "sides": sides}
        self._kept.keep(run)
        return run

    def last(self, feature: Feature) -> dict[str, Any] | None:
        """The last run of `feature` by whichever process; None where there was none."""
        return self._kept.last(feature.id)

    def _one(self, feature: Feature, method: str) -> dict[str, Any]:
        with SideRun(self._parts, method) as stage:
            try:
                outcome = feature.act(stage)
            except ERRORS as error:
                logger.info("side by side, %s by %s: %s", feature.id, method, error)
                outcome = SideOutcome(error=f"{type(error).__name__}: {error}")
            return {**asdict(outcome), "messages": stage.messages(outcome)}
