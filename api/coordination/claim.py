"""The verbs claim, unclaim and reassign: they change who holds a task, never what is decided.

The engine allows all of these to anybody, except claiming what another person has claimed, so permissions are checked
here first. Claiming alone is safe against a race; the last of several assignments wins.
"""

from api.coordination.decide import closed
from api.coordination.policy import Policy
from api.coordination.rules.permissions import (
    checked_user_id,
    claimed_by,
    demand_claimer,
    demand_four_eyes,
    demand_holder,
    demand_running,
)
from api.coordination.rules.visibility import VisibleTask, no_such_task, visible_task
from api.errors import Gone
from api.upstreams import Upstreams
from api.upstreams.camunda.records import Task
from authentication.identity import Viewer, same_person


async def claim(upstreams: Upstreams, policy: Policy, viewer: Viewer, task_id: str) -> None:
    """Claim a task that is offered to the viewer. Idempotent. Raises Refused, UpstreamFailed."""
    seen = await visible_open_task(upstreams, viewer, task_id)
    task = seen.task
    demand_four_eyes(viewer.people, seen.variables.submitters, allow_own=policy.allow_own_approval)
    demand_claimer(viewer, task.assignee, is_offered=seen.is_offered)
    if task.assignee is not None:
        return
    demand_running(task)
    try:
        await upstreams.camunda.claim(task.id, viewer.id)
    except Gone as lost:
        await _accept_or_refuse(upstreams, viewer, task, viewer.id, lost)


async def unclaim(upstreams: Upstreams, viewer: Viewer, task_id: str) -> None:
    """Return a task to its candidates: one's own, or anybody's for an administrator. Idempotent.

    Raises Refused, UpstreamFailed.
    """
    task = (await visible_open_task(upstreams, viewer, task_id)).task
    if task.assignee is None:
        return
    demand_holder(viewer, task.assignee)
    demand_running(task)
    try:
        await upstreams.camunda.assign(task.id, None)
    except Gone as lost:
        await _accept_or_refuse(upstreams, viewer, task, None, lost)


async def reassign(upstreams: Upstreams, policy: Policy, viewer: Viewer, task_id: str, user_id: str) -> None:
    """Assign a task to another person: one's own, or anybody's for an administrator. Idempotent.

    Raises Refused, UpstreamFailed.
    """
    user_id = checked_user_id(user_id)
    seen = await visible_open_task(upstreams, viewer, task_id)
    task = seen.task
    if task.assignee == user_id:
        return
    demand_holder(viewer, task.assignee)
    demand_four_eyes([user_id], seen.variables.submitters, allow_own=policy.allow_own_approval, field="userId")
    demand_running(task)
    try:
        await upstreams.camunda.assign(task.id, user_id)
    except Gone as lost:
        await _accept_or_refuse(upstreams, viewer, task, user_id, lost)


async def visible_open_task(upstreams: Upstreams, viewer: Viewer, task_id: str) -> VisibleTask:
    """An open task that the viewer may see. Raises Refused (NOT_FOUND, ALREADY_DECIDED)."""
    task = await upstreams.camunda.task(task_id)
    if task is None:
        raise await closed(upstreams, viewer, task_id)
    seen = await visible_task(upstreams, viewer, task)
    if seen is None:
        is_open = await upstreams.camunda.task(task_id) is not None
        raise no_such_task() if is_open else await closed(upstreams, viewer, task_id)
    return seen


async def _accept_or_refuse(upstreams: Upstreams, viewer: Viewer, task: Task, wanted: str | None, lost: Gone) -> None:
    """Resolve a lost race: accept it if the task is assigned as it was wanted. Raises Refused, else `lost`."""
    now = await upstreams.camunda.task(task.id)
    if now is None:
        raise await closed(upstreams, viewer, task.id) from lost
    if now.assignee == wanted or same_person(now.assignee, wanted):
        return
    if now.assignee is None or now.assignee == task.assignee:
        raise lost
    raise claimed_by(now.assignee) from lost
