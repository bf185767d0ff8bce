"""Jobs whose messages are written from the store's text, without a `Job` being made of each."""

import json
from functools import lru_cache
from typing import NamedTuple

from pydantic_core import from_json, to_json

from lab.job import Job


class Written(NamedTuple):
    """A job without options and with nothing that follows it; `body` is what `Job.to_json` gives for it."""

    task_id: str
    kind: str
    body: bytes


def write(
    task_id: str,
    num: int,
    kind: str,
    params: str,
    token: str,
    max_retries: int | None,
    time_limit: float | None,
    group_id: str | None,
) -> Written:
    """The job with these fields, all of which were checked before.

    Args:
        task_id: as the store gives it, without characters that JSON escapes; `token` as `lab.token` does.
        params: as JSON.
        max_retries: None is what a `Job` has by default, and so it is with `time_limit`.
    """
    after_num, after_token = _around(kind, max_retries, time_limit, group_id)
    named = "" if params == "{}" else f',"params":{_compact(params)}'
    text = f'{{"task_id":"{task_id}","num":{num}{after_num}{named},"token":"{token}"{after_token}'
    return Written(task_id, kind, text.encode())


def _compact(text: str) -> str:
    try:
        value = from_json(text)
    except ValueError:  # nested deeper than it goes
        value = json.loads(text)
    return to_json(value, inf_nan_mode="null").decode()


@lru_cache(maxsize=256)
def _around(
    kind: str, max_retries: int | None, time_limit: float | None, group_id: str | None
) -> tuple[str, str]:
    """What such jobs have between number and parameters, and after the token."""
    job = Job(task_id="-", num=0, kind=kind, group_id=group_id)
    asked = {"token": "-", "max_retries": max_retries, "time_limit": time_limit}
    job = job.model_copy(update={name: value for name, value in asked.items() if value is not None})
    after_num, _, after_token = job.to_json().decode().partition(',"token":"-"')
    return after_num.removeprefix('{"task_id":"-","num":0'), after_token
