"""The guide's questions about the load, the surroundings and the people. English, marked for translation."""

from typing import Final

from experiments.guide_question import Answer, Question
from experiments.words import N_

_SYNC: Final = frozenset({"sync"})

SURROUNDINGS: Final = (
    Question(
        "throughput",
        N_("How many jobs a second, at the busiest?"),
        (
            Answer("ten", N_("Up to 10"), needs=10),
            Answer("hundred", N_("Up to 100"), needs=100),
            Answer(
                "thousand",
                N_("Up to 1,000"),
                {"rabbitmq": 1},
                N_(
                    "A consumer of one's own does less for each message than a library that can do everything."
                ),
                "prefetch",
                needs=1_000,
            ),
            Answer(
                "more",
                N_("More than 1,000"),
                {"rabbitmq": 2, "sync": -1},
                N_(
                    "A consumer of one's own does less for each message than a library that can do everything."
                ),
                "prefetch",
                needs=2_000,
            ),
        ),
        "throughput",
    ),
    Question(
        "latency",
        N_("How soon must 99 of 100 jobs be done and known, beside their own work?"),
        (
            Answer("any", N_("It does not matter")),
            Answer("second", N_("Within a second"), needs=1_000),
            Answer("tenth", N_("Within a tenth of a second"), needs=100),
            Answer(
                "instant",
                N_("Within ten milliseconds"),
                {"sync": 2, "rabbitmq": 1},
                N_("What needs no broker waits for none; and with one, each layer takes its time."),
                "confirms",
                needs=10,
            ),
        ),
        "end_to_end.p99",
    ),
    Question(
        "languages",
        N_("Is there code in other languages?"),
        (
            Answer("python", N_("No, Python only")),
            Answer(
                "send",
                N_("Other languages send jobs"),
                {"rabbitmq": 2},
                N_(
                    "A JSON document of one's own is written in any language; Celery's format has to be imitated."
                ),
                "submit",
            ),
            Answer(
                "run",
                N_("Other languages run jobs"),
                {"rabbitmq": 3, "celery": -2},
                N_("A worker in another language needs no more than AMQP and JSON."),
                "submit",
                _SYNC,
            ),
        ),
    ),
    Question(
        "broker",
        N_("Which broker may it be?"),
        (
            Answer("rabbitmq", N_("RabbitMQ")),
            Answer(
                "other",
                N_("Another one, such as Redis, or it may change"),
                {"celery": 2},
                N_(
                    "Celery speaks to several brokers; a consumer by hand is made of what RabbitMQ alone has."
                ),
                "dead-letters",
                frozenset({"rabbitmq"}),
            ),
        ),
    ),
    Question(
        "team",
        N_("Who will look after it?"),
        (
            Answer(
                "celery",
                N_("People who know Celery"),
                {"celery": 2},
                N_("What they know already, they need not write, test and explain."),
                "retry-backoff",
            ),
            Answer(
                "amqp",
                N_("People who know AMQP, and like to see each step"),
                {"rabbitmq": 2},
                N_("Each step from the bytes to the acknowledgement is written out, and theirs to change."),
                "late-acks",
            ),
            Answer(
                "few",
                N_("One or two, beside much else"),
                {"celery": 1, "sync": 1, "rabbitmq": -1},
                N_(
                    "Retries, limits, control and monitoring are there; by hand each of them is code to look after."
                ),
                "inspect",
            ),
        ),
    ),
)
