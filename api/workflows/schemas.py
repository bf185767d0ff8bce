"""What the routes of workflows take and give."""

from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.web.present import ResultOut, TaskOut
from api.workflows.patterns import KNOWN_BEFORE
from lab.plan import MOST_NODES
from lab.status import TaskStatus
from transports.methods import BrokeredName

Pattern = Literal["chain", "group", "task_group", "chord", "chain_group_chord", "map", "conditional_map"]
PATTERNS: tuple[str, ...] = Pattern.__args__  # type: ignore[attr-defined]
SCHEMES = ("file", "data", "https", "s3", "gcp", "azure")

Path = Annotated[str, Field(min_length=1, max_length=10_000)]


class Source(BaseModel):
    """Where the paths come from: one of the four. A table of the store, a folder below LAB_FILES, what lies
    below a prefix in a bucket, or the paths themselves."""

    model_config = ConfigDict(strict=True, extra="forbid")

    table: Literal["samples"] | None = None
    folder: Annotated[str | None, Field(max_length=1_000)] = None
    bucket: Annotated[str | None, Field(pattern=r"^(s3|gcp|azure)://[^/]+(/.*)?$", max_length=1_000)] = None
    paths: Annotated[list[Path] | None, Field(min_length=1, max_length=MOST_NODES)] = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if len(self.named()) != 1:
            raise ValueError("takes one of table, folder, bucket, paths")
        for path in self.paths or ():
            if urlsplit(path).scheme not in SCHEMES:
                raise ValueError(f"paths: {path[:100]!r} begins with none of {', '.join(SCHEMES)}")
        return self

    def named(self) -> dict[str, Any]:
        """The one that was named."""
        return self.model_dump(exclude_none=True)


class WorkflowRequest(BaseModel):
    """A workflow to run. `pattern` and `method` are enough: it then works on the lab's own samples."""

    model_config = ConfigDict(strict=True, extra="forbid")

    pattern: Pattern
    method: BrokeredName
    source: Annotated[Source, Field(description="where the paths come from")] = Source(table="samples")
    count: Annotated[
        int | None,
        Field(
            ge=1,
            le=MOST_NODES,
            description="how many paths, from the first again where there are fewer; by default all"
            " that are known, or 3",
        ),
    ] = None
    fail_at: Annotated[
        str | None, Field(pattern=r"^[a-z]+(-[1-9][0-9]{0,3})?$", description="the node that is to fail")
    ] = None

    @model_validator(mode="after")
    def _paths_are_known(self) -> Self:
        if self.pattern in KNOWN_BEFORE and self.source.paths is None and self.source.table is None:
            raise ValueError(
                f"source: a {self.pattern} is built before anything is listed, so it takes a table or paths;"
                " a map takes folders and buckets"
            )
        return self


class WorkflowPath(BaseModel):
    """A workflow by its id."""

    workflow_id: str


class NodePath(BaseModel):
    """A task by its id."""

    task_id: str


class EarlierPath(NodePath):
    """A task, and an earlier one of the same workflow."""

    earlier_id: str


class WorkflowsQuery(BaseModel):
    """How many workflows to list."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=200)] = 50


class WorkflowOut(ResultOut):
    """A workflow; `counts` tells how many of its nodes stand at each status, `result_url` where the file
    that it made is available."""

    id: str
    pattern: str
    method: str
    params: dict[str, Any]
    status: TaskStatus
    error: str | None
    result_url: str | None
    counts: dict[str, int]
    created_at: str
    finished_at: str | None
    total: float


class NodeOut(TaskOut):
    """A node: a task, and its `name` in the workflow."""

    name: str


class WorkflowWithNodes(WorkflowOut):
    """A workflow with its nodes, in the order of their numbers, and its edges: pairs of the nodes' ids."""

    nodes: list[NodeOut]
    edges: list[tuple[str, str]]


class WorkflowsOut(BaseModel):
    """Workflows, newest first."""

    workflows: list[WorkflowOut]


class ItemsIn(BaseModel):
    """The list that a map makes tasks of."""

    model_config = ConfigDict(strict=True, extra="forbid")

    items: Annotated[list[Any], Field(max_length=MOST_NODES)]


class JobsOut(BaseModel):
    """The tasks that a map made, as messages hold them, with their names in the workflow."""

    nodes: list[dict[str, Any]]


class TableIn(BaseModel):
    """A table of paths."""

    model_config = ConfigDict(strict=True, extra="forbid")

    table: Literal["samples"]


class PathsOut(BaseModel):
    """Paths, in their order."""

    paths: list[str]
