"""The questions of the decision guide: plain data. English, marked for translation.

Weights of answers: 1 leans to a method, 2 speaks for it, 3 is nearly the whole matter; the same below zero.
"""

from dataclasses import dataclass, field
from typing import Final

from experiments.words import N_


@dataclass(frozen=True)
class Choice:
    """One answer.

    Attributes:
        weights: what it means for each method.
        reason: why, in a sentence; "" where it says nothing for or against any of them.
        row: the row of *Side by side* that shows it.
        rules_out: the methods with which it cannot be done.
        other: what does it better than any of the methods; "" where nothing does.
        unless: in which case the reason is wrong.
        needs: the bound that the reader's own runs are held against.
    """

    id: str
    text: str
    weights: dict[str, int] = field(default_factory=dict)
    reason: str = ""
    row: str = ""
    rules_out: frozenset[str] = frozenset()
    other: str = ""
    unless: str = ""
    needs: float | None = None


@dataclass(frozen=True)
class Question:
    """A question with its answers. `figure` is what the reader's own runs tell about it, where they can."""

    id: str
    text: str
    answers: tuple[Choice, ...]
    figure: str = ""

    def answer(self, answer_id: str) -> Choice | None:
        """The answer of that id; None if there is none."""
        return next((answer for answer in self.answers if answer.id == answer_id), None)


_NO: Final = Choice("no", N_("No"))
_SYNC: Final = frozenset({"sync"})
_LESS: Final = N_("A consumer of one's own does less for each message than a library that can do everything.")
_WORK: Final = N_(
    "the jobs themselves take the time: then there are as many workers as the jobs need, by any method."
)

# fmt: off
QUESTIONS: Final = (
    Question("length", N_("How long does a job take?"), (
        Choice("instant", N_("So short that the user can wait for it"), {"sync": 3},
            N_("A user who waits needs no queue. A broker has its price in code and in time."), "submit",
            unless=N_("so many users come at once that all threads of the server are busy with their jobs.")),
        Choice("seconds", N_("Seconds"), {"celery": 1, "rabbitmq": 1, "sync": -2},
            N_("Seconds are too long to hold a request open for, with its thread."), "submit",
            unless=N_("a few people use it, and see that it works.")),
        Choice("long", N_("Minutes"), {"celery": 1},
            N_("What runs long must be stopped when it hangs. Celery kills its process; a thread of a consumer cannot"
               " be stopped from outside."), "time-limits", _SYNC,
            unless=N_("your own consumer runs each job in a process of its own.")),
        Choice("hour", N_("Half an hour or more"), {"celery": 1},
            N_("RabbitMQ waits 30 minutes for an acknowledgement (consumer_timeout). Then it closes the channel and"
               " delivers the job again, until the queue's delivery limit is reached, by Celery with late"
               " acknowledgement as by a consumer of your own. Set it longer than the longest job. And what runs long"
               " must be stopped when it hangs: Celery kills its process."), "time-limits", _SYNC,
            unless=N_("the job can be cut into short steps: then less is lost when a worker dies.")),
    )),
    Question("work", N_("What does a job mostly do?"), (
        Choice("computes", N_("It computes"), {"celery": 2, "rabbitmq": -1, "sync": -1},
            N_("Threads of one Python process share one processor. Celery has a pool of processes; a consumer is"
               " started once for each processor."), "prefetch",
            unless=N_("the time goes to libraries that free the interpreter, such as NumPy or Pillow.")),
        Choice("waits", N_("It waits for the network"), {"rabbitmq": 1},
            N_("What waits needs no processor: hundreds of threads, or an asyncio consumer such as aio-pika or taskiq,"
               " wait at once where a process for each would take gigabytes."), "prefetch",
            unless=N_("Celery runs with its gevent pool, and the libraries in use support that.")),
    )),
    Question("twice", N_("May a job's effect happen twice?"), (
        Choice("harmless", N_("Yes, that is harmless")),
        Choice("once", N_("No, as with a payment"), {},
            N_("Nothing delivers exactly once: a job whose worker died after its work, and before its acknowledgement,"
               " comes again by every method. Store a key of the job together with its effect, in one transaction, and"
               " skip a key that is there."), "late-acks",
            unless=N_("the effect is somewhere that takes neither a key nor a question: then it may happen twice.")),
    )),
    Question("loss", N_("May a job be lost when something is killed?"), (
        Choice("may", N_("Yes, it is sent again anyway")),
        Choice("never", N_("No"), {"celery": 2, "rabbitmq": 2},
            N_("The broker delivers again what a worker did not acknowledge; a request that was killed is gone. As it"
               " comes, Celery acknowledges before a job runs, and loses it with its process: set task_acks_late and"
               " task_reject_on_worker_lost."),
            "late-acks", _SYNC,
            unless=N_("a database holds the jobs as well, and can send them again.")),
    )),
    Question("cancel", N_("Must a job be cancelled while it runs?"), (
        _NO,
        Choice("polite", N_("Yes, and its code can look up now and then"), {"celery": 1, "rabbitmq": 1, "sync": -1},
            N_("Both hear of a cancellation; a consumer's job hears at its next report."), "cancel",
            unless=N_("most of a job's time goes to one long call, during which its code cannot look.")),
        Choice("force", N_("Yes, whatever it is doing"), {"celery": 3, "rabbitmq": -2},
            N_("revoke with terminate kills the process that runs it; a thread can only be left to itself."),
            "cancel", _SYNC,
            unless=N_("Celery's pool is one of threads or of gevent, which cannot terminate a job either.")),
    )),
    Question("later", N_("Are jobs to run later, after a wait or at a time?"), (
        _NO,
        Choice("yes", N_("Yes"), {"celery": 2},
            N_("In Celery it is an argument; by hand it is delay queues and what moves messages through them."),
            "countdown", _SYNC,
            unless=N_("the wait is days: keep the job in a database until its time, rather than in a queue.")),
    )),
    Question("periodic", N_("Are jobs to run by the clock, again and again?"), (
        _NO,
        Choice("only", N_("Yes, and that is all there is: a few reports a night"), {},
            N_("A timer and a script need no broker and no worker: cron, a systemd timer, or a CronJob of Kubernetes."),
            "periodic", other="cron",
            unless=N_("jobs must be tried again, spread over machines, or followed on a page.")),
        Choice("cron", N_("Yes, and something else, such as cron, may send them"), {},
            N_("A timer that sends a message does for either; the schedule is then not in this code."), "periodic",
            unless=N_("users change the schedule, so that it belongs in your own database.")),
        Choice("yes", N_("Yes, with the schedule in the code"), {"celery": 3},
            N_("Beat comes with Celery; AMQP knows no clock, and a second Beat is not worth writing."), "periodic",
            unless=N_("Beat must not stand still with its machine: it runs once, and nothing takes its place.")),
    )),
    Question("workflows", N_("Does one job lead to others?"), (
        _NO,
        Choice("next", N_("One follows another"), {"celery": 1},
            N_("link is one argument; by hand the message carries what follows."), "callback",
            unless=N_("the first job itself can send the second at its end: that is one line by either.")),
        Choice("joins", N_("Many run at once and something waits for all of them"), {"celery": 3, "rabbitmq": -1},
            N_("A chord is one line; by hand somebody has to count, in a transaction."), "chord", _SYNC,
            unless=N_("a result of the group may be lost: then the chord waits until it is given up.")),
        Choice("days", N_("Steps over days, with people in between"), {},
            N_("What waits for days and for people, and must be looked at and mended on the way, is for a workflow"
               " engine such as Temporal, Airflow or Prefect."), "chord", other="engine",
            unless=N_("there are two or three steps: then a status column and a job for each step do.")),
    )),
    Question("throughput", N_("How many jobs a second, at the busiest?"), (
        Choice("few", N_("A few a minute, and there is a database"), {},
            N_("A table of jobs, taken with FOR UPDATE SKIP LOCKED, keeps a job and its data in one transaction, and is"
               " one thing less to run."), "submit", other="table",
            unless=N_("other programs send or run jobs too, or there will be hundreds a second.")),
        Choice("ten", N_("Up to 10"), needs=10),
        Choice("hundred", N_("Up to 100"), needs=100),
        Choice("thousand", N_("Up to 1,000"), {"rabbitmq": 1}, _LESS, "prefetch", unless=_WORK, needs=1_000),
        Choice("more", N_("Up to 2,000"), {"rabbitmq": 2, "sync": -1}, _LESS, "prefetch", unless=_WORK, needs=2_000),
        Choice("flood", N_("More than 2,000"), {"rabbitmq": 3, "celery": -2, "sync": -2},
            N_("At such rates the cost of a message decides. Celery takes about a millisecond of a processor for each,"
               " a plain consumer that fetches ahead a tenth of it."), "prefetch", needs=5_000,
            unless=N_("many messages fit into one job: gathered by the thousand, any method does.")),
    ), "throughput"),
    Question("latency", N_("How soon must 99 of 100 jobs be done and known, beside their own work?"), (
        Choice("any", N_("It does not matter")),
        Choice("second", N_("Within a second"), needs=1_000),
        Choice("tenth", N_("Within a tenth of a second"), needs=100),
        Choice("instant", N_("Within ten milliseconds"), {"sync": 2, "rabbitmq": 1},
            N_("What needs no broker waits for none; and with one, each layer takes its time."), "confirms",
            unless=N_("the jobs are longer than the requests may take."), needs=10),
    ), "end_to_end.p99"),
    Question("languages", N_("Is there code in other languages?"), (
        Choice("python", N_("No, Python only")),
        Choice("send", N_("Other languages send jobs"), {"rabbitmq": 2},
            N_("A JSON document of one's own is written in any language; Celery's format has to be imitated."),
            "submit",
            unless=N_("there is a library of Celery's message format for that language, and it is maintained.")),
        Choice("run", N_("Other languages run jobs"), {"rabbitmq": 3},
            N_("A worker in another language needs no more than AMQP and JSON. Celery's workers are Python; what"
               " there is for other languages has a part of it."), "submit",
            frozenset({"celery", "sync"}),
            unless=N_("only some kinds of jobs run there: those go by hand, the others may stay with Celery.")),
    )),
    Question("broker", N_("Which broker may it be?"), (
        Choice("rabbitmq", N_("RabbitMQ")),
        Choice("other", N_("Another one, such as Redis, or it may change"), {"celery": 2},
            N_("Celery speaks to several brokers; a consumer by hand is made of what RabbitMQ alone has."),
            "dead-letters", frozenset({"rabbitmq"}),
            unless=N_("the other broker speaks AMQP 0-9-1 too, as LavinMQ does.")),
    )),
    Question("team", N_("Who will look after it?"), (
        Choice("celery", N_("People who know Celery"), {"celery": 2},
            N_("What they know already, they need not write, test and explain."), "retry-backoff",
            unless=N_("other answers here ask for what Celery does not do.")),
        Choice("amqp", N_("People who know AMQP, and like to see each step"), {"rabbitmq": 2},
            N_("Each step from the bytes to the acknowledgement is written out, and theirs to change."), "late-acks",
            unless=N_("those people leave, and nobody has learnt it from them.")),
        Choice("few", N_("One or two, beside much else"), {"celery": 1, "sync": 1, "rabbitmq": -1},
            N_("Retries, limits, control and monitoring are there; by hand each of them is code to look after."),
            "inspect",
            unless=N_("the jobs need none of that: then the least code is the easiest to look after.")),
    )),
)

# Pairs of answers that do not go together, and why.
CONTRADICTIONS: Final = (
    (("length", "long"), ("latency", "instant"),
        N_("Jobs of minutes keep their workers busy: ten milliseconds beside their own work need a free worker for"
           " each at all times.")),
    (("languages", "run"), ("broker", "other"),
        N_("Workers in other languages speak to RabbitMQ here; on another broker Celery's own format would have to be"
           " imitated there.")),
    (("length", "instant"), ("loss", "never"),
        N_("A user who waits for the answer sees that the request failed, and can ask again: either they wait, or the"
           " job is kept for later.")),
    (("length", "instant"), ("later", "yes"),
        N_("Nobody waits for a job that runs later: one of the two answers is about other jobs.")),
)
# fmt: on
