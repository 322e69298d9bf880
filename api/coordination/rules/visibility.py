"""Visibility of one draft or one task, read afresh. The rules are those of permissions.py.

What does not exist and what the viewer may not see have the same answer, and cost the same requests.
"""

import asyncio
from dataclasses import dataclass

from api.coordination.draft_process import linked_variables
from api.coordination.rules.permissions import (
    demand_owner,
    has_on_record,
    may_read_draft,
    may_see_task,
    owns,
    reads_all,
)
from api.errors import Refused, UserErrorCode
from api.upstreams import Upstreams
from api.upstreams.approval_records import involved_or_recorded
from api.upstreams.camunda.authorizations import READ_HISTORY, READ_TASKS, demand, hidden
from api.upstreams.camunda.candidates import was_offered
from api.upstreams.camunda.involvement import NO_DRAFTS, NO_PROCESS, Submitted
from api.upstreams.camunda.process_variables import ProcessVariables
from api.upstreams.camunda.records import Task, plausible
from api.upstreams.retool.records import Draft
from authentication.identity import Viewer


@dataclass(frozen=True)
class VisibleTask:
    """A task that the viewer may see, and its process's variables. `is_offered`: they are or were a candidate."""

    task: Task
    variables: ProcessVariables
    is_offered: bool


async def readable_draft(upstreams: Upstreams, viewer: Viewer, draft_id: str) -> Draft:
    """The draft, if the viewer may read it. Raises Refused (NOT_FOUND)."""
    draft = await upstreams.retool.draft(draft_id)
    if draft is None:
        await _decoy_requests(upstreams, viewer, draft_id)
        raise no_such_draft()
    if not await _may_read(upstreams, viewer, draft):
        raise no_such_draft()
    return draft


async def _decoy_requests(upstreams: Upstreams, viewer: Viewer, draft_id: str) -> None:
    """Send the requests that a hidden draft costs, so that timing does not tell it from one that is not there."""
    if not reads_all(viewer) and await upstreams.retool.can_have(draft_id):
        await _involved(upstreams, viewer, Submitted(draft_id, NO_PROCESS))


async def owned_draft(upstreams: Upstreams, viewer: Viewer, draft_id: str) -> Draft:
    """The draft, if the viewer may change it. Raises Refused (NOT_FOUND, FORBIDDEN)."""
    draft = await readable_draft(upstreams, viewer, draft_id)
    submitted_by = None
    if draft.created_by is None and not viewer.is_admin:
        submitted_by = (await linked_variables(upstreams, draft)).submitted_by
    demand_owner(viewer, draft, submitted_by)
    return draft


async def is_participant(upstreams: Upstreams, viewer: Viewer, draft: Draft) -> bool:
    """Whether the viewer, who may read the draft, takes part in its approval: as its owner, or involved in it."""
    if owns(viewer, draft, None) or not has_on_record(viewer, draft):
        return True
    return await _is_involved(upstreams, viewer, draft)


async def _may_read(upstreams: Upstreams, viewer: Viewer, draft: Draft) -> bool:
    if has_on_record(viewer, draft):
        return True
    return may_read_draft(viewer, draft, is_involved=await _is_involved(upstreams, viewer, draft))


async def _is_involved(upstreams: Upstreams, viewer: Viewer, draft: Draft) -> bool:
    asked = Submitted(draft.id, draft.camunda_process_id or NO_PROCESS)
    return await _involved(upstreams, viewer, asked) and draft.camunda_process_id is not None


async def _involved(upstreams: Upstreams, viewer: Viewer, draft: Submitted) -> bool:
    found = await involved_or_recorded(upstreams.aidbox, upstreams.camunda, [draft], viewer.id, viewer.groups)
    return found[draft]


async def visible_task(
    upstreams: Upstreams, viewer: Viewer, task: Task, *, is_offered: bool = False
) -> VisibleTask | None:
    """The task, open or closed, if the viewer may see it. The draft's author is read last, as that seldom matters.

    `is_offered`: the engine has just said that the viewer is a candidate.
    """
    process_id = task.process_instance_id
    is_offered, by_process = await asyncio.gather(
        _was_offered(upstreams, viewer, task, is_known=is_offered), upstreams.camunda.variables_by_process([process_id])
    )
    if process_id not in by_process:
        raise hidden()
    seen = VisibleTask(task, by_process[process_id], is_offered)
    if _may_see(viewer, seen, author=None):
        return seen
    draft = await upstreams.retool.draft(seen.variables.draft_id or "")
    is_its_draft = draft is not None and draft.camunda_process_id == process_id
    if draft and is_its_draft and _may_see(viewer, seen, author=draft.created_by):
        return seen
    if task.ended is None:  # as for one that is not there, see `unknown_task`
        await demand(upstreams.camunda, READ_TASKS, READ_HISTORY)
    return None


def _may_see(viewer: Viewer, seen: VisibleTask, *, author: str | None) -> bool:
    return may_see_task(
        viewer,
        assignee=seen.task.assignee,
        submitted_by=seen.variables.submitted_by,
        author=author,
        is_offered=seen.is_offered,
    )


async def unknown_task(upstreams: Upstreams, viewer: Viewer, task_id: str) -> Refused:
    """The refusal for a task that is not there, after the requests that a hidden one costs (timing)."""
    if plausible([task_id]) and reads_all(viewer):
        await demand(upstreams.camunda, READ_TASKS, READ_HISTORY)
    elif plausible([task_id]):
        await asyncio.gather(
            demand(upstreams.camunda, READ_TASKS, READ_HISTORY),
            upstreams.camunda.claimable([task_id], viewer.id, viewer.groups),
            upstreams.camunda.variables_by_process([NO_PROCESS]),
        )
        await upstreams.retool.drafts_by_id(NO_DRAFTS)
    return no_such_task()


async def _was_offered(upstreams: Upstreams, viewer: Viewer, task: Task, *, is_known: bool) -> bool:
    if is_known:
        return True
    if task.ended is not None:
        return await was_offered(upstreams.camunda, task, viewer.id, viewer.groups)
    return task.id in await upstreams.camunda.claimable([task.id], viewer.id, viewer.groups)


def no_such_draft() -> Refused:
    """The refusal for a draft that does not exist or that the viewer may not read."""
    return Refused(UserErrorCode.NOT_FOUND, "There is no such draft.", field="draftId")


def no_such_task() -> Refused:
    """The refusal for a task that does not exist or that the viewer may not see."""
    return Refused(UserErrorCode.NOT_FOUND, "There is no such task, or you may not see it.", field="taskId")
