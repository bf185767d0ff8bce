"""Workflows by hand: a routing slip in the message says what follows.

https://www.enterpriseintegrationpatterns.com/patterns/messaging/RoutingTable.html
"""

from collections.abc import Mapping

from lab.job import Job
from lab.plan import WorkflowPlan


def with_slip(plan: WorkflowPlan, jobs: Mapping[str, Job], name: str) -> Job:
    """The job of the node `name` with all that its message alone can start: the rest of its branch and the
    heads of the next stage. What has to wait for several nodes, or is made of a list, is the store's."""
    place = plan.stage_of(name)
    following = plan.behind(name)[:1]
    if not following and not plan.stages[place].parallel:
        later = plan.stages[place + 1 : place + 2]
        following = [branch[0] for stage in later for branch in stage.branches]
    return jobs[name].model_copy(update={"then": [with_slip(plan, jobs, one) for one in following]})
