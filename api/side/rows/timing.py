"""Failing, trying again, and when a job begins or is over."""

from typing import Final

from api.side import acts
from api.side.feature import N_, Feature, Side
from transports.topology import CELERY_DELAYS, DELAYS

SENDING: Final = "transports/celery/transport.py"
OPTIONS: Final = "transports/celery/options.py"
TASKS: Final = "celery_tasks.py"
SESSION: Final = "consumer/worker.py:Session"
JOBS: Final = "consumer/jobs.py:Jobs"

_CELERY_DELAYS: Final = ("exchange celery_delayed_delivery", f"queues {CELERY_DELAYS}", "queue celery")
_DELAYS: Final = (f"queues {DELAYS}", "queue tasks")
_RETRY_BY_HAND: Final = (
    f"{JOBS}._run",
    "lab/job.py:Job.again",
    f"{SESSION}._settle_all",
    "lab/broker/message.py:publish",
    "lab/broker/amqp.py:delay_seconds",
    "lab/broker/amqp.py:declare_delay_queue",
)

ROWS: Final = (
    Feature(
        "retry-backoff",
        N_("Retry with backoff and jitter"),
        N_("A job that failed for a while is tried again after 1, 2, 4 … seconds, with some chance in it."),
        N_(
            "A job that fails twice and succeeds at its third attempt; the waits are up to one and two seconds."
        ),
        Side(
            (f"{TASKS}:_ended", f"{TASKS}:_own"),
            _CELERY_DELAYS,
            N_(
                "task.retry sends the task again and acknowledges the old message afterwards. On quorum queues"
                " it waits in Celery's 28 delay queues, which take whole seconds; the worker waits for the rest."
                " Celery's retry_backoff alone would do where fractions do not matter."
            ),
        ),
        Side(
            _RETRY_BY_HAND,
            _DELAYS,
            N_(
                "The job goes, confirmed, into a queue whose messages expire back into tasks; only then is the old"
                " message acknowledged. Between the two it may come twice, and never not at all."
            ),
        ),
        acts.tasks(
            {
                "kind": "flaky_task",
                "timeout": 0.2,
                "times": 2,
                "retry": {"policy": "exponential", "base": 1.0, "cap": 4.0, "jitter": True},
            }
        ),
    ),
    Feature(
        "retry-fixed",
        N_("Retry after a fixed time"),
        N_("A failed job is retried after a fixed number of seconds."),
        N_("A job that fails once and is tried again after one and a half seconds."),
        Side(
            (f"{TASKS}:_ended", f"{TASKS}:_own"),
            _CELERY_DELAYS,
            N_(
                "task.retry with a countdown. The delay is never shorter than asked for: what a whole second leaves"
                " over the worker waits itself, holding the message."
            ),
        ),
        Side(
            _RETRY_BY_HAND,
            _DELAYS,
            N_(
                "One delay queue for each power of two, so that no message waits behind one with a longer wait; the"
                " last second the consumer waits itself."
            ),
        ),
        acts.tasks(
            {"kind": "flaky_task", "timeout": 0.2, "times": 1, "retry": {"policy": "fixed", "delay": 1.5}}
        ),
    ),
    Feature(
        "countdown",
        N_("Countdown and ETA"),
        N_("A job does not begin before its time."),
        N_("A job that may begin in two and a half seconds."),
        Side(
            (f"{OPTIONS}:options_of", f"{OPTIONS}:is_delayed", f"{OPTIONS}:declare_delays"),
            _CELERY_DELAYS,
            N_(
                "eta or countdown as arguments. The message waits in the broker, over restarts too, and the worker"
                " holds it for the last second. On classic queues a worker would hold it all the time, and the"
                " broker's consumer timeout would cut in after half an hour."
            ),
        ),
        Side(
            (
                "lab/broker/message.py:addressed",
                "lab/broker/amqp.py:delay_seconds",
                "lab/broker/amqp.py:declare_delay_queue",
                f"{JOBS}.take.if suspect",
                "consumer/hold.py:Hold.take",
                "consumer/hold.py:Hold.release",
            ),
            _DELAYS,
            N_(
                "Through ever shorter delay queues, which vanish when they are not used; never early, and over"
                " restarts of the broker. The consumer holds it for the last second."
            ),
        ),
        acts.tasks({"timeout": 0.2, "countdown": 2.5}),
    ),
    Feature(
        "expiry",
        N_("Expiry"),
        N_("A job that has not started by then is not run any more."),
        N_("A job that has expired before a worker can have it: it ends CANCELLED, expired."),
        Side(
            (f"{OPTIONS}:options_of.expires", "celery_worker/reporting.py:_report_cancelled"),
            ("queue celery",),
            N_(
                "expires as an argument. The worker checks it when the message arrives and again before it runs;"
                " Celery also has the broker drop the message, whose dead letter ends the task."
            ),
        ),
        Side(
            (
                "lab/broker/message.py:addressed",
                "lab/options.py:Options.expired",
                f"{JOBS}._run.if expired()",
            ),
            ("queue tasks", "exchange lab.dead", "queue tasks.dead"),
            N_(
                "The broker drops the message when its time is over at the head of the queue, and its dead letter"
                " ends the task. What was handed out before that the worker looks at again before it runs."
            ),
        ),
        acts.tasks({"timeout": 0.2, "expires": 0.001}),
    ),
    Feature(
        "time-limits",
        N_("Time limits, soft and hard"),
        N_("A job that takes too long is stopped, even one that responds to nothing."),
        N_("A job of eight seconds that takes no notice, with a limit of one."),
        Side(
            (f"{SENDING}:_message.soft_time_limit", f"{SENDING}:_message.time_limit"),
            ("queue celery",),
            N_(
                "Two arguments. At the soft limit an exception is raised in the middle of the job, at the hard one,"
                " five seconds later, its process is killed and replaced. The worker's processes make it possible."
            ),
        ),
        Side(
            (
                "consumer/overdue.py:watch",
                "consumer/overdue.py:_give_up",
                f"{JOBS}.end",
            ),
            ("queue tasks",),
            N_(
                "Python cannot stop a thread from outside. A job that takes notice ends at its limit; one that does"
                " not is given up a second later: its task is FAILED, another thread takes its place, and whatever"
                " it still does is ignored."
            ),
        ),
        acts.tasks({"kind": "hanging_task", "timeout": 8, "time_limit": 1.0}),
    ),
)
