"""Which job a request asks for: its kind, and the parameters that this kind takes."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lab.job import MAX_NUMBERS, Number, Timeout
from lab.jobs.kinds import PLAIN
from lab.jobs.signatures import model

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
