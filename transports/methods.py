"""The one table of the methods that the lab compares, and of their contenders."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from lab.broker.amqp import CELERY_QUEUE, RABBITMQ_QUEUE
from lab.delivery import Delivery


def N_(text: str) -> str:  # noqa: N802 - the name by which Babel finds it
    """Marks `text` for translation; it is translated when it is shown."""
    return text


@dataclass(frozen=True)
class Contender:
    """A method in one mode of delivery. Texts are English, marked for translation.

    Attributes:
        label: what it is called.
        about: what sets it apart, in a few words.
        start: the command that starts a worker, and the one that does it in containers; None where none is needed.
        absent: the sentence before them, where no worker answers.
        code: patterns of its worker's own files, and files among them that do not belong to it.
    """

    label: str
    about: str
    start: tuple[str, str] | None = None
    absent: str = ""
    code: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())


@dataclass(frozen=True)
class Method:
    """A way for a job from the API to where it runs.

    Attributes:
        queue: the safe mode's queue; None without a broker.
        transport: the class that submits, as "module:name".
        control: the class that speaks to its workers, in the same way; None without workers.
        colour: its token in static/app.css, with the light value for where that is not defined.
        in_guide: what the guide calls it.
        contenders: by mode of delivery.
    """

    name: str
    queue: str | None
    transport: str
    control: str | None
    colour: str
    in_guide: str
    contenders: Mapping[Delivery, Contender]


CELERY: Final = Method(
    name="celery",
    queue=CELERY_QUEUE,
    transport="transports.celery.transport:CeleryTransport",
    control="transports.celery.control:CeleryControl",
    colour="var(--method-celery, #22683a)",
    in_guide=N_("Celery"),
    contenders={
        Delivery.NAIVE: Contender(
            label=N_("Celery, as it comes"),
            about=N_("nothing set but the queue: acknowledged early, not confirmed"),
            start=(
                "DELIVERY=naive celery -A celery_app worker --concurrency=3 -n naive@%h",
                "docker compose --profile naive up -d",
            ),
            absent=N_("No worker of “Celery, as it comes” answers. Start one:"),
            code=(("celery_app.py", "celery_tasks.py"), ()),
        ),
        Delivery.SAFE: Contender(
            label=N_("Celery, safe"),
            about=N_("its documented settings: acknowledged late, confirmed, a quorum queue"),
            start=("celery -A celery_app worker --concurrency=3", "docker compose up -d celery_worker"),
            absent=N_("No Celery worker answers. Start one:"),
            code=(("celery_*.py", "celery_worker/*.py"), ("celery_worker/examples.py",)),
        ),
    },
)
RABBITMQ: Final = Method(
    name="rabbitmq",
    queue=RABBITMQ_QUEUE,
    transport="transports.rabbitmq.transport:RabbitMQTransport",
    control="transports.rabbitmq.control:RabbitMQControl",
    colour="var(--method-rabbitmq, #9c4206)",
    in_guide=N_("a consumer of your own"),
    contenders={
        Delivery.NAIVE: Contender(
            label=N_("RabbitMQ, by the tutorial"),
            about=N_("one job at a time in each process, no confirms, no reconnecting"),
            start=(
                "DELIVERY=naive python -m consumer --concurrency 3 -n naive@%h",
                "docker compose --profile naive up -d",
            ),
            absent=N_("No worker of “RabbitMQ, by the tutorial” is connected. Start some:"),
            code=(("consumer/tutorial.py",), ()),
        ),
        Delivery.SAFE: Contender(
            label=N_("RabbitMQ, safe"),
            about=N_("the same promises, by hand"),
            start=("python -m consumer --concurrency 3", "docker compose up -d consumer"),
            absent=N_("No consumer answers. Start one:"),
            code=(("consumer/*.py",), ("consumer/tutorial.py", "consumer/processes.py")),
        ),
    },
)
_INSIDE: Final = Contender(
    label=N_("Sync"), about=N_("inside the request's process, no broker: the yardstick")
)
SYNC: Final = Method(
    name="sync",
    queue=None,
    transport="transports.sync:SyncTransport",
    control=None,
    colour="var(--method-sync, #4050b5)",
    in_guide=N_("in the request"),
    # It has no broker, and the mode of delivery means nothing to it.
    contenders={Delivery.NAIVE: _INSIDE, Delivery.SAFE: _INSIDE},
)
METHODS: Final[Mapping[str, Method]] = {method.name: method for method in (CELERY, RABBITMQ, SYNC)}
"""In the order in which they are shown."""
QUEUES: Final[Mapping[str, str]] = {name: method.queue for name, method in METHODS.items() if method.queue}
"""The safe mode's queue of each method that has a broker."""
OF_QUEUE: Final[Mapping[str, str]] = {queue: name for name, queue in QUEUES.items()}

# For pydantic, which checks requests against the table, and for /openapi.json, which lists it.
if TYPE_CHECKING:
    MethodName = str
    BrokeredName = str
else:
    MethodName = Literal[tuple(METHODS)]
    BrokeredName = Literal[tuple(QUEUES)]


def contender(method: str, delivery: str) -> Contender:
    """The contender.

    Raises:
        KeyError: there is no such method.
        ValueError: there is no such mode.
    """
    return METHODS[method].contenders[Delivery(delivery)]


def label_of(method: str, delivery: str) -> str:
    """What the contender is called; raises as `contender` does."""
    return contender(method, delivery).label
