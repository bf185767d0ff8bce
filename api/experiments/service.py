"""Experiments as the API's views have them."""

from collections.abc import Callable
from typing import Any

from api.control.collector import ControlCollector
from api.experiments.connected import NoWorker, ask, check, present_in
from experiments.model import Experiment
from experiments.plan import Plan
from lab.settings import Settings
from store.experiments import ExperimentRows

__all__ = ["Experiments", "NoWorker", "summary"]


class Experiments:
    """What the API's views do with experiments.

    Attributes:
        rows: the experiments that the store has.
    """

    def __init__(
        self, settings: Settings, rows: ExperimentRows, control: ControlCollector, wake: Callable[[], object]
    ) -> None:
        self.rows = rows
        self._settings = settings
        self._control = control
        self._wake = wake

    def start(self, plan: Plan, key: str | None = None) -> str:
        """Takes `plan` and returns the experiment's id; it begins when those that came before have ended.

        Args:
            key: an Idempotency-Key; the same plan under the same key is taken once.

        Raises:
            NoWorker: nobody would take the jobs of an arm.
            store.tasks.KeyReused: `key` came before with another plan.
        """
        if key is None or not self.rows.knows(key):
            self._check_workers(plan)
        experiment_id = self.rows.add(plan, key)
        self._wake()
        return experiment_id

    def cancel(self, experiment_id: str) -> bool:
        """Has it cancelled: at once where its turn has not come, within two seconds where it runs. False where
        it has ended, or is not there."""
        return self.rows.request_cancel(experiment_id)

    def _check_workers(self, plan: Plan) -> None:
        """Refuses what nobody would do. A worker that the latest picture lacks may have just started, and is
        asked; where there is no picture, the experiment's own process looks."""
        picture = self._control.picture()
        if picture is None or not picture["broker"]["up"]:
            return
        try:
            check(plan, present_in(picture["workers"]))
        except NoWorker:
            check(plan, ask(plan, self._settings))


def summary(experiment: Experiment) -> dict[str, Any]:
    """An experiment as lists show it."""
    return experiment.model_dump(mode="json", exclude={"runs", "fairness", "environment", "verdict"})
