"""What the JSON API of tasks takes: the models that check requests, and what is wrong with one."""

import re
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lab.clock import to_us
from lab.delivery import Delivery
from lab.job import MAX_NUMBERS, MAX_RETRIES, Number, Timeout
from lab.jobs.context import MAX_TIME_LIMIT
from lab.jobs.kinds import PLAIN
from lab.jobs.signatures import model
from lab.status import TaskStatus, UpdateAnswer
from lab.values import MAX_WHOLE, Text
from store.options import BROKERED, TaskOptions, Time
from store.task_order import SORTS, WINDOW
from store.tasks import NewTask, Query, with_links
from transports.methods import QUEUES, MethodName

MAX_COUNT = 10_000
MAX_LIMIT = 200
MAX_UPDATES = 1_000

NOT_IN_REQUEST = ("hanging_task", "killer_task")
MAX_TIMES: Final = 100

# What each kind needs of the fields that have one for themselves; the others' signature tells.
PARAMETERS: Final[dict[str, tuple[str, ...]]] = {
    "process_task": ("timeout",),
    "process_data": ("numbers",),
    "flaky_task": ("timeout", "times"),
    "failing_task": ("timeout",),
    "hanging_task": ("timeout",),
    "killer_task": ("timeout",),
}
FIELDS: Final = ("timeout", "numbers", "times")
MODELS: Final = {kind: model(function) for kind, function in PLAIN.items()}

if TYPE_CHECKING:
    Kind = str
else:
    Kind = Literal[(*PARAMETERS, *PLAIN)]


class Invalid(ValueError):
    """A request that breaks its bounds. `problems` has one entry a fault: `field`, `message`, `code`
    (pydantic's error type) and, where there is one, `bound`."""

    def __init__(self, problems: list[dict[str, Any]]) -> None:
        super().__init__("; ".join(f"{p['field']}: {p['message']}" for p in problems))
        self.problems = problems


def _describe(schema: dict[str, Any]) -> None:
    """Adds to a request's JSON schema what the kinds with a signature take."""
    found = {kind: one.model_json_schema() for kind, one in MODELS.items()}
    if "params" in schema["properties"]:
        schema["properties"]["params"]["anyOf"] = [*found.values(), {"type": "null"}]
    for one in found.values():
        for name, about in one["properties"].items():
            schema["properties"].setdefault(name, {**about, "description": f"of {one['title']}"})


class JobRequest(BaseModel):
    """A job: a timed one needs `timeout`, `process_data` needs `numbers`, `flaky_task` needs `timeout` and
    `times`; a task of your own takes its parameters, in `params` or beside `kind`."""

    model_config = ConfigDict(strict=True, extra="forbid", json_schema_extra=_describe)
    may_lack: ClassVar[int] = 0  # how many parameters somebody else will give

    kind: Kind = "process_task"
    timeout: Annotated[Timeout | None, Field(description="seconds that the job takes")] = None
    numbers: Annotated[
        list[Number] | None,
        Field(min_length=1, max_length=MAX_NUMBERS, description="the numbers for process_data"),
    ] = None
    times: Annotated[
        int | None, Field(ge=0, le=MAX_TIMES, description="how often flaky_task fails first")
    ] = None
    params: Annotated[
        dict[str, Any] | None,
        Field(description="parameters of a task of your own; they may stand beside kind"),
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _gather_params(cls, data: Any) -> Any:
        kind = data.get("kind") if isinstance(data, dict) else None
        if not isinstance(kind, str) or kind not in MODELS:
            return data
        own = {name: data[name] for name in MODELS[kind].model_fields if name in data}
        given = data.get("params")
        if not own or not (given is None or isinstance(given, dict)):
            return data
        return {**{k: v for k, v in data.items() if k not in own}, "params": {**(given or {}), **own}}

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        if self.kind in MODELS:
            for name in FIELDS:
                if getattr(self, name) is not None:
                    raise ValueError(f"{name}: {self.kind} does not take it")
            self.params = self._checked(MODELS[self.kind])
            return self
        if self.params is not None:
            raise ValueError(f"params: {self.kind} does not take it")
        needed = PARAMETERS[self.kind]
        lacking = [name for name in needed if getattr(self, name) is None]
        # Celery's process_task takes a number first: what a task before gives cannot be its seconds.
        may_lack = 0 if self.kind == "process_task" else self.may_lack
        if len(lacking) > may_lack:
            raise ValueError(f"{lacking[may_lack]}: {self.kind} needs it")
        for name in FIELDS:
            if name not in needed and getattr(self, name) is not None:
                raise ValueError(f"{name}: {self.kind} does not take it")
        return self

    def _checked(self, of_kind: type[BaseModel]) -> dict[str, Any]:
        try:
            return of_kind.model_validate(self.params or {}).model_dump()
        except ValidationError as error:
            lacking = [fault["loc"] for fault in error.errors() if fault["type"] == "missing"]
            if error.error_count() > len(lacking) or len(lacking) > self.may_lack:
                raise
        return dict(self.params or {})

    def job_params(self) -> dict[str, Any]:
        """The parameters as the job takes them."""
        if self.kind in MODELS:
            return dict(self.params or {})
        values = {name: getattr(self, name) for name in PARAMETERS[self.kind]}
        return {name: value for name, value in values.items() if value is not None}


class FollowUp(JobRequest):
    """A job that follows another one. The first parameter that it lacks is what that one gives: its result,
    or the text of its error."""

    may_lack: ClassVar[int] = 1


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
    since: Annotated[Time | None, Field(description="sent then or later")] = None
    until: Annotated[Time | None, Field(description="sent before then")] = None
    checks: Annotated[
        bool, Field(description="whether the schedule's checks of the lab's health are among them")
    ] = True
    experiment: Annotated[
        str | None, Field(max_length=36, pattern=r"^[0-9a-f-]+$", description="tasks of this experiment only")
    ] = None

    def query(self) -> Query:
        """The same for the store."""
        return Query(
            self.method,
            self.status,
            self.q.strip(),
            experiment=self.experiment,
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
    checks: Annotated[
        bool,
        Field(strict=True, description="whether the schedule's checks of the lab's health are among them"),
    ] = True
    through: Annotated[
        int | None,
        Field(strict=True, ge=1, le=MAX_WHOLE, description="leaves tasks with greater numbers alone"),
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
