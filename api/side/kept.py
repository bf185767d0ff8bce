"""The last run of each feature, kept as a file that all processes of the API read."""

import json
import os
import secrets
from pathlib import Path
from typing import Any


class KeptRuns:
    """Below `folder`, which is made when something is kept."""

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
