"""Workflows as Celery has them: built of its own canvas, and nothing else.

https://docs.celeryq.dev/en/stable/userguide/canvas.html
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from celery import Celery, Signature, chain, chord, group
from celery.states import READY_STATES

from lab.job import Job
from lab.plan import WorkflowPlan

# What a chord needs of a result backend, Celery's `rpc://` has not: another process reads the results.
NO_CHORDS: Final = ("rpc://", "disabled://", "cache+memory://")

PATIENT: Final = {"max_retries": 20, "interval_start": 0.2, "interval_step": 0.4, "interval_max": 3.0}

Sign = Callable[[Job], Signature]


def canvas(app: Celery, plan: WorkflowPlan, jobs: Mapping[str, Job], sign: Sign) -> Signature:
    """The whole workflow as one signature; `sign` makes a job's signature, with its task id.

    A stage whose nodes are made while it runs is not in it: the task `dmap` before it replaces itself by
    them.
    """
    first = {branch[0] for branch in plan.stages[0].branches}

    def node(name: str) -> Signature:
        signature = sign(jobs[name])
        if name in first:  # nothing comes before it, and nothing may be put into it
            return signature.set(immutable=True)
        # A worker publishes it, and must not give up at once: the node before is done.
        return signature.set(retry=True, retry_policy=PATIENT)

    steps: list[Signature] = []
    for stage in plan.stages:
        branches = [
            chain(*map(node, branch), app=app) if branch[1:] else node(branch[0]) for branch in stage.branches
        ]
        if stage.parallel and branches:
            steps.append(group(branches, app=app))
        elif branches and steps and isinstance(steps[-1], group):
            steps[-1] = chord(steps[-1], body=branches[0], app=app)
        else:
            steps += branches
    return chain(*steps, app=app) if steps[1:] else steps[0]


def mark_revoked(app: Celery, task_ids: Sequence[str]) -> None:
    """Has the result backend say that these tasks were revoked, where it does not know how they ended: a
    chord waits for each of its tasks, also for one whose message became a dead letter.

    Raises:
        Exception: what the backend raises when it is away.
    """
    for task_id in task_ids:
        if app.backend.get_state(task_id) not in READY_STATES:
            app.backend.mark_as_revoked(task_id, "its workflow has ended")
