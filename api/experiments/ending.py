"""How an experiment ends, whoever ends it."""

from typing import Final

from api.experiments.store import ExperimentRows
from experiments.totals import comparisons_of, totals_of

INTERRUPTED: Final = "interrupted: the process that ran it has ended; what it had found until then is kept"


def conclude(rows: ExperimentRows, experiment_id: str, status: str, error: str | None = None) -> bool:
    """Ends an experiment that is under way, with the totals of the repetitions that it has kept; False where
    it has ended already."""
    found = rows.get(experiment_id, runs=False)
    if found is None or found.status != "IN_PROGRESS":
        return False
    experiment = rows.get(experiment_id)
    if experiment is None:
        return False
    plan, runs = experiment.plan, experiment.runs
    return rows.finish(experiment_id, status, error, totals_of(plan, runs), comparisons_of(plan, runs))
