"""The seven patterns, as plans and steps: what runs is the same for both methods."""

from collections.abc import Sequence
from typing import Any, Final

from api.web.schemas import Invalid
from lab.plan import FAILING, Each, PlanStage, Step, WorkflowPlan
from transports.methods import CELERY

# These have one node for each path before they begin, so their paths must be known by then.
KNOWN_BEFORE: Final = ("group", "chord")
DEFAULT_COUNT: Final = 3
# The branch of a conditional map by an item's scheme.
BRANCHES: Final = {
    "file": "download_file",
    "data": "download_data",
    "https": "download_web",
    "s3": "download_s3",
    "gcp": "download_gcp",
    "azure": "download_azure",
    "": "download",
}


def build(
    pattern: str,
    method: str,
    source: dict[str, Any],
    paths: Sequence[str] | None,
    count: int | None,
    fail_at: str | None,
) -> tuple[WorkflowPlan, list[Step]]:
    """The plan of `pattern`, and its steps in the order of their numbers.

    Args:
        paths: those of `source` that are known before it begins; None where they are listed as it runs.
        count: how many paths; None for all, or a few.
        fail_at: the node that is to fail.

    Raises:
        Invalid: there is none of this name, or no path.
    """
    known = list(paths or ())
    n = count or len(known) or DEFAULT_COUNT
    if pattern in KNOWN_BEFORE and not known:
        raise _unbuildable("source", f"a {pattern} is built of known paths, and there are none")
    listing = Step(name="list", kind="list_paths", params=_only(source=source, count=count))
    write = Step(name="write", kind="write_paths")
    numbers = range(1, n + 1)
    match pattern:
        case "chain":
            steps = [
                [[listing]],
                [[Step(name="download", kind="download", params={"index": 0})]],
                [[Step(name="count", kind="count_words")]],
                [[Step(name="merge", kind="merge_files")]],
            ]
        case "group":
            steps = [_downloads(known, n)]
        case "chord":
            steps = [_downloads(known, n), [[write]]]
        case "task_group":
            steps = [[[listing]], [[_nth(i)] for i in numbers]]
        case "chain_group_chord":
            merge = Step(name="merge", kind="merge_files")
            branches = [[_nth(i), Step(name=f"count-{i}", kind="count_words")] for i in numbers]
            steps = [[[listing]], branches, [[merge]]]
        case "map":
            steps = [[[listing]], []]
        case _:
            steps = [[[listing]], [], [[write]]]
    if method == CELERY.name and [] in steps:
        steps.insert(1, [[Step(name="map", kind="dmap")]])
    return _plan(pattern, steps, fail_at)


def _plan(
    pattern: str, steps: list[list[list[Step]]], fail_at: str | None
) -> tuple[WorkflowPlan, list[Step]]:
    parallel = {"group": 0, "chord": 0, "task_group": 1, "chain_group_chord": 1}.get(pattern)
    kinds = BRANCHES if pattern == "conditional_map" else {"": "download"}
    stages = [
        PlanStage(
            branches=[[step.name for step in branch] for branch in branches], parallel=place == parallel
        )
        if branches
        else PlanStage(parallel=True, each=Each(kinds=kinds, fail_at=fail_at))
        for place, branches in enumerate(steps)
    ]
    all_steps = [step for branches in steps for branch in branches for step in branch]
    names = [step.name for step in all_steps]
    made = fail_at is not None and fail_at.startswith("item-") and any(stage.each for stage in stages)
    if fail_at is not None and fail_at not in names and not made:
        has = ", ".join([*names[:20], *(["item-1"] if any(stage.each for stage in stages) else [])])
        raise _unbuildable("fail_at", f"there is no node {fail_at!r}; this pattern has {has}")
    first = {branch[0].name for branch in steps[0]}
    return WorkflowPlan(stages=stages), [
        Step(name=step.name, kind=FAILING, params={"given": None} if step.name in first else {})
        if step.name == fail_at
        else step
        for step in all_steps
    ]


def _unbuildable(field: str, message: str) -> Invalid:
    return Invalid([{"field": field, "message": message, "code": "unbuildable"}])


def _downloads(known: list[str], n: int) -> list[list[Step]]:
    return [
        [Step(name=f"download-{i + 1}", kind="download", params={"path": known[i % len(known)]})]
        for i in range(n)
    ]


def _nth(number: int) -> Step:
    return Step(name=f"download-{number}", kind="download", params={"index": number - 1})


def _only(**params: Any) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}
