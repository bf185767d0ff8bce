"""What each transport makes of a workflow's plan, without a broker."""

from celery import Celery, Signature

from api.workflows.patterns import build
from lab.job import Job
from lab.plan import WorkflowPlan
from transports.celery.canvas import canvas, mark_revoked
from transports.rabbitmq.workflow import with_slip

PATHS = ["data:,1", "data:,2"]


def made(pattern: str, method: str) -> tuple[WorkflowPlan, dict[str, Job]]:
    plan, steps = build(pattern, method, {"paths": PATHS}, PATHS, None, None)
    jobs = {
        step.name: Job(task_id=step.name, num=num, kind=step.kind, params=step.params)
        for num, step in enumerate(steps, 1)
    }
    return plan, jobs


def slip(job: Job) -> dict[str, object]:
    return {job.task_id: [slip(following) for following in job.then]}


def test_a_chain_s_slip_holds_all_that_follows() -> None:
    plan, jobs = made("chain", "rabbitmq")
    assert slip(with_slip(plan, jobs, "list")) == {"list": [{"download": [{"count": [{"merge": []}]}]}]}


def test_a_slip_fans_out_and_ends_where_the_store_has_to_join() -> None:
    plan, jobs = made("chain_group_chord", "rabbitmq")
    branches = [{"download-1": [{"count-1": []}]}, {"download-2": [{"count-2": []}]}]
    assert slip(with_slip(plan, jobs, "list")) == {"list": branches}


def test_a_list_that_is_to_become_tasks_has_nothing_on_its_slip() -> None:
    plan, jobs = made("conditional_map", "rabbitmq")
    assert slip(with_slip(plan, jobs, "list")) == {"list": []}


def sign(app: Celery, job: Job) -> Signature:
    return app.signature(job.kind, kwargs=job.params, options={"task_id": job.task_id})


def test_celery_s_canvas_is_made_of_its_own_primitives() -> None:
    app = Celery("test", set_as_current=False)
    shapes = {}
    for pattern in ("chain", "group", "task_group", "chord", "chain_group_chord", "map", "conditional_map"):
        plan, jobs = made(pattern, "celery")
        whole = canvas(app, plan, jobs, lambda job: sign(app, job))
        shapes[pattern] = [whole.name, [step.name for step in getattr(whole, "tasks", [])]]
    assert shapes == {
        "chain": ["celery.chain", ["list_paths", "download", "count_words", "merge_files"]],
        "group": ["celery.group", ["download", "download"]],
        "task_group": ["celery.chain", ["list_paths", "celery.group"]],
        "chord": ["celery.chord", ["download", "download"]],
        "chain_group_chord": ["celery.chain", ["list_paths", "celery.chord"]],
        "map": ["celery.chain", ["list_paths", "dmap"]],
        "conditional_map": ["celery.chain", ["list_paths", "dmap", "write_paths"]],
    }


def test_nothing_may_be_put_into_what_nothing_comes_before() -> None:
    app = Celery("test", set_as_current=False)
    plan, jobs = made("chord", "celery")
    whole = canvas(app, plan, jobs, lambda job: sign(app, job))
    assert all(task.immutable for task in whole.tasks)
    assert not whole.body.immutable


def test_only_what_the_backend_does_not_know_to_have_ended_is_marked_revoked() -> None:
    app = Celery("test", backend="cache+memory://", set_as_current=False)
    app.backend.store_result("done", 1, "SUCCESS")
    mark_revoked(app, ["done", "lost"])
    assert app.backend.get_state("done") == "SUCCESS"
    assert app.backend.get_state("lost") == "REVOKED"
