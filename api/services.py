"""What the views work with; made once in `create_app`, found through the current application."""

from dataclasses import dataclass
from typing import Any

from flask import current_app

from api.control.collector import ControlCollector
from api.experiments.service import Experiments
from api.experiments.supervisor import ExperimentSupervisor
from api.health.books import Books
from api.images.files import ImageFiles
from api.images.groups import Groups
from api.images.intake import Intake, Sweeper
from api.letters.collector import LetterCollector
from api.relay import Relay
from api.schedule.service import Schedule
from api.side.service import SideBySide
from api.submit import Submitter
from api.tasks.interrupted import Interrupted
from api.watch import Watch
from api.web.events import Feed
from api.workflows.service import WorkflowService
from lab.settings import Settings
from store.letters import DeadLetters
from store.outbox import Outbox
from store.tasks import Store
from store.uploads import UploadRows
from transports.celery.results import CeleryResults


@dataclass(frozen=True)
class Services:
    """The parts of one API process: `secret` signs, and what one of `secrets` signed holds."""

    settings: Settings
    secret: bytes
    secrets: tuple[bytes, ...]
    store: Store
    outbox: Outbox
    relay: Relay
    submitter: Submitter
    watch: Watch
    feed: Feed
    dead_letters: DeadLetters
    collector: LetterCollector
    uploads: UploadRows
    image_files: ImageFiles
    intake: Intake
    sweeper: Sweeper
    groups: Groups
    books: Books
    control: ControlCollector
    workflows: WorkflowService
    schedule: Schedule
    side: SideBySide
    experiments: Experiments
    supervisor: ExperimentSupervisor
    interrupted: Interrupted
    results: CeleryResults

    def start(self) -> None:
        """Starts the background threads. Call after a fork, not before."""
        for part in self._threads():
            part.start()

    def stop(self) -> None:
        """Ends them, those that lean on others first, and gives back what they hold."""
        for part in reversed(self._threads()):
            part.stop()
        self.store.close()

    def _threads(self) -> tuple[Any, ...]:
        return (
            self.relay, self.workflows, self.control, self.sweeper, self.collector, self.watch, self.feed,
            self.supervisor, self.interrupted,
        )  # fmt: skip


def services() -> Services:
    """The services of the application that handles this request."""
    found: Services = current_app.extensions["lab"]
    return found
