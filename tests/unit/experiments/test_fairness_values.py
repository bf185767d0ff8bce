import pytest

from experiments.fairness_values import state_of, value_text
from experiments.model import FairnessRow
from tests.experiment_samples import ARMS, a_plan


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("none", "<none>"),
        ("20 times", "<20×>"),
        ("processes, threads", "<processes>, <threads>"),
        ("begin before the job, end after it", "<begin before the job, end after it>"),
        ("none → 100 at once", "<none> → <100 at once>"),
        ("celery 5.7.0, kombu 5.7.0; pika 1.4.4", "celery 5.7.0, kombu 5.7.0; pika 1.4.4"),
    ],
)
def test_what_the_lab_says_is_translated_and_what_workers_say_stays(text: str, said: str) -> None:
    assert value_text(text, lambda words: f"<{words}>") == said


@pytest.mark.parametrize(
    ("values", "changed", "state"),
    [
        (["a", "a", "a"], False, "equal"),
        (["a", "a", "none"], False, "but-sync"),
        (["a", "b", "none"], False, "differs"),
        (["a", "a", "b"], False, "differs"),
        (["a → b", "a → b", "a"], True, "differs"),
    ],
)
def test_a_row_is_equal_differs_or_leaves_out_sync_alone(
    values: list[str], changed: bool, state: str
) -> None:
    row = FairnessRow(key="pool", values=values, equal=len(set(values)) == 1, changed=changed)
    assert state_of(row, a_plan(arms=list(ARMS))) == state
