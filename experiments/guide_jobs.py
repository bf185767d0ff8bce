"""The guide's questions about the jobs themselves. English, marked for translation."""

from typing import Final

from experiments.guide_question import Answer, Question
from experiments.words import N_

_NO: Final = N_("No")
_SYNC: Final = frozenset({"sync"})

JOBS: Final = (
    Question(
        "length",
        N_("How long does a job take?"),
        (
            Answer(
                "instant",
                N_("So short that whoever asked can wait for it"),
                {"sync": 3},
                N_("Whoever waits needs no queue. What a broker brings has its price in code and in time."),
                "submit",
            ),
            Answer(
                "seconds",
                N_("Seconds"),
                {"celery": 1, "rabbitmq": 1, "sync": -2},
                N_("Seconds are too long to hold a request open for, with its thread."),
                "submit",
            ),
            Answer(
                "long",
                N_("Minutes or more"),
                {"celery": 1},
                N_(
                    "What runs long must be stopped when it hangs. Celery kills its process; a thread of a consumer"
                    " cannot be stopped from outside."
                ),
                "time-limits",
                _SYNC,
            ),
        ),
    ),
    Question(
        "loss",
        N_("May a job be lost when something is killed?"),
        (
            Answer("may", N_("Yes, it is sent again anyway")),
            Answer(
                "never",
                N_("No"),
                {"celery": 2, "rabbitmq": 2},
                N_(
                    "The broker delivers again what a worker did not acknowledge; a request that was killed is gone."
                ),
                "late-acks",
                _SYNC,
            ),
        ),
    ),
    Question(
        "cancel",
        N_("Must a job be cancelled while it runs?"),
        (
            Answer("no", _NO),
            Answer(
                "polite",
                N_("Yes, and its code can look up now and then"),
                {"celery": 1, "rabbitmq": 1, "sync": -1},
                N_("Both hear of a cancellation; a consumer's job hears at its next report."),
                "cancel",
            ),
            Answer(
                "force",
                N_("Yes, whatever it is doing"),
                {"celery": 3, "rabbitmq": -2},
                N_(
                    "revoke with terminate kills the process that runs it; a thread can only be left to itself."
                ),
                "cancel",
                _SYNC,
            ),
        ),
    ),
    Question(
        "later",
        N_("Are jobs to run later, after a wait or at a time?"),
        (
            Answer("no", _NO),
            Answer(
                "yes",
                N_("Yes"),
                {"celery": 2},
                N_(
                    "In Celery it is an argument; by hand it is delay queues and what moves messages through them."
                ),
                "countdown",
                _SYNC,
            ),
        ),
    ),
    Question(
        "periodic",
        N_("Are jobs to run by the clock, again and again?"),
        (
            Answer("no", _NO),
            Answer(
                "cron",
                N_("Yes, and something else, such as cron, may send them"),
                {},
                N_("A timer that sends a message does for either; the schedule is then not in this code."),
                "periodic",
            ),
            Answer(
                "yes",
                N_("Yes, with the schedule in the code"),
                {"celery": 3},
                N_("Beat comes with Celery; AMQP knows no clock, and a second Beat is not worth writing."),
                "periodic",
            ),
        ),
    ),
    Question(
        "workflows",
        N_("Does one job lead to others?"),
        (
            Answer("no", _NO),
            Answer(
                "next",
                N_("One follows another"),
                {"celery": 1},
                N_("link is one argument; by hand the message carries what follows."),
                "callback",
            ),
            Answer(
                "joins",
                N_("Many run at once and something waits for all of them"),
                {"celery": 3, "rabbitmq": -1},
                N_("A chord is one line; by hand somebody has to count, in a transaction."),
                "chord",
                _SYNC,
            ),
        ),
    ),
)
