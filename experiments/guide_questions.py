"""The questions of the decision guide: plain data.

Weights of answers: 1 leans to a method, 2 speaks for it, 3 is nearly the whole matter; the same below zero.
"""

from typing import Final

from experiments.guide_jobs import JOBS
from experiments.guide_surroundings import SURROUNDINGS
from experiments.words import N_

METHODS: Final = ("celery", "rabbitmq", "sync")
QUESTIONS: Final = (*JOBS, *SURROUNDINGS)

CONTRADICTIONS: Final = (
    (
        ("length", "long"),
        ("latency", "instant"),
        N_(
            "Jobs of minutes keep their workers busy: ten milliseconds beside their own work need a free worker for"
            " each at all times."
        ),
    ),
    (
        ("languages", "run"),
        ("broker", "other"),
        N_(
            "Workers in other languages speak to RabbitMQ here; on another broker Celery's own format would have to"
            " be imitated there."
        ),
    ),
    (
        ("length", "instant"),
        ("loss", "never"),
        N_(
            "Whoever waits for the answer sees that a request failed, and can ask again: either they wait, or the job"
            " is kept for later."
        ),
    ),
    (
        ("length", "instant"),
        ("later", "yes"),
        N_("Nobody waits for a job that runs later: one of the two answers is about other jobs."),
    ),
)
"""Pairs of answers that do not go together, and why."""
