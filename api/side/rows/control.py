"""What is done to tasks and workers while they are at it, and what is told of them."""

from typing import Final

from api.side import acts
from api.side.feature import N_, Feature, Side

ASKING: Final = "transports/celery/control.py:CeleryControl"
ASKING_BY_HAND: Final = "transports/rabbitmq/control.py"
WORKER: Final = "celery_worker/commands.py"
CONTROL: Final = "consumer/control.py"
LISTENING: Final = tuple(f"{CONTROL}:RemoteControl.{name}" for name in ("listen", "_on_order", "obey"))
JOBS: Final = "consumer/jobs.py:Jobs"

_MAILBOX: Final = ("exchange celery.pidbox", "exchange reply.celery.pidbox")
_BROADCAST: Final = ("exchange lab.control", "queue amq.gen-…")

ROWS: Final = (
    Feature(
        "priority",
        N_("Priority"),
        N_("What is urgent is run before what waits."),
        N_("Six jobs of one second with the priority 0, and behind them one with the priority 9."),
        Side(
            (
                "celery_app.py:_queue",
                "lab/broker/amqp.py:priority_arguments",
                "transports/celery/options.py:_priority",
                "celery_tasks.py:_pass_on",
            ),
            ("exchange celery.priority", "queue celery.priority"),
            N_(
                "Celery passes a priority on to the broker, and that is all: what a worker has fetched it runs first,"
                " however urgent what comes after. A classic queue: on one node's disk, without a delivery limit, so"
                " what comes back goes on through the ordinary queue, which counts."
            ),
        ),
        Side(
            (
                "lab/broker/amqp.py:priority_arguments",
                "lab/broker/message.py:addressed",
                "consumer/worker.py:Session.consume",
                f"{JOBS}._put_in_line",
                "lab/job.py:Job.suspected",
            ),
            ("queue tasks.priority",),
            N_(
                "A second consumer with a prefetch of its own. What came from the priority queue begins before what"
                " is held of the ordinary one. The same classic queue; what comes back from it goes on through tasks,"
                " which counts."
            ),
        ),
        acts.tasks({"timeout": 1, "count": 6, "priority": 0}, {"timeout": 1, "priority": 9}),
    ),
    Feature(
        "rate-limit",
        N_("Rate limit"),
        N_("Jobs of one kind start at most a given number of times a second, minute or hour."),
        N_("Three jobs of a kind that may begin once a second. Then the limit is removed."),
        Side(
            (f"{ASKING}.rate_limit", f"{ASKING}._order"),
            _MAILBOX,
            N_(
                "One order to all workers, or rate_limit in the task's decorator. It counts in each worker by itself,"
                " and what waits for its turn the worker holds. Where more than ten tasks are due at once it reaches"
                " about half of a tight limit."
            ),
        ),
        Side(
            (
                f"{ASKING_BY_HAND}:RabbitMQControl.rate_limit",
                f"{CONTROL}:RemoteControl._do.rate_limit",
                "consumer/hold.py:interval",
                "consumer/hold.py:_Limit",
                "consumer/hold.py:Hold._limit",
                "consumer/hold.py:Hold.rate_limit",
                "consumer/hold.py:Hold.release",
            ),
            _BROADCAST,
            N_(
                "A token bucket of size one for each kind: evenly spaced, no bursts, each worker by itself, as in"
                " Celery. Waiting jobs hold no thread, and go back to the queue when the worker stops."
            ),
        ),
        acts.rate_limit,
    ),
    Feature(
        "cancel",
        N_("Cancel"),
        N_("A job that waits is not run any more, one that runs is stopped."),
        N_("A job of twenty seconds, cancelled as soon as it runs."),
        Side(
            (
                "transports/celery/transport.py:CeleryTransport.cancel",
                "celery_worker/reporting.py:_report_cancelled",
            ),
            ("exchange celery.pidbox",),
            N_(
                "revoke with terminate: workers keep the id in memory, and kill the process that runs it. A worker"
                " that starts later knows nothing of it; so the store keeps the cancellation, and workers ask it"
                " before they begin."
            ),
        ),
        Side(
            (
                "transports/rabbitmq/transport.py:RabbitMQTransport.cancel",
                "transports/rabbitmq/publisher.py:Publisher.tell",
                *LISTENING,
                f"{CONTROL}:RemoteControl._do.cancel",
                "consumer/overdue.py:watch",
            ),
            _BROADCAST,
            N_(
                "An order over a fanout exchange on which each consumer listens. The job hears of it at its next"
                " report; one that takes no notice is given up after two seconds, its thread left to itself."
            ),
        ),
        acts.cancel,
    ),
    Feature(
        "progress",
        N_("Progress"),
        N_("A job reports its progress while it runs."),
        N_("A job of two seconds that reports its progress, with its result kept."),
        Side(
            ("celery_tasks.py:_keeping_progress",),
            ("queue celery",),
            N_(
                "update_state keeps a state of one's own, PROCESSING with a figure, in the result backend, where any"
                " Celery client can read it. The lab's pages have it from the report that both methods send."
            ),
        ),
        Side(
            (
                "lab/reporting/reporter.py:Reporter.for_job",
                "lab/reporting/reporter.py:Reporter.note_progress",
            ),
            ("queue tasks",),
            N_(
                "A report to the API over HTTP, gathered with others; nothing of it goes over the broker. Progress"
                " that comes late is left out: only the newest counts."
            ),
        ),
        acts.tasks({"timeout": 2, "keep_result": True}),
    ),
    Feature(
        "keep-result",
        N_("Keep the result, or ignore it"),
        N_("What a job returned can be asked for afterwards, or is not kept at all."),
        N_(
            "Two products: the result of the first is kept in Celery's result backend, that of the second is not."
        ),
        Side(
            ("transports/celery/options.py:options_of.ignore_result",),
            ("queue celery",),
            N_(
                "ignore_result for each message. What is kept lies in the result backend, for AsyncResult.get and"
                " for what follows in a canvas. GET /task/<task_id> shows it."
            ),
        ),
        Side(
            ("lab/status.py:StatusUpdate",),
            ("queue tasks",),
            N_(
                "There is no result backend, and none is missed: the result travels with the report DONE into the"
                " lab's store, for either method. A client that waits for it asks the API."
            ),
        ),
        acts.tasks(
            {"kind": "multiply", "x": 6, "y": 7, "keep_result": True}, {"kind": "multiply", "x": 6, "y": 7}
        ),
    ),
    Feature(
        "inspect",
        N_("Inspect the workers"),
        N_("Who is there, what runs, what waits, since when."),
        N_("One question to all workers; the answers of a second are shown."),
        Side(
            (f"{ASKING}.pictures", f"{ASKING}._broadcast", f"{WORKER}:lab_picture"),
            _MAILBOX,
            N_(
                "Celery brings ping, active, reserved, scheduled, stats and more, each one broadcast. The lab's"
                " own command gives all of them in one answer. Nobody knows how many will answer: one waits for a"
                " while."
            ),
        ),
        Side(
            (
                f"{ASKING_BY_HAND}:RabbitMQControl.pictures",
                f"{ASKING_BY_HAND}:RabbitMQControl._ask",
                f"{ASKING_BY_HAND}:_collect",
                *LISTENING,
                f"{CONTROL}:RemoteControl._picture",
            ),
            _BROADCAST,
            N_(
                "An order over the fanout exchange, answers by direct reply-to, for which no queue is declared."
                " Every figure in them has to be counted by hand."
            ),
        ),
        acts.inspect,
    ),
    Feature(
        "pool",
        N_("Grow and shrink the pool"),
        N_("A worker runs more or fewer jobs at once, without a restart."),
        N_("One worker of each method grows by one and shrinks by one."),
        Side(
            (f"{ASKING}.grow", f"{ASKING}.shrink"),
            _MAILBOX,
            N_(
                "pool_grow and pool_shrink come with Celery. On a quorum queue the prefetch stays as it was when the"
                " worker began to consume, so that a pool that grows gets no more work at once. Shrinking would go down"
                " to nothing; the lab does not ask for that."
            ),
        ),
        Side(
            (
                f"{ASKING_BY_HAND}:RabbitMQControl.grow",
                f"{ASKING_BY_HAND}:RabbitMQControl.shrink",
                f"{CONTROL}:RemoteControl._do.grow",
                f"{CONTROL}:RemoteControl._do.shrink",
                f"{JOBS}.grow",
                f"{JOBS}.shrink",
                "consumer/worker.py:Session.consume",
            ),
            _BROADCAST,
            N_("Threads come and go; those that are to go finish their jobs first. Never fewer than one."),
        ),
        acts.resize,
    ),
)
