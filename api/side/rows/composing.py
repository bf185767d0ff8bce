"""Tasks that make up something larger."""

from typing import Final

from api.side import acts
from api.side.feature import N_, Feature, Side

CANVAS: Final = "transports/celery/canvas.py:canvas"
OPTIONS: Final = "transports/celery/options.py"
TASKS: Final = "celery_tasks.py"
JOBS: Final = "consumer/jobs.py:Jobs"
SLIP: Final = "transports/rabbitmq/workflow.py:with_slip"
SENDING: Final = "transports/rabbitmq/transport.py:RabbitMQTransport"
STORE: Final = "store/workflows.py:Workflows"

_CELERY: Final = ("exchange celery", "queue celery")
_BY_HAND: Final = ("queue tasks",)

ROWS: Final = (
    Feature(
        "callback",
        N_("Callback and errback"),
        N_("Another task runs when the first is DONE, with its result; or when it FAILED, with its error."),
        N_(
            "A sum with a product behind it, and a job that fails with a count of its error's words behind it. What"
            " is not needed is never run."
        ),
        Side(
            (
                f"{OPTIONS}:links_of",
                f"{OPTIONS}:_following",
                f"{TASKS}:send_errback",
                f"{TASKS}:_end_again",
            ),
            _CELERY,
            N_(
                "link and link_error. The worker sends the callback before it acknowledges. An errback gets request,"
                " error and traceback in the process that failed; that it sends a task with the error's text had to"
                " be written."
            ),
        ),
        Side(
            (
                "lab/job.py:Job.link",
                "lab/job.py:Job.link_error",
                "lab/job.py:Job.with_input",
                "lab/job.py:Job.after_success",
                "lab/job.py:Job.after_failure",
                "lab/job.py:Outcome.following",
                f"{JOBS}._run",
                "consumer/worker.py:Session._settle_all",
            ),
            _BY_HAND,
            N_(
                "What follows travels in the message, a whole job. It is published, confirmed, before the first one"
                " is acknowledged; should it go out twice, the second is not run."
            ),
        ),
        acts.tasks(
            {"kind": "add", "x": 2, "y": 3, "callback": {"kind": "multiply", "y": 10}},
            {"kind": "failing_task", "timeout": 0, "max_retries": 0, "errback": {"kind": "word_count"}},
        ),
    ),
    Feature(
        "group",
        N_("Group"),
        N_("Several tasks at once, and one look at how many of them are done."),
        N_("The lab's samples, each fetched by a task of its own."),
        Side(
            ("transports/celery/groups.py:send_group", CANVAS),
            _CELERY,
            N_(
                "group, and GroupResult where it was saved: any Celery client can restore it and ask how many of its"
                " tasks are ready. Each task is a message of its own."
            ),
        ),
        Side(
            (f"{SENDING}.submit_workflow", f"{SENDING}.begin", f"{STORE}._left"),
            _BY_HAND,
            N_("As many messages as tasks. The store counts, since messages cannot be counted together."),
        ),
        acts.workflow("group"),
    ),
    Feature(
        "chain",
        N_("Chain"),
        N_("One task after the other, each with the result of the one before."),
        N_("List the lab's samples, fetch one, transform it, write it."),
        Side(
            (CANVAS,),
            _CELERY,
            N_(
                "chain: the rest of the chain travels in the message, and the worker sends the next task before it"
                " acknowledges. The whole of it is published by the first message alone."
            ),
        ),
        Side(
            (
                SLIP,
                f"{SENDING}.submit_workflow",
                "lab/job.py:Job.then",
                "lab/job.py:Job.with_input",
                "lab/job.py:Job.after_success",
                "lab/job.py:Outcome.following",
            ),
            _BY_HAND,
            N_(
                "A routing slip in the message, as Celery does it: the next job is published, confirmed, before this"
                " one is acknowledged. A worker killed in between sends it again, and it runs once."
            ),
        ),
        acts.workflow("chain"),
    ),
    Feature(
        "chord",
        N_("Chord"),
        N_("A group, and one task with the list of all its results when all of it is done."),
        N_("The lab's samples, each by a task of its own, and one task that merges them into a file."),
        Side(
            (CANVAS, "transports/celery/canvas.py:mark_revoked", "celery_tasks.py:_end_again"),
            _CELERY,
            N_(
                "chord. On a database as result backend a task of Celery's own, chord_unlock, asks once a second"
                " whether all is done, on Redis a counter does. A task that never ends would have it ask for ever;"
                " the lab tells the backend that it was revoked. rpc:// cannot do it."
            ),
        ),
        Side(
            (
                f"{STORE}._lead",
                f"{STORE}._complete",
                f"{STORE}._start",
                f"{STORE}._join",
                f"{STORE}._results",
            ),
            _BY_HAND,
            N_(
                "The store joins: in the transaction that takes the last DONE, the body goes into the outbox, with"
                " all results. So it is sent exactly once, and nobody asks every second."
            ),
        ),
        acts.workflow("chord"),
    ),
    Feature(
        "map",
        N_("Map"),
        N_("As many tasks as a list has items that a task before returned."),
        N_("List the lab's samples, and one task for each that was found."),
        Side(
            (f"{TASKS}:dmap", f"{TASKS}:_node"),
            _CELERY,
            N_(
                "Celery has no such thing for a list that is not known yet. A task that replaces itself by a group"
                " (self.replace) does it; the API names the new tasks, so that they are the same ones when the"
                " message comes again."
            ),
        ),
        Side(
            (f"{STORE}._start", f"{STORE}._insert", f"{STORE}._complete"),
            _BY_HAND,
            N_(
                "The store makes the tasks from the list, in the transaction that takes the DONE of the task that"
                " returned it, and its outbox sends them."
            ),
        ),
        acts.workflow("map"),
    ),
    Feature(
        "periodic",
        N_("Periodic tasks"),
        N_("What runs by the clock: every minute, every day at eight, on Mondays."),
        N_("The health check, as if its minute had come."),
        Side(
            ("celery_app.py:_safe.beat_schedule", "celery_app.py:_beat_entry", f"{TASKS}:beat_due"),
            _CELERY,
            N_(
                "Beat, a process of its own, sends each entry when it is due. Two beats send everything twice; the"
                " API makes one task of each due time, however many beats tell of it."
            ),
        ),
        Side(
            (),
            (),
            N_(
                "Not by hand, on purpose. AMQP knows no clock: it would be a second Beat, with the same calendar,"
                " time zones and memory of what was sent, and nothing to learn from it. Use Beat, cron or a timer of"
                " systemd, and publish from there."
            ),
        ),
        acts.beat,
    ),
)
