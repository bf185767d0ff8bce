"""A message that is written from the store's text is that of the job, byte for byte."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lab.context import MAX_TIME_LIMIT
from lab.job import MAX_RETRIES, Job
from lab.written_job import write

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)


@given(
    task_id=st.uuids().map(str),
    num=st.integers(0, 2**53),
    kind=st.from_regex(r"\A[a-z][a-z0-9_]{0,63}\Z") | st.just("process_task"),
    params=st.just({}) | st.dictionaries(text, values, max_size=4),
    token=st.binary(min_size=32, max_size=32).map(bytes.hex),
    max_retries=st.none() | st.integers(0, MAX_RETRIES),
    time_limit=st.none() | st.floats(0.001, MAX_TIME_LIMIT),
    group_id=st.none() | st.uuids().map(str) | text,
)
def test_a_written_job_is_that_of_the_model(
    task_id: str,
    num: int,
    kind: str,
    params: dict[str, Any],
    token: str,
    max_retries: int | None,
    time_limit: float | None,
    group_id: str | None,
) -> None:
    limits = {"max_retries": max_retries, "time_limit": time_limit}
    job = Job(task_id=task_id, num=num, kind=kind, params=params, token=token, group_id=group_id).model_copy(
        update={name: value for name, value in limits.items() if value is not None}
    )
    written = write(task_id, num, kind, json.dumps(params), token, max_retries, time_limit, group_id)
    assert written == (task_id, kind, job.to_json())
