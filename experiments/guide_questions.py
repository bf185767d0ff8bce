"""The questions of the decision guide: plain data. English, marked for translation.

Weights of answers: 1 leans to a method, 2 speaks for it, 3 is nearly the whole matter; the same below zero.
"""

from dataclasses import dataclass, field
from typing import Final

from experiments.words import N_

METHODS: Final = ("celery", "rabbitmq", "sync")


@dataclass(frozen=True)
class Answer:
    """One answer.

    Attributes:
        weights: what it means for each method.
        reason: why, in a sentence; "" where it says nothing for or against any of them.
        row: the row of *Side by side* that shows it.
        rules_out: the methods with which it cannot be done.
        needs: the bound that the reader's own runs are held against.
    """

    id: str
    text: str
    weights: dict[str, int] = field(default_factory=dict)
    reason: str = ""
    row: str = ""
    rules_out: frozenset[str] = frozenset()
    needs: float | None = None


@dataclass(frozen=True)
class Question:
    """A question with its answers. `figure` is what the reader's own runs tell about it, where they can."""

    id: str
    text: str
    answers: tuple[Answer, ...]
    figure: str = ""

    def answer(self, answer_id: str) -> Answer | None:
        """The answer of that id; None where there is none."""
        return next((answer for answer in self.answers if answer.id == answer_id), None)


_NO: Final = Answer("no", N_("No"))
_SYNC: Final = frozenset({"sync"})
_LESS: Final = N_("A consumer of one's own does less for each message than a library that can do everything.")

# fmt: off
QUESTIONS: Final = (
    Question("length", N_("How long does a job take?"), (
        Answer("instant", N_("So short that whoever asked can wait for it"), {"sync": 3},
            N_("Whoever waits needs no queue. What a broker brings has its price in code and in time."), "submit"),
        Answer("seconds", N_("Seconds"), {"celery": 1, "rabbitmq": 1, "sync": -2},
            N_("Seconds are too long to hold a request open for, with its thread."), "submit"),
        Answer("long", N_("Minutes or more"), {"celery": 1},
            N_("What runs long must be stopped when it hangs. Celery kills its process; a thread of a consumer cannot"
               " be stopped from outside."), "time-limits", _SYNC),
    )),
    Question("loss", N_("May a job be lost when something is killed?"), (
        Answer("may", N_("Yes, it is sent again anyway")),
        Answer("never", N_("No"), {"celery": 2, "rabbitmq": 2},
            N_("The broker delivers again what a worker did not acknowledge; a request that was killed is gone."),
            "late-acks", _SYNC),
    )),
    Question("cancel", N_("Must a job be cancelled while it runs?"), (
        _NO,
        Answer("polite", N_("Yes, and its code can look up now and then"), {"celery": 1, "rabbitmq": 1, "sync": -1},
            N_("Both hear of a cancellation; a consumer's job hears at its next report."), "cancel"),
        Answer("force", N_("Yes, whatever it is doing"), {"celery": 3, "rabbitmq": -2},
            N_("revoke with terminate kills the process that runs it; a thread can only be left to itself."),
            "cancel", _SYNC),
    )),
    Question("later", N_("Are jobs to run later, after a wait or at a time?"), (
        _NO,
        Answer("yes", N_("Yes"), {"celery": 2},
            N_("In Celery it is an argument; by hand it is delay queues and what moves messages through them."),
            "countdown", _SYNC),
    )),
    Question("periodic", N_("Are jobs to run by the clock, again and again?"), (
        _NO,
        Answer("cron", N_("Yes, and something else, such as cron, may send them"), {},
            N_("A timer that sends a message does for either; the schedule is then not in this code."), "periodic"),
        Answer("yes", N_("Yes, with the schedule in the code"), {"celery": 3},
            N_("Beat comes with Celery; AMQP knows no clock, and a second Beat is not worth writing."), "periodic"),
    )),
    Question("workflows", N_("Does one job lead to others?"), (
        _NO,
        Answer("next", N_("One follows another"), {"celery": 1},
            N_("link is one argument; by hand the message carries what follows."), "callback"),
        Answer("joins", N_("Many run at once and something waits for all of them"), {"celery": 3, "rabbitmq": -1},
            N_("A chord is one line; by hand somebody has to count, in a transaction."), "chord", _SYNC),
    )),
    Question("throughput", N_("How many jobs a second, at the busiest?"), (
        Answer("ten", N_("Up to 10"), needs=10),
        Answer("hundred", N_("Up to 100"), needs=100),
        Answer("thousand", N_("Up to 1,000"), {"rabbitmq": 1}, _LESS, "prefetch", needs=1_000),
        Answer("more", N_("More than 1,000"), {"rabbitmq": 2, "sync": -1}, _LESS, "prefetch", needs=2_000),
    ), "throughput"),
    Question("latency", N_("How soon must 99 of 100 jobs be done and known, beside their own work?"), (
        Answer("any", N_("It does not matter")),
        Answer("second", N_("Within a second"), needs=1_000),
        Answer("tenth", N_("Within a tenth of a second"), needs=100),
        Answer("instant", N_("Within ten milliseconds"), {"sync": 2, "rabbitmq": 1},
            N_("What needs no broker waits for none; and with one, each layer takes its time."), "confirms", needs=10),
    ), "end_to_end.p99"),
    Question("languages", N_("Is there code in other languages?"), (
        Answer("python", N_("No, Python only")),
        Answer("send", N_("Other languages send jobs"), {"rabbitmq": 2},
            N_("A JSON document of one's own is written in any language; Celery's format has to be imitated."),
            "submit"),
        Answer("run", N_("Other languages run jobs"), {"rabbitmq": 3, "celery": -2},
            N_("A worker in another language needs no more than AMQP and JSON."), "submit", _SYNC),
    )),
    Question("broker", N_("Which broker may it be?"), (
        Answer("rabbitmq", N_("RabbitMQ")),
        Answer("other", N_("Another one, such as Redis, or it may change"), {"celery": 2},
            N_("Celery speaks to several brokers; a consumer by hand is made of what RabbitMQ alone has."),
            "dead-letters", frozenset({"rabbitmq"})),
    )),
    Question("team", N_("Who will look after it?"), (
        Answer("celery", N_("People who know Celery"), {"celery": 2},
            N_("What they know already, they need not write, test and explain."), "retry-backoff"),
        Answer("amqp", N_("People who know AMQP, and like to see each step"), {"rabbitmq": 2},
            N_("Each step from the bytes to the acknowledgement is written out, and theirs to change."), "late-acks"),
        Answer("few", N_("One or two, beside much else"), {"celery": 1, "sync": 1, "rabbitmq": -1},
            N_("Retries, limits, control and monitoring are there; by hand each of them is code to look after."),
            "inspect"),
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
        N_("Whoever waits for the answer sees that a request failed, and can ask again: either they wait, or the job"
           " is kept for later.")),
    (("length", "instant"), ("later", "yes"),
        N_("Nobody waits for a job that runs later: one of the two answers is about other jobs.")),
)
# fmt: on
