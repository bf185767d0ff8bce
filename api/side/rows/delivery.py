"""Getting a job to a worker, and not losing it on the way."""

from typing import Final

from api.side import acts
from api.side.feature import N_, Feature, Side

APP: Final = "celery_app.py"
SENDING: Final = "transports/celery/transport.py"
PUBLISHING: Final = "transports/rabbitmq/transport.py:RabbitMQTransport"
PUBLISHER: Final = "transports/rabbitmq/publisher.py:Publisher"
SESSION: Final = "consumer/worker.py:Session"
JOBS: Final = "consumer/jobs.py"

ROWS: Final = (
    Feature(
        "submit",
        N_("Submit a job"),
        N_("A job goes to the broker as a message, and a worker that has room runs it."),
        N_("A job of one second, by each method."),
        Side(
            (
                f"{SENDING}:CeleryTransport._send",
                f"{SENDING}:_message",
                "celery_tasks.py:process_task",
            ),
            ("exchange celery", "queue celery"),
            N_(
                "The name of the task, its arguments and its id travel in Celery's own format, in the headers and"
                " in the body. Any Celery client can send such a message, and any Celery worker that has a task of"
                " that name runs it."
            ),
        ),
        Side(
            (
                "lab/broker/message.py:publish",
                "lab/broker/message.py:addressed",
                f"{PUBLISHING}.send",
                f"{PUBLISHING}._channel",
                f"{SESSION}._on_message",
                f"{JOBS}:Jobs.take",
                f"{JOBS}:Jobs._run_jobs",
                f"{JOBS}:Jobs._run",
            ),
            ("queue tasks",),
            N_(
                "The message is one small JSON document of the lab's own. Each step from the bytes to the job and"
                " back to the acknowledgement is written out, and a worker in another language needs no more than"
                " AMQP and JSON."
            ),
        ),
        acts.tasks({"timeout": 1}),
    ),
    Feature(
        "idempotent",
        N_("Submit once, however often it is asked"),
        N_("A request that comes again under the same Idempotency-Key makes no second task."),
        N_("The same request twice, under one key: both answers name one task."),
        Side(
            ("api/submit.py:Submitter.submit", "api/submit.py:Submitter._add"),
            (),
            N_(
                "Celery knows no such key: two calls are two tasks. The API does it, before anything is sent, in"
                " the transaction that stores the task."
            ),
        ),
        Side(
            ("api/submit.py:Submitter.submit", "api/submit.py:Submitter._add"),
            (),
            N_("The same code of the API. The broker knows no such key either."),
        ),
        acts.submit_twice,
    ),
    Feature(
        "confirms",
        N_("Publisher confirms and mandatory"),
        N_("The sender learns that the broker has the message on disk, and that a queue takes it."),
        N_("A job of no seconds; the message below says whether it was confirmed."),
        Side(
            (
                f"{APP}:CONFIRMED",
                f"{APP}:_safe.broker_transport_options",
                f"{SENDING}:_message.mandatory",
            ),
            ("exchange celery", "queue celery"),
            N_(
                "Two settings, which are off as Celery comes. Without the time limits beside them, a broker with a"
                " memory alarm would hold the sender for ever. With them the call ends with an error, and the task"
                " stays in the outbox. Celery waits for the confirm of each message before it sends the next."
            ),
        ),
        Side(
            (
                f"{PUBLISHER}._on_channel",
                f"{PUBLISHER}._publish",
                f"{PUBLISHER}._on_confirm",
                f"{PUBLISHER}._on_return",
                "lab/broker/amqp.py:parameters",
            ),
            ("queue tasks",),
            N_(
                "pika's blocking channel would wait for each confirm. Its asynchronous connection lets up to 1,000"
                " messages be under way, and takes confirms, refusals and returns as they come. A connection that"
                " the broker blocks ends with an error after five seconds."
            ),
        ),
        acts.tasks({"timeout": 0}),
    ),
    Feature(
        "late-acks",
        N_("Acknowledge late, and give back what a lost worker held"),
        N_("The broker keeps the message until the job has ended. A worker that is killed loses nothing."),
        N_("A job of two seconds. Until it is DONE its message counts as unacknowledged."),
        Side(
            (
                f"{APP}:SAFE.task_acks_late",
                f"{APP}:SAFE.task_reject_on_worker_lost",
                f"{APP}:SAFE.worker_cancel_long_running_tasks_on_connection_loss",
            ),
            ("queue celery",),
            N_(
                "Three settings. Acknowledging late is not enough: without task_reject_on_worker_lost a killed"
                " process of the pool still loses its job. A job may run twice, never zero times."
            ),
        ),
        Side(
            (
                f"{JOBS}:Action",
                f"{SESSION}._settle",
                f"{SESSION}._settle_all",
            ),
            ("queue tasks",),
            N_(
                "The consumer acknowledges when the job's end was reported, from the one thread that owns the"
                " connection. When the connection or the process dies, the broker delivers again. A job may run"
                " twice, never zero times."
            ),
        ),
        acts.tasks({"timeout": 2}),
    ),
    Feature(
        "prefetch",
        N_("Prefetch"),
        N_("How many messages a worker holds at once: no more than it can run, so that others get the rest."),
        N_("Five jobs of one second: with three at once, two of them wait."),
        Side(
            (f"{APP}:SAFE.worker_prefetch_multiplier",),
            ("queue celery",),
            N_(
                "One setting: as many messages as the pool has processes, by default four times as many. On a quorum"
                " queue it stays as it was when the worker began to consume, also where the pool grows."
            ),
        ),
        Side(
            (f"{SESSION}.consume", "consumer/worker.py:Worker.prefetch"),
            ("queue tasks",),
            N_(
                "basic.qos with the number of threads. RabbitMQ applies it to later consumers only, so the worker"
                " consumes again whenever that number changes."
            ),
        ),
        acts.tasks({"timeout": 1, "count": 5}),
    ),
    Feature(
        "dead-letters",
        N_("Quorum queue, delivery limit, dead letters"),
        N_(
            "A message that keeps coming back, since it kills its worker, is put aside instead of coming for ever."
        ),
        N_(
            "A message in a queue with the very same arguments is taken and returned six times, as by workers that"
            " it kills. No real worker is harmed; the letter is kept with the others."
        ),
        Side(
            (f"{APP}:_safe.task_queues", f"{APP}:_queue", "lab/broker/amqp.py:queue_arguments"),
            ("queue celery", "exchange lab.dead", "queue celery.dead"),
            N_(
                "The broker counts and gives up at the sixth return. Celery only has to declare its queue with"
                " these arguments; as it comes, on a classic queue, such a job comes back for ever. It tells no"
                " result of it: the lab ends the task FAILED."
            ),
        ),
        Side(
            (
                "lab/broker/amqp.py:queue_arguments",
                "lab/broker/amqp.py:declare_topology",
                "lab/broker/amqp.py:delivery_count",
            ),
            ("queue tasks", "exchange lab.dead", "queue tasks.dead"),
            N_(
                "The same arguments, and the same at the sixth return. The number of the attempt comes from the"
                " broker's x-delivery-count. The dead letter reaches its queue for certain (at-least-once)."
            ),
        ),
        acts.poison,
    ),
    Feature(
        "unreadable",
        N_("A message that is not a job"),
        N_("What cannot be read is kept where it can be looked at, and harms nobody."),
        N_("A message that is not a job goes into each queue, and turns up among the dead letters."),
        Side(
            (
                "celery_worker/dead_letters.py:DeadLetteringConsumer",
                "celery_worker/dead_letters.py:check",
                f"{APP}:SAFE.worker_consumer",
            ),
            ("queue celery", "exchange lab.dead", "queue celery.dead"),
            N_(
                "Celery cannot; the lab adds. As it comes, Celery acknowledges what it cannot decode, and it is gone;"
                " some messages end the whole worker. Two methods of its consumer are extended to reject them."
            ),
        ),
        Side(
            (f"{JOBS}:Jobs.take.ValueError", f"{SESSION}._settle_all"),
            ("queue tasks", "exchange lab.dead", "queue tasks.dead"),
            N_(
                "pydantic checks the body; what does not fit is rejected without coming back, and the queue hands"
                " it to its dead-letter queue."
            ),
        ),
        acts.unreadable,
    ),
)
