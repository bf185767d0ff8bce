"""What a workflow consists of and in which order: the same for both methods, which run it in their own ways."""

from functools import cached_property
from itertools import pairwise
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

MOST_NODES: Final = 1_000
FAILING: Final = "failing_step"


class Step(BaseModel):
    """A node before it is a task: its name in the workflow, its kind of job, and what is known of its
    parameters. What the node before it returns becomes the first parameter, where `params` lack that."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: str
    params: dict[str, Any] = Field(default_factory=dict)


class Each(BaseModel):
    """Says what to make of a list that a node returns: one node for each item.

    Attributes:
        kinds: the kind of job for an item by its scheme (`s3` of `s3://…`); "" is for all others.
        fail_at: the name of the node that is to fail, to show what happens then.
    """

    model_config = ConfigDict(frozen=True)

    kinds: dict[str, str]
    fail_at: str | None = None

    def steps(self, items: Any) -> list[Step]:
        """A step for each of `items`, in their order.

        Raises:
            ValueError: they are no list, or too long a one.
        """
        if not isinstance(items, list) or len(items) > MOST_NODES:
            raise ValueError(f"a map takes a list of at most {MOST_NODES} items")
        return [self._step(f"item-{place}", item) for place, item in enumerate(items, 1)]

    def _step(self, name: str, item: Any) -> Step:
        if name == self.fail_at:
            return Step(name=name, kind=FAILING, params={"given": item})
        scheme = urlsplit(item).scheme if isinstance(item, str) else ""
        return Step(name=name, kind=self.kinds.get(scheme, self.kinds[""]), params={"path": item})


class PlanStage(BaseModel):
    """What runs side by side: `branches`, each a chain of names. A stage that is not `parallel` has one.

    Attributes:
        each: set where the branches are made while the workflow runs, from the list before.
    """

    model_config = ConfigDict(frozen=True)

    branches: list[list[str]] = Field(default_factory=list)
    parallel: bool = False
    each: Each | None = None


class WorkflowPlan(BaseModel):
    """The stages of a workflow; each begins when all of the one before is done. What a parallel stage
    returns goes on as a list in the order of its branches."""

    model_config = ConfigDict(frozen=True)

    stages: Annotated[list[PlanStage], Field(min_length=1)]

    def stage_of(self, name: str) -> int:
        """The place of the stage that the node is in; nodes made while it runs are in the stage of `each`."""
        return self._places.get(name, self.made_at)

    @cached_property
    def made_at(self) -> int:
        """The place of the stage whose nodes are made while the workflow runs; -1 if there is none."""
        return next((place for place, stage in enumerate(self.stages) if stage.each), -1)

    def nodes_after(self, place: int) -> int:
        """How many nodes the later stages have, as far as they are known."""
        return sum(len(branch) for stage in self.stages[place + 1 :] for branch in stage.branches)

    def behind(self, name: str) -> list[str]:
        """The nodes that follow `name` in its branch."""
        for branch in self.stages[self.stage_of(name)].branches:
            if name in branch:
                return branch[branch.index(name) + 1 :]
        return []

    def branches(self, place: int, made: list[str]) -> list[list[str]]:
        """The branches of the stage at `place`, where `made` are the names that were made as it ran."""
        return [[name] for name in made] if self.stages[place].each else self.stages[place].branches

    def edges(self, made: list[str]) -> list[tuple[str, str]]:
        """From which node to which the results go."""
        found: list[tuple[str, str]] = []
        ends: list[str] = []
        for place in range(len(self.stages)):
            branches = self.branches(place, made)
            for branch in branches:
                found += [(end, branch[0]) for end in ends]
                found += list(pairwise(branch))
            ends = [branch[-1] for branch in branches] or ends
        return found

    @cached_property
    def _places(self) -> dict[str, int]:
        return {
            name: place
            for place, stage in enumerate(self.stages)
            for branch in stage.branches
            for name in branch
        }
