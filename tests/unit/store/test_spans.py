import pytest

from store.spans import TaskSpans, spans_of


@pytest.mark.parametrize(
    ("begun", "ended", "not_before", "spans"),
    [
        (130, 180, None, TaskSpans(30, 50, 80)),
        (130, None, None, TaskSpans(30, 70, 100)),
        (None, None, None, TaskSpans(100, None, 100)),
        (None, 180, None, TaskSpans(None, None, 80)),
        (None, None, 250, TaskSpans(None, None, None)),
        (170, 190, 150, TaskSpans(20, 20, 40)),
        (95, 90, None, TaskSpans(0, 0, 0)),
    ],
    ids=["ended", "runs", "waits", "ended without a begin", "not due yet", "was due later", "another clock"],
)
def test_spans_count_from_when_a_task_was_due(
    begun: int | None, ended: int | None, not_before: int | None, spans: TaskSpans
) -> None:
    row = {
        "created_us": 100,
        "started_us": begun,
        "finished_us": ended,
        "options": None if not_before is None else {"not_before_us": not_before},
        "node": None,
        "published_us": None,
    }
    assert spans_of(row, 200) == spans


@pytest.mark.parametrize(
    ("published", "spans"),
    [(110, TaskSpans(30, 50, 80)), (None, TaskSpans(None, 50, None))],
    ids=["one that the API sent", "one that a worker sent"],
)
def test_a_later_step_of_a_workflow_has_not_waited_since_that_was_made(
    published: int | None, spans: TaskSpans
) -> None:
    row = {
        "created_us": 100,
        "started_us": 130,
        "finished_us": 180,
        "options": None,
        "node": "merge",
        "published_us": published,
    }
    assert spans_of(row, 200) == spans
