"""What the JSON API takes and gives: the models that check requests and make /openapi.json."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from api.web.job_request import FIELDS, MODELS, FollowUp, JobRequest
from lab.clock import to_us
from lab.delivery import Delivery
from lab.job import MAX_RETRIES
from lab.jobs.context import MAX_TIME_LIMIT
from lab.status import TaskStatus, UpdateAnswer
from lab.values import MAX_WHOLE, Moment, Text
from store.options import BROKERED, TaskOptions
from store.task_queries import SORTS, WINDOW
from store.tasks import NewTask, Query, with_links
from transports.methods import QUEUES, MethodName

MAX_COUNT = 10_000
MAX_LIMIT = 200
MAX_UPDATES = 1_000

NOT_IN_REQUEST = ("hanging_task", "killer_task")


class Invalid(ValueError):
    """A request that breaks its bounds. `problems` has one entry a fault: `field`, `message`, `code`
    (pydantic's error type) and, where there is one, `bound`."""

    def __init__(self, problems: list[dict[str, Any]]) -> None:
        super().__init__("; ".join(f"{p['field']}: {p['message']}" for p in problems))
        self.problems = problems


class TaskRequest(JobRequest, TaskOptions):
    """Tasks to submit: a timed job needs `timeout`, `process_data` needs `numbers`, `flaky_task` needs
    `timeout` and `times`, a task of your own its parameters."""

    method: MethodName
    count: Annotated[int, Field(ge=1, le=MAX_COUNT, description="how many equal tasks")] = 1
    delivery: Annotated[
        Literal["safe", "naive"] | None, Field(description="how the message is handled; by default DELIVERY")
    ] = None
    max_retries: Annotated[int | None, Field(ge=0, le=MAX_RETRIES, description="by default 3")] = None
    time_limit: Annotated[
        float | None, Field(gt=0, le=MAX_TIME_LIMIT, allow_inf_nan=False, description="seconds")
    ] = None
    callback: Annotated[
        FollowUp | None, Field(description="runs when the task is DONE; what it lacks is the result")
    ] = None
    errback: Annotated[
        FollowUp | None, Field(description="runs when the task FAILED; what it lacks is the error's text")
    ] = None

    @model_validator(mode="after")
    def _fits_its_method(self) -> Self:
        if self.method in QUEUES:
            return self
        if self.kind in NOT_IN_REQUEST:
            raise ValueError(f"kind: {self.kind} would take the API's own process with it")
        for name in BROKERED:
            if getattr(self, name) is not None:
                raise ValueError(f"{name}: sync runs its tasks at once, and nothing else")
        return self

    def new_tasks(self, delivery: Delivery) -> list[NewTask]:
        """The task to store, and those that are to follow it; `delivery` counts where the request names none.

        Raises:
            Invalid: naive delivery knows no priorities.
        """
        delivery = Delivery(self.delivery) if self.delivery else delivery
        if self.priority is not None and delivery is Delivery.NAIVE:
            message = "takes safe delivery: naive messages have a queue without priorities"
            raise Invalid([{"field": "priority", "message": message, "code": "delivery"}])
        task = NewTask(
            self.method,
            self.kind,
            self.job_params(),
            self.timeout,
            delivery,
            self.max_retries,
            self.time_limit,
            options=self.asked() or None,
        )
        return with_links(task, self._following(self.callback, task), self._following(self.errback, task))

    def _following(self, job: FollowUp | None, task: NewTask) -> NewTask | None:
        if job is None:
            return None
        return NewTask(task.method, job.kind, job.job_params(), job.timeout, task.delivery)


_RESERVED = TaskRequest.model_fields.keys() - set(FIELDS)
for _kind, _model in MODELS.items():
    if _taken := _RESERVED & _model.model_fields.keys():
        raise TypeError(
            f"{_kind}: a parameter cannot be named {_taken.pop()}, requests have a field of that name"
        )


class TaskFilter(BaseModel):
    """Which tasks are meant."""

    model_config = ConfigDict(extra="forbid")

    method: MethodName | None = None
    status: TaskStatus | None = None
    q: Annotated[Text, Field(max_length=64, description="a task's number, or the beginning of its id")] = ""
    kind: Annotated[Text | None, Field(max_length=64)] = None
    worker: Annotated[Text | None, Field(max_length=255, description="the whole name of the worker")] = None
    error: Annotated[
        Text, Field(max_length=200, description="what the error contains, in capitals or not")
    ] = ""
    since: Annotated[Moment | None, Field(description="sent then or later")] = None
    until: Annotated[Moment | None, Field(description="sent before then")] = None
    checks: Annotated[
        bool, Field(description="whether the schedule's checks of the lab's health are among them")
    ] = True
    experiment: Annotated[
        str | None, Field(max_length=36, pattern=r"^[0-9a-f-]+$", description="tasks of this experiment only")
    ] = None

    def query(self, before: int | None = None, limit: int = 0) -> Query:
        """The same for the store: at most `limit` tasks with numbers below `before`."""
        return Query(
            self.method,
            self.status,
            self.q.strip(),
            before,
            limit,
            self.experiment,
            kind=self.kind or None,
            worker=self.worker or None,
            error=self.error,
            since_us=to_us(self.since) if self.since else None,
            until_us=to_us(self.until) if self.until else None,
            checks=self.checks,
        )


class TaskQuery(TaskFilter):
    """Which tasks to list."""

    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = 50
    cursor: Annotated[
        str | None, Field(pattern=r"^[0-9]{1,18}$", description="`next` of the answer before")
    ] = None
    sort: Annotated[
        str,
        Field(
            pattern=f"^-?({'|'.join(SORTS)})$",
            description="with - before it the greatest first; other orders than that of the numbers are of the newest"
            f" {WINDOW:,} tasks that fit",
        ),
    ] = "-num"


class BulkRequest(TaskFilter):
    """What is to be done to all tasks that the filter fits."""

    act: Literal["cancel", "retry", "delete"]
    through: Annotated[
        int | None, Field(ge=1, le=MAX_WHOLE, description="leaves tasks with greater numbers alone")
    ] = None

    @model_validator(mode="after")
    def _leaves_experiments_alone(self) -> Self:
        if self.experiment is not None:
            raise ValueError("experiment: its tasks belong to it, cancel the experiment instead")
        return self


class BulkOut(BaseModel):
    """How many tasks fit the filter, to how many of them it was done, and how many do not allow it."""

    matched: int
    done: int
    refused: int


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


class ResultOut(BaseModel):
    """A result. In lists and events a long one is left out: `result` is null there."""

    result: Any
    result_preview: Annotated[
        str | None, Field(description="the first 500 characters of its JSON, where it is left out")
    ]
    result_bytes: Annotated[int | None, Field(description="the size of its JSON, where it is left out")]


class TaskOut(ResultOut):
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
    retry_of: str | None
    group_id: str | None
    workflow_id: str | None
    node: Annotated[str | None, Field(description="its name in the workflow")]
    options: dict[str, Any] | None
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
    the method asked for, by status. Tasks of experiments are in it only where one is asked for."""

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

    results: list[UpdateAnswer]


def faults(error: ValidationError) -> list[dict[str, Any]]:
    """What pydantic found, as `Invalid.problems`."""
    found = []
    for fault in error.errors(include_url=False, include_input=False):
        parts = [part for part in map(str, fault["loc"]) if part not in _UNION_PARTS and "(" not in part]
        if len(parts) > 1 and parts[0] in _TAGGED and parts[1] in _LAWS:
            del parts[1]
        field = ".".join(parts)
        message = fault["msg"].removeprefix("Value error, ")
        if fault["type"] == "value_error" and (named := re.match(r"([a-z_]+): (.+)", message)):
            field, message = f"{field}.{named[1]}".lstrip("."), named[2]
        entry: dict[str, Any] = {"field": field or "body", "message": message, "code": fault["type"]}
        bound = next((fault["ctx"][key] for key in _BOUNDS if key in fault.get("ctx", {})), None)
        if bound is not None:
            entry["bound"] = bound
        found.append(entry)
    return found


_BOUNDS = ("le", "ge", "lt", "gt", "max_length", "min_length", "expected")
# Of a plan: pydantic names the law after the field, which the request does not.
_TAGGED = ("duration", "arrival")
_LAWS = ("fixed", "uniform", "exponential", "values", "burst", "open")
_UNION_PARTS = ("constrained-float", "float", "int", "function-after")
