"""What the views work with; made once in `create_app`, found through the current application."""

from typing import Any

from flask import current_app

from api.control.collector import ControlCollector
from api.control.poll import Poll
from api.experiments.service import Experiments
from api.experiments.supervisor import ExperimentSupervisor
from api.faults.service import FaultLab
from api.faults.supervisor import FaultSupervisor
from api.health.books import Books
from api.images.files import ImageFiles
from api.images.groups import Groups
from api.images.intake import Intake, Sweeper
from api.letters.collector import LetterCollector
from api.relay import Relay
from api.schedule.service import Schedule
from api.side.service import SideBySide
from api.side.stage import Parts
from api.submit import Submitter, store_reports
from api.tasks.interrupted import Interrupted
from api.watch import Watch
from api.web.events import Feed
from api.workflows.service import WorkflowService
from lab.broker import owner
from lab.settings import Settings
from store.experiments import ExperimentRows
from store.faults import FaultRuns
from store.groups import GroupRows
from store.letters import DeadLetters
from store.outbox import Outbox
from store.pictures import Pictures
from store.tasks import Store
from store.uploads import UploadRows
from store.workflows import WorkflowRows
from transports import create_transport
from transports.celery.groups import CeleryGroups
from transports.celery.results import CeleryResults
from transports.control import CONTROLS, create_control
from transports.methods import QUEUES, SYNC


class Services:
    """The parts of one API process: `secret` signs, and what one of `secrets` signed holds. While it is made nothing
    connects and no thread starts."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.secrets = settings.secrets()
        self.secret = self.secrets[0]
        self.store = Store(settings.database_url)
        engine, reports = self.store.engine, store_reports(self.store, "api")
        self.outbox = Outbox(self.store)
        self.dead_letters = DeadLetters(self.store)
        self.uploads, self.image_files = UploadRows(engine), ImageFiles(settings.images)
        workflow_rows, experiment_rows = WorkflowRows(engine), ExperimentRows(engine)

        brokered = [create_transport(name, settings, reports) for name in QUEUES]
        self.relay = Relay(self.outbox, brokered, self.secret, workflow_rows)
        sync = create_transport(SYNC.name, settings, reports)
        self.submitter = Submitter(settings, self.store, self.relay, sync, self.secret, self.dead_letters)
        self.interrupted = Interrupted(self.store, settings.sync_max_seconds)

        controls = {name: create_control(name, settings) for name in CONTROLS}
        self.books = Books(self.store, settings, self.relay.wake)
        self.control = ControlCollector(Pictures(engine), Poll(settings, controls), self.books)
        self.watch = Watch(settings, self.store, self.outbox, self.control.picture)
        self.feed = Feed(self.store, self.watch)
        self.collector = LetterCollector(settings, self.dead_letters, owner.mark(self.secrets))

        self.intake = Intake(settings, self.image_files, self.uploads)
        self.sweeper = Sweeper(settings.image_hours, self.image_files, self.uploads)
        celery_groups = CeleryGroups(settings)
        self.groups = Groups(
            settings, GroupRows(engine), self.submitter, self.uploads, self.image_files, celery_groups
        )
        self.results = CeleryResults(settings)
        self.workflows = WorkflowService(settings, self.store, self.relay, workflow_rows)
        self.store.follower = self.workflows.following
        self.schedule = Schedule(settings, self.store, self.relay)
        self.supervisor = ExperimentSupervisor(experiment_rows, self.submitter.cancel_all)
        self.experiments = Experiments(settings, experiment_rows, self.control, self.supervisor.wake)
        fault_runs = FaultRuns(engine)
        self.fault_supervisor = FaultSupervisor(fault_runs, settings.var / "fault-runs")
        self.faults = FaultLab(fault_runs, self.fault_supervisor.wake)
        self.side = SideBySide(
            Parts(settings, self.secret, self.store, self.outbox, self.dead_letters, workflow_rows)
        )

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
            self.supervisor, self.fault_supervisor, self.interrupted,
        )  # fmt: skip


def services() -> Services:
    """The services of the application that handles this request."""
    found: Services = current_app.extensions["lab"]
    return found
