"""The form of the page of workflows, as it was typed and as it is meant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from api.schemas import faults
from api.workflows import wording
from api.workflows.patterns import Unbuildable, build
from api.workflows.schemas import WorkflowRequest
from lab.plan import Plan, Step

FAILS: Final = ("", "first", "middle", "last")


@dataclass
class WorkflowForm:
    """A form as it was typed, and what is wrong with each of its fields."""

    values: Mapping[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    def value(self, name: str, default: str = "") -> str:
        """What was typed into the field `name`, or `default`."""
        return self.values.get(name, default)[:100_000]

    def request(self, table: Sequence[str]) -> WorkflowRequest | None:
        """The workflow that is meant, or None with `errors` saying why there is none; `table` are the paths
        of the table of samples."""
        wanted: dict[str, Any] = {
            "pattern": self.value("pattern"),
            "method": self.value("method"),
            "source": self._source(),
        }
        if count := self.value("count").strip():
            wanted["count"] = int(count) if count.isdecimal() else count
        try:
            request = WorkflowRequest.model_validate(wanted)
            at = self._fails_at(request, table)
            return request.model_copy(update={"fail_at": at})
        except ValidationError as error:
            found = [(fault["field"], fault["message"]) for fault in faults(error)]
        except Unbuildable as error:
            found = [(error.field, str(error))]
        for name, message in found:
            place, text = wording.fault(name, message)
            self.errors.setdefault(place, text)
        return None

    def _source(self) -> dict[str, Any]:
        """The one input that is chosen; what was typed for the others does not count."""
        match self.value("source", "table"):
            case "folder":
                return {"folder": self.value("folder").strip()}
            case "bucket":
                return {"bucket": self.value("bucket").strip()}
            case "paths":
                return {"paths": [line.strip() for line in self.value("paths").splitlines() if line.strip()]}
            case _:
                return {"table": "samples"}

    def _fails_at(self, request: WorkflowRequest, table: Sequence[str]) -> str | None:
        """The name of the node that is to fail: the first, one in the middle, or the last."""
        which = self.value("fail")
        if which not in FAILS[1:]:
            return None
        source = request.source.named()
        known = source.get("paths") or (list(table) if "table" in source else None)
        plan, steps = build(request.pattern, request.method, source, known, request.count, None)
        items = request.count or len(known or ()) or 1
        names = _names(plan, steps, items)
        return names[{"first": 0, "middle": len(names) // 2, "last": -1}[which]]


def _names(plan: Plan, steps: Sequence[Step], items: int) -> list[str]:
    """All nodes from first to last, also those that a map will make of `items`."""
    names = [step.name for step in steps if step.kind != "dmap"]
    if plan.made_at < 0:
        return names
    before = sum(plan.stage_of(name) < plan.made_at for name in names)
    return [*names[:before], *(f"item-{n}" for n in range(1, items + 1)), *names[before:]]
