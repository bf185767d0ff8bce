"""The one table of the fault lab's cards. Texts are English, marked for translation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from transports.methods import N_


@dataclass(frozen=True)
class Strength:
    """What a run's `strength` means for a card: its label with the unit, its default, its bounds."""

    label: str
    default: float
    least: float
    most: float


@dataclass(frozen=True)
class Card:
    """A fault by its everyday name.

    Attributes:
        question: what it answers.
        issue: the public issue that asks the same, `owner/repository#number`.
        meaning: what at-least-once delivery means here.
        why: what decided who loses and who doubles.
        change: what to change where jobs were lost or doubled.
        decided_by: the features of the page *Side by side* whose lines decide it.
        jobs, seconds: jobs for each contender, and how long one takes, where nothing is said.
        patience: for how many seconds after the fault jobs may still come to their end.
        doubles: whether in the safe mode a job may run to its end twice here, as `meaning` explains.
    """

    name: str
    title: str
    question: str
    issue: str
    meaning: str
    why: str
    change: str
    decided_by: tuple[str, ...]
    strength: Strength
    jobs: int = 80
    seconds: float = 0.5
    patience: float = 45.0
    doubles: bool = False

    @property
    def issue_url(self) -> str:
        """The address of `issue`."""
        repository, _, number = self.issue.partition("#")
        return f"https://github.com/{repository}/issues/{number}"


_KILLS: Final = N_("How many workers of each contender are struck, one after the other")
_OUTAGE: Final = N_("How long the fault lasts, in seconds")
_UNTOLD: Final = N_(
    "A job that had ended when its worker died, and whose end nobody had been told, runs again: counted as ran"
    " twice."
)
_STALE: Final = N_(
    "A worker that goes on without its connection may bring a job to its end that another one was given"
    " meanwhile: counted as ran twice."
)

_ALL: Final = (
    Card(
        name="deploy",
        title=N_("Deploy during load"),
        question=N_(
            "What happens to running jobs when a rolling restart gives them less time than they need, and when one"
            " worker of two is taken away?"
        ),
        issue="learningequality/studio#5000",
        meaning=N_(
            "A job that is stopped before its end runs again on another worker. Its begin happens twice, its end"
            " once. At the end one worker of two is left, so that jobs are done at about half the rate."
        ),
        why=N_(
            "Celery as it comes has acknowledged a job when it began: on SIGTERM it waits without a bound (warm"
            " shutdown), and SIGKILL at the end of the grace period takes the job along. Safe Celery runs with"
            " REMAP_SIGTERM=SIGQUIT: its first worker here shuts down softly, that is it waits for"
            " worker_soft_shutdown_timeout, 0.4 of the grace period, and ends its jobs then; the second one has no"
            " such time and ends them at once (cold shutdown). Both then take two seconds or more to end themselves: a"
            " process of the pool that is told to end sleeps a second. The broker takes the messages back when the"
            " worker's connection ends, also where the worker is killed: they are acknowledged after their jobs. The"
            " consumer waits 0.4 of the grace period too and gives its messages back; the tutorial's process waits for"
            " its job, and the broker takes the message of one that is killed."
        ),
        change=N_(
            "Acknowledge late and reject on a lost worker; set REMAP_SIGTERM=SIGQUIT for Celery's soft shutdown, and"
            " give the orchestrator a grace period that is several seconds longer than worker_soft_shutdown_timeout."
        ),
        decided_by=("late-acks", "prefetch"),
        strength=Strength(N_("Grace period before SIGKILL, in seconds"), 6.0, 0.0, 60.0),
        jobs=24,
        seconds=8.0,
        patience=100.0,
    ),
    Card(
        name="worker-killed",
        title=N_("Worker killed (out of memory)"),
        question=N_("A worker gets SIGKILL in the middle of its jobs. Are they lost?"),
        issue="celery/celery#14",
        meaning=_UNTOLD,
        why=N_(
            "Early acknowledgement removes the message before the job runs, so that nothing is left of a job"
            " whose worker dies. With late acknowledgement the broker sees the connection end and delivers the"
            " message again."
        ),
        change=N_("Set task_acks_late and task_reject_on_worker_lost, and make jobs idempotent."),
        decided_by=("late-acks", "prefetch"),
        strength=Strength(_KILLS, 1, 1, 2),
    ),
    Card(
        name="pool-process-killed",
        title=N_("One pool process killed"),
        question=N_("The kernel ends one process of a worker's pool. What becomes of its job?"),
        issue="celery/celery#1628",
        meaning=_UNTOLD,
        why=N_(
            "Celery's main process lives on and sees its child die. As it comes, and with acks_late alone too, it"
            " acknowledges the message and calls the task failed; task_reject_on_worker_lost gives the message"
            " back. The consumer runs its jobs in threads, so that the whole worker dies; of the tutorial's"
            " workers one process does."
        ),
        change=N_("Set task_reject_on_worker_lost beside task_acks_late."),
        decided_by=("late-acks", "dead-letters"),
        strength=Strength(_KILLS, 1, 1, 2),
    ),
    Card(
        name="worker-frozen",
        title=N_("Worker frozen"),
        question=N_(
            "A worker stops answering but keeps its connection. When does another one take its jobs?"
        ),
        issue="celery/celery#3458",
        meaning=_STALE,
        why=N_(
            "Only missed heartbeats tell the broker. With 10 seconds it notices after about 20 to 30, and gives"
            " the messages to another worker; by default after one to three minutes. A frozen worker that wakes up"
            " later ends the jobs it had begun."
        ),
        change=N_(
            "Lower broker_heartbeat, and have jobs check at their end whether they were still the owner."
        ),
        decided_by=("late-acks", "idempotent"),
        strength=Strength(_OUTAGE, 35.0, 1.0, 120.0),
        doubles=True,
    ),
    Card(
        name="broker-restarted",
        title=N_("Broker restarts"),
        question=N_("The broker is restarted in order. Who comes back, and which jobs run twice?"),
        issue="celery/celery#4671",
        meaning=_STALE,
        why=N_(
            "Messages on disk survive. A job that runs while the connection is gone cannot be acknowledged: the"
            " broker delivers its message again. Safe Celery cancels such jobs"
            " (worker_cancel_long_running_tasks_on_connection_loss); the consumer lets them end and skips the"
            " second delivery; the tutorial's process ends with an error."
        ),
        change=N_(
            "Cancel late-acknowledged jobs on connection loss, or make them idempotent; use a supervisor for"
            " workers that do not reconnect."
        ),
        decided_by=("late-acks", "idempotent"),
        strength=Strength(_OUTAGE, 3.0, 0.0, 60.0),
        doubles=True,
    ),
    Card(
        name="broker-killed",
        title=N_("Broker killed"),
        question=N_(
            "The broker's process is killed and starts again on its data. Are accepted messages still there?"
        ),
        issue="alanxz/rabbitmq-c#362",
        meaning=_STALE,
        why=N_(
            "Only a confirmed message is known to be on disk. An unconfirmed one may have been in a socket or in"
            " memory, and nobody notices that it is gone. What ran meanwhile cannot be acknowledged and is"
            " delivered again."
        ),
        change=N_(
            "Use publisher confirms and quorum queues, and an outbox that sends again what was not confirmed."
        ),
        decided_by=("confirms", "late-acks"),
        strength=Strength(_OUTAGE, 3.0, 0.0, 60.0),
        doubles=True,
    ),
    Card(
        name="broker-alarm",
        title=N_("Broker in alarm (memory, disk)"),
        question=N_(
            "The broker runs out of memory, blocks publishers, and is killed. Where are the jobs sent meanwhile?"
        ),
        issue="celery/celery#2689",
        meaning=_STALE,
        why=N_(
            "In an alarm the broker stops reading from connections that publish. Without confirms the sender"
            " takes a full socket buffer for success, and what lies there dies with the connection."
        ),
        change=N_(
            "Use publisher confirms with a read timeout (pika: blocked_connection_timeout), and an outbox that"
            " sends again."
        ),
        decided_by=("confirms", "submit"),
        strength=Strength(_OUTAGE, 8.0, 1.0, 60.0),
        doubles=True,
    ),
    Card(
        name="connection-cut",
        title=N_("Connection cut, half open, slow"),
        question=N_(
            "The network resets connections, swallows everything, and is slow. Who notices, and what is lost?"
        ),
        issue="celery/celery#3201",
        meaning=_STALE,
        why=N_(
            "A reset connection takes unconfirmed messages along and gives unacknowledged ones back. On a"
            " half-open one only heartbeats and timeouts notice anything."
        ),
        change=N_(
            "Set heartbeats, read and write timeouts and confirms; cancel or tolerate jobs that lost their"
            " connection."
        ),
        decided_by=("confirms", "late-acks"),
        strength=Strength(N_("How long each of the three phases lasts, in seconds"), 4.0, 0.5, 60.0),
        doubles=True,
    ),
    Card(
        name="queue-deleted",
        title=N_("Queue deleted under the worker"),
        question=N_(
            "Somebody deletes the queue while workers consume from it. Do they notice, and do the jobs come back?"
        ),
        issue="celery/kombu#1953",
        meaning=N_(
            "The lab's API sends again what lies in no queue and with no worker; a job that ran is not sent"
            " again. Celery breaks off what it runs when its queue goes, and that is sent again, too; the consumer"
            " lets it end."
        ),
        why=N_(
            "The broker drops the messages and cancels the consumers. Nothing in AMQP brings the messages back:"
            " only a sender that kept them can. Unconfirmed, non-mandatory messages to a queue that is gone are"
            " dropped silently."
        ),
        change=N_(
            "Keep what was sent until it has ended (an outbox), publish with mandatory, and consume again on"
            " cancel."
        ),
        decided_by=("confirms", "dead-letters"),
        strength=Strength(N_("How often the queue is deleted"), 1, 1, 3),
        patience=110.0,
        doubles=True,
    ),
    Card(
        name="api-away",
        title=N_("API away"),
        question=N_(
            "The service that workers report to is down for a while. Do jobs go on, and are their ends reported?"
        ),
        issue="celery/celery#8588",
        meaning=N_(
            "A job whose end is spooled or told again is told at least once; the store takes it once."
        ),
        why=N_(
            "Safe workers keep an end on their own disk until the API takes it. A report that is sent once, as in"
            " the tutorials, is gone: the job ran, and the store never hears of it."
        ),
        change=N_("Spool reports, and acknowledge only after the end was told or spooled."),
        decided_by=("keep-result", "idempotent"),
        strength=Strength(_OUTAGE, 6.0, 1.0, 60.0),
    ),
    Card(
        name="database-away",
        title=N_("Database away"),
        question=N_(
            "The database is killed under load. Does the API say so, and does anything it accepted get lost?"
        ),
        issue="celery/celery#537",
        meaning=N_(
            "A request that was answered with an error may be sent again with the same Idempotency-Key."
        ),
        why=N_(
            "The API answers 503 and accepts nothing that it cannot store; the outbox row and the task are one"
            " transaction. Safe workers tell an end until it is taken; reports that are sent once are lost."
        ),
        change=N_("Store the task and its message in one transaction, and let workers repeat their reports."),
        decided_by=("submit", "keep-result"),
        strength=Strength(_OUTAGE, 6.0, 1.0, 60.0),
        patience=70.0,
    ),
    Card(
        name="killer-job",
        title=N_("A job that kills its worker"),
        question=N_(
            "One job always kills the process that runs it. Does it stop the others, and where does it end?"
        ),
        issue="OasisLMF/OasisPlatform#975",
        meaning=N_("A neighbour of the killer that was running begins again; its end happens once."),
        why=N_(
            "Early acknowledgement forgets the killer after its first run. Late acknowledgement on a classic"
            " queue brings it back for ever. A quorum queue with a delivery limit gives it up and keeps it as a"
            " dead letter."
        ),
        change=N_("Use quorum queues with x-delivery-limit and a dead-letter queue that somebody looks at."),
        decided_by=("dead-letters", "late-acks"),
        strength=Strength(N_("How many such jobs are sent"), 1, 1, 3),
        jobs=40,
        seconds=0.4,
        patience=60.0,
    ),
    Card(
        name="unreadable-message",
        title=N_("A message nobody can read"),
        question=N_(
            "A message that is not a job arrives in the queue. Is it kept, does it stop the worker, or is it gone?"
        ),
        issue="celery/celery#2873",
        meaning=N_(
            "The message cannot run. It counts as held where it is kept as a dead letter, as lost where it is"
            " gone."
        ),
        why=N_(
            "Celery acknowledges what it cannot decode, and the message is gone; the lab's safe Celery rejects"
            " it. The tutorial's process dies of it and gets it again for ever. The consumer rejects it into the"
            " dead letters."
        ),
        change=N_(
            "Reject without requeue, with a dead-letter exchange; never acknowledge what was not understood."
        ),
        decided_by=("unreadable", "dead-letters"),
        strength=Strength(N_("How many such messages are sent"), 1, 1, 20),
        jobs=40,
        seconds=0.4,
        patience=30.0,
    ),
    Card(
        name="long-job",
        title=N_("A job longer than the broker waits for its acknowledgement"),
        question=N_(
            "The broker's consumer_timeout is shorter than the job. Does it ever end, and how often does it run?"
        ),
        issue="celery/celery#6760",
        meaning=_STALE,
        why=N_(
            "RabbitMQ takes back a message that is not acknowledged in time (30 minutes by default) and delivers it"
            " again. On 3.10 it closes the consumer's channel. The tutorial's process runs the job to its end, cannot"
            " acknowledge it, dies and gets it again, without end. Celery's worker ends with an unrecoverable error and"
            " has to be started again. The safe contenders skip the second delivery of a job that the store knows to be"
            " done. On 4.3 it cancels the consumer (basic.cancel), and only on quorum queues: the tutorial's classic"
            " queue has no such limit. Safe Celery connects again and ends the jobs that run, which begin again and"
            " again until the limit is raised; the consumer connects again and lets them end, so that a job may run on"
            " another worker too. Early acknowledgement never meets the limit."
        ),
        change=N_("Set consumer_timeout above the longest job, or split the job."),
        decided_by=("late-acks", "time-limits"),
        strength=Strength(N_("The broker's consumer_timeout, in seconds"), 8.0, 5.0, 60.0),
        jobs=8,
        seconds=14.0,
        patience=75.0,
        doubles=True,
    ),
    Card(
        name="power-loss",
        title=N_("Everything loses power at once"),
        question=N_("Broker, API and workers are killed in the same moment and start again. What is left?"),
        issue="ClickHouse/ClickHouse#111800",
        meaning=_UNTOLD,
        why=N_(
            "What survives is what was on a disk: rows in the store, confirmed messages in quorum queues, ends in"
            " the spool. What was acknowledged but not done, or sent but not confirmed, is gone."
        ),
        change=N_("Acknowledge after the work, confirm what is sent, and write to disk before saying yes."),
        decided_by=("confirms", "late-acks", "submit"),
        strength=Strength(N_("How long the power is away, in seconds"), 2.0, 0.0, 30.0),
        jobs=40,
        seconds=2.0,
        patience=70.0,
        doubles=True,
    ),
)
CARDS: Final[Mapping[str, Card]] = {card.name: card for card in _ALL}
"""By name, in the order in which they are shown."""
