"""What the JSON API takes and gives: the models that check requests and make /openapi.json."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from api.store import NewTask
from lab.context import MAX_TIME_LIMIT
from lab.delivery import Delivery
from lab.job import MAX_NUMBERS, MAX_RETRIES, Number, Timeout
from lab.status import TaskStatus, Verdict

MAX_COUNT = 10_000
MAX_TIMES = 100
MAX_LIMIT = 200
MAX_UPDATES = 1_000

Method = Literal["celery", "rabbitmq", "sync"]
Kind = Literal["process_task", "process_data", "flaky_task", "failing_task", "hanging_task", "killer_task"]
# What each kind needs beside the fields that all take.
PARAMETERS: dict[str, tuple[str, ...]] = {
    "process_task": ("timeout",),
    "process_data": ("numbers",),
    "flaky_task": ("timeout", "times"),
    "failing_task": ("timeout",),
    "hanging_task": ("timeout",),
    "killer_task": ("timeout",),
}
NOT_IN_REQUEST = ("hanging_task", "killer_task")


class Invalid(ValueError):
    """A request that breaks its bounds. `problems` has one entry a fault: `field`, `message`, `code`
    (pydantic's error type) and, where there is one, `bound`."""

    def __init__(self, problems: list[dict[str, Any]]) -> None:
        super().__init__("; ".join(f"{p['field']}: {p['message']}" for p in problems))
        self.problems = problems


class TaskRequest(BaseModel):
    """Tasks to submit: a timed job needs `timeout`, `process_data` needs `numbers`, `flaky_task` needs
    `timeout` and `times`."""

    model_config = ConfigDict(strict=True, extra="forbid")

    method: Method
    kind: Kind = "process_task"
    timeout: Annotated[Timeout | None, Field(description="seconds that the job takes")] = None
    numbers: Annotated[
        list[Number] | None,
        Field(min_length=1, max_length=MAX_NUMBERS, description="the numbers for process_data"),
    ] = None
    times: Annotated[
        int | None, Field(ge=0, le=MAX_TIMES, description="how often flaky_task fails first")
    ] = None
    count: Annotated[int, Field(ge=1, le=MAX_COUNT, description="how many equal tasks")] = 1
    delivery: Annotated[
        Literal["safe", "naive"] | None, Field(description="how the message is handled; by default DELIVERY")
    ] = None
    max_retries: Annotated[int | None, Field(ge=0, le=MAX_RETRIES, description="by default 3")] = None
    time_limit: Annotated[
        float | None, Field(gt=0, le=MAX_TIME_LIMIT, allow_inf_nan=False, description="seconds")
    ] = None

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        needed = PARAMETERS[self.kind]
        for name in ("timeout", "numbers", "times"):
            given = getattr(self, name) is not None
            if name in needed and not given:
                raise ValueError(f"{name}: {self.kind} needs it")
            if name not in needed and given:
                raise ValueError(f"{name}: {self.kind} does not take it")
        if self.method == "sync" and self.kind in NOT_IN_REQUEST:
            raise ValueError(f"kind: {self.kind} would take the API's own process with it")
        return self

    def new_task(self, delivery: Delivery) -> NewTask:
        """The task to store; `delivery` counts where the request names none."""
        return NewTask(
            self.method,
            self.kind,
            {name: getattr(self, name) for name in PARAMETERS[self.kind]},
            self.timeout,
            Delivery(self.delivery) if self.delivery else delivery,
            self.max_retries,
            self.time_limit,
        )


class TaskQuery(BaseModel):
    """Which tasks to list."""

    model_config = ConfigDict(extra="forbid")

    method: Method | None = None
    status: TaskStatus | None = None
    q: Annotated[str, Field(max_length=64, description="a task's number, or the beginning of its id")] = ""
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = 50
    cursor: Annotated[
        str | None, Field(pattern=r"^[0-9]{1,18}$", description="`next` of the answer before")
    ] = None


class TaskPath(BaseModel):
    """A task by its id."""

    task_id: str


class EventOut(BaseModel):
    """A status change. `at` is the worker's own time, `recorded_at` when the API stored it."""

    status: TaskStatus
    attempt: int
    worker: str | None
    error: str | None
    at: str
    recorded_at: str


class TaskOut(BaseModel):
    """A task. Times are ISO 8601 in UTC with microseconds; `waited`, `ran` and `total` are seconds."""

    id: str
    num: int
    method: str
    kind: str
    delivery: str
    timeout: float | None
    status: TaskStatus
    attempt: int
    progress: float
    worker: str | None
    error: str | None
    result: Any
    retry_of: str | None
    cancel_requested_at: str | None
    created_at: str
    published_at: str | None
    started_at: str | None
    finished_at: str | None
    waited: float
    ran: float | None
    total: float


class TaskWithHistory(TaskOut):
    """A task with all its status changes, oldest first."""

    events: list[EventOut]


class OneTaskOut(BaseModel):
    """A task."""

    task: TaskOut


class TasksOut(BaseModel):
    """The tasks just submitted."""

    tasks: list[TaskOut]


class TaskPage(BaseModel):
    """Tasks, newest first; `next` is the cursor of the page of older ones; `counts` are all tasks of
    the method asked for, by status."""

    tasks: list[TaskOut]
    next: str | None
    counts: dict[str, int]


class Problem(BaseModel):
    """An error (RFC 9457); `errors` names each field at fault, and the bound that it breaks."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[dict[str, Any]] = []


class VerdictsOut(BaseModel):
    """Answers to updates, in their order."""

    results: list[Verdict]


def faults(error: ValidationError) -> list[dict[str, Any]]:
    """What pydantic found, as `Invalid.problems`."""
    found = []
    for fault in error.errors(include_url=False, include_input=False):
        field = ".".join(str(part) for part in fault["loc"] if part not in _UNION_PARTS)
        message = fault["msg"].removeprefix("Value error, ")
        if not field and ": " in message:
            field, _, message = message.partition(": ")
        entry: dict[str, Any] = {"field": field or "body", "message": message, "code": fault["type"]}
        bound = next((fault["ctx"][key] for key in _BOUNDS if key in fault.get("ctx", {})), None)
        if bound is not None:
            entry["bound"] = bound
        found.append(entry)
    return found


def parse_form(form: Mapping[str, str]) -> TaskRequest:
    """The request that a page's form holds: `method`, `kind`, `timeout`, `numbers` (separated by
    spaces, commas, semicolons or new lines), `times`, `count`, `delivery`, `time_limit`. An empty field
    counts as left out, and so does one that the kind does not take.

    Raises:
        Invalid: a field is not what it should be.
    """
    names = (
        "method",
        "kind",
        "timeout",
        "numbers",
        "times",
        "count",
        "delivery",
        "max_retries",
        "time_limit",
    )
    fields: dict[str, Any] = {name: form[name].strip() for name in names if form.get(name, "").strip()}
    takes = PARAMETERS.get(fields.get("kind", "process_task"), ())
    for name in {"timeout", "numbers", "times"} - set(takes):
        fields.pop(name, None)
    for name in fields.keys() & {"timeout", "time_limit"}:
        fields[name] = _number(fields[name].replace(",", "."))
    for name in fields.keys() & {"count", "times", "max_retries"}:
        fields[name] = int(fields[name]) if re.fullmatch(r"\d{1,9}", fields[name]) else fields[name]
    if "numbers" in fields:
        fields["numbers"] = [_number(part) for part in re.split(r"[\s,;]+", fields["numbers"]) if part]
    try:
        return TaskRequest.model_validate(fields)
    except ValidationError as error:
        raise Invalid(faults(error)) from error


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


_BOUNDS = ("le", "ge", "lt", "gt", "max_length", "min_length", "expected")
_UNION_PARTS = ("constrained-float", "float", "int", "function-after")
