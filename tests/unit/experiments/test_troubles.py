import inspect

from api.experiments.connected import NoWorker
from api.experiments.stand import NotAlone, NotDrained
from experiments import equalise
from experiments.capacity import NoCapacity
from experiments.troubles import TROUBLES, trouble_text
from store.experiments import INTERRUPTED
from tests.experiment_samples import a_plan


def known(error: str) -> bool:
    seen: list[str] = []

    def recording(text: str) -> str:
        seen.append(text)
        return text

    return trouble_text(error, recording) == error and seen != []


def test_all_that_may_be_stored_is_known_to_the_translation() -> None:
    plan = a_plan()
    troubles = (
        NoWorker(plan, 1),
        NoCapacity(plan, 1),
        NotDrained(plan, plan.arms[0]),
        NotAlone({"tasks": 3, "celery": 1}),
    )
    for error in (INTERRUPTED, *map(str, troubles)):
        assert known(error), error
    source = " ".join(inspect.getsource(equalise).split())
    for sentence in TROUBLES:
        if sentence.startswith(("The workers", "Workers", "Two")):
            assert sentence.partition("%(")[0] in source, sentence


def test_names_come_out_as_they_went_in() -> None:
    error = "a@b runs 3 jobs at once and could not be set to 2: it does not answer."
    assert trouble_text(
        error, lambda text: "%(why)s / %(wanted)s / %(n)s / %(worker)s" if "why" in text else ""
    ) == ("it does not answer / 2 / 3 / a@b")


def test_what_nobody_foresaw_stays_as_it_is() -> None:
    assert trouble_text("ValueError: 100 % wrong %(x)s", str.upper) == "ValueError: 100 % wrong %(x)s"
