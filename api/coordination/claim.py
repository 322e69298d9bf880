"""Take a task, give it back, hand it over. Called by claimTask, unclaimTask and reassignTask.

The engine lets anybody do any of these, except claim what another has claimed; so each is checked here first. Only
claiming can be made safe against a race. The others change who holds a task, never what is decided.
"""

from api.coordination.decide import closed
from api.coordination.rules.permissions import (
    checked_user_id,
    demand_claimer,
    demand_four_eyes,
    demand_holder,
    demand_running,
)
from api.coordination.rules.visibility import SeenTask, no_such_task, seen_task
from api.errors import Gone, Refused, UserErrorCode
from api.identity import Viewer, same_person
from api.settings import Settings
from api.upstreams import Upstreams
from api.upstreams.camunda.records import Task


async def claim(upstreams: Upstreams, settings: Settings, viewer: Viewer, task_id: str) -> None:
    """Take a group's task. Repeating it changes nothing. Raises Refused, or UpstreamFailed."""
    seen = await _visible_task(upstreams, viewer, task_id)
    task = seen.task
    demand_four_eyes(viewer.people, seen.submitters, allow_own=settings.allow_own_approval)
    demand_claimer(viewer, task.assignee, is_offered=seen.is_offered)
    if task.assignee is not None:
        return
    demand_running(task)
    try:
        await upstreams.camunda.claim(task.id, viewer.id)
    except Gone as lost:
        await _accept_or_refuse(upstreams, viewer, task, viewer.id, lost)


async def unclaim(upstreams: Upstreams, viewer: Viewer, task_id: str) -> None:
    """Give a task back to its groups: one's own, or anybody's for administrators. Raises Refused, UpstreamFailed."""
    task = (await _visible_task(upstreams, viewer, task_id)).task
    if task.assignee is None:
        return
    demand_holder(viewer, task.assignee)
    demand_running(task)
    try:
        await upstreams.camunda.assign(task.id, None)
    except Gone as lost:
        await _accept_or_refuse(upstreams, viewer, task, None, lost)


async def reassign(upstreams: Upstreams, settings: Settings, viewer: Viewer, task_id: str, user_id: str) -> None:
    """Hand a task to somebody else: one's own, or anybody's for an administrator. Repeating it changes nothing.

    Raises Refused, or UpstreamFailed.
    """
    user_id = checked_user_id(user_id)
    seen = await _visible_task(upstreams, viewer, task_id)
    task = seen.task
    if task.assignee == user_id:
        return
    demand_holder(viewer, task.assignee)
    demand_four_eyes([user_id], seen.submitters, allow_own=settings.allow_own_approval, field="userId")
    demand_running(task)
    try:
        await upstreams.camunda.assign(task.id, user_id)
    except Gone as lost:
        await _accept_or_refuse(upstreams, viewer, task, user_id, lost)


async def _visible_task(upstreams: Upstreams, viewer: Viewer, task_id: str) -> SeenTask:
    """An open task the viewer may see. Raises Refused (NOT_FOUND, ALREADY_DECIDED)."""
    task = await upstreams.camunda.task(task_id)
    if task is None:
        raise await closed(upstreams, viewer, task_id)
    seen = await seen_task(upstreams, viewer, task)
    if seen is None:
        is_open = await upstreams.camunda.task(task_id) is not None
        raise no_such_task() if is_open else await closed(upstreams, viewer, task_id)
    return seen


async def _accept_or_refuse(upstreams: Upstreams, viewer: Viewer, task: Task, wanted: str | None, lost: Gone) -> None:
    """After the engine said no: fine, if the task is where it was wanted. Raises Refused, or `lost`."""
    now = await upstreams.camunda.task(task.id)
    if now is None:
        raise await closed(upstreams, viewer, task.id) from lost
    if now.assignee == wanted or same_person(now.assignee, wanted):
        return
    if now.assignee is None or now.assignee == task.assignee:
        raise lost
    raise _claimed_by(now.assignee) from lost


def _claimed_by(assignee: str) -> Refused:
    return Refused(UserErrorCode.ALREADY_CLAIMED, f"{assignee} has claimed this task.", field="taskId")
