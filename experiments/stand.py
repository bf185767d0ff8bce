"""A lab of its own for one run: broker, API, and a worker for each arm that needs one."""

import logging
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from experiments.client import ClientError
from experiments.plan import Plan
from harness.lab import Lab
from harness.node import NodeError, RabbitNode
from harness.processes import ProcessError
from transports.methods import CELERY, RABBITMQ


class OwnStand:
    """Started on entry and ended on exit, with all that it wrote. Raises ClientError where it does not start.

    Args:
        plan: what is to be run on it.
        concurrency: how many jobs each worker runs at once.
    """

    def __init__(self, plan: Plan, concurrency: int) -> None:
        self._plan = plan
        self._concurrency = concurrency
        self._parts = ExitStack()
        self.url = ""

    def __enter__(self) -> Self:
        logging.getLogger("pika").setLevel(logging.CRITICAL)
        try:
            base = Path(self._parts.enter_context(TemporaryDirectory(prefix="transport-lab-")))
            node = self._parts.enter_context(RabbitNode(base / "rmq"))
            (base / "tmp").mkdir()
            lab = Lab(
                base / "lab",
                node.url,
                management_url=node.management_url,
                env={"TMPDIR": str(base / "tmp")},
            )
            self._parts.callback(lab.stop)
            lab.start_api()
            for method, delivery in dict.fromkeys((arm.method, arm.delivery) for arm in self._plan.arms):
                lab.env["DELIVERY"] = delivery.value
                if method == CELERY.name:
                    lab.start_celery(self._concurrency, f"celery-{delivery}")
                elif method == RABBITMQ.name:
                    lab.start_consumer(self._concurrency, f"consumer-{delivery}")
        except (NodeError, ProcessError, OSError) as error:
            self._parts.close()
            raise ClientError(f"The lab did not start: {error}") from error
        except BaseException:
            self._parts.close()
            raise
        self.url = lab.url
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._parts.close()
