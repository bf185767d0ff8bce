"""Each card of the fault lab with every contender: the safe ones keep their promise, the others lose and double where
theory says so. Three runs a card, one a seed; `python -m faults run CARD --seed N` is the same."""

import threading
from itertools import product

import pytest

from faults.cards import CARDS
from faults.document import ARMS, ArmFigures, FaultDocument, FaultPlan, FaultStatus
from faults.engine import run
from faults.judge import is_safe
from lab.broker.installed import installed
from tests.conftest import missing

pytestmark = [pytest.mark.faults, pytest.mark.timeout(400)]

CELERY, TUTORIAL = "celery:naive", "rabbitmq:naive"
SEEDS = (0, 1, 2)
LOSES = {
    "deploy": (CELERY,),
    "worker-killed": (CELERY,),
    "pool-process-killed": (CELERY,),
    "broker-alarm": (CELERY, TUTORIAL),
    "queue-deleted": (CELERY, TUTORIAL),
    "killer-job": (CELERY,),
    "unreadable-message": (CELERY,),
    "power-loss": (CELERY,),
}
DOUBLES = {
    "broker-restarted": (TUTORIAL,),
    "broker-killed": (TUTORIAL,),
    "long-job": (TUTORIAL,),
}
DISTURBS = ("connection-cut",)
"""Where the contenders as they come lose or double, the one or the other. Not where the broker is killed: Celery runs
again what it has acknowledged only where the broker had not written that down."""
NEVER_HEARD_OF = ("api-away", "database-away")
"""Where a report that is sent once is lost: the job ran, and the store does not know it."""


@pytest.fixture(scope="module", params=product(CARDS, SEEDS), ids=lambda param: f"{param[0]}-{param[1]}")
def document(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FaultDocument:
    if not installed():
        missing("RabbitMQ")
    card, seed = request.param
    folder = tmp_path_factory.mktemp("fault") / "lab"
    return run(FaultPlan(card=card, seed=seed), folder, cancelled=threading.Event())


def figures(document: FaultDocument, safe: bool) -> dict[str, ArmFigures]:
    return {arm: found for arm, found in document.arms.items() if is_safe(arm) is safe}


def version_of(document: FaultDocument) -> tuple[int, ...]:
    return tuple(int(part) for part in document.versions["rabbitmq"].split(".")[:2])


def test_a_card_shows_what_it_is_about(document: FaultDocument) -> None:
    card = CARDS[document.card]
    assert document.status is FaultStatus.DONE, document.error
    assert set(document.arms) == set(ARMS)
    for arm, found in figures(document, safe=True).items():
        assert found.lost == 0, arm
        assert found.doubled == 0 or card.doubles, arm
        assert not [said for said in document.disagreements if said.arm == arm]
    for arm in LOSES.get(card.name, ()):
        assert document.arms[arm].lost > 0, arm
    for arm in DOUBLES.get(card.name, ()):
        # From 4.3 on classic queues, as the tutorial's, have no consumer_timeout.
        if card.name != "long-job" or version_of(document) < (4, 3):
            assert document.arms[arm].doubled > 0, arm
    if card.name in DISTURBS:
        for arm, found in figures(document, safe=False).items():
            assert found.lost + found.doubled > 0, arm
    if card.name in NEVER_HEARD_OF:
        for arm in figures(document, safe=False):
            assert any(said.arm == arm for said in document.disagreements), arm
