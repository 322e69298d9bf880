"""What a viewer may know of, asked fresh: one draft, one task. Called by every verb, and by the schema for one task.

What is not there and what is not the viewer's have the same answer. The rules are those of permissions.py.
"""

import asyncio
from dataclasses import dataclass

from api.coordination.draft_process import linked_variables
from api.coordination.rules.permissions import demand_owner, has_on_record, may_read_draft, may_see_task, reads_all
from api.errors import Refused, UserErrorCode
from api.identity import Viewer
from api.upstreams import Upstreams
from api.upstreams.camunda.authorizations import READ_HISTORY, READ_TASKS, demand, hidden
from api.upstreams.camunda.candidates import was_offered
from api.upstreams.camunda.involvement import NO_DRAFTS, NO_PROCESS, Submitted, involved
from api.upstreams.camunda.records import Scalar, Task, plausible, submitters, text
from api.upstreams.retool.records import Draft


@dataclass(frozen=True)
class SeenTask:
    """A task the viewer may see, with its process's variables. `is_offered`: to them by name or by a group, or was."""

    task: Task
    variables: dict[str, Scalar]
    is_offered: bool

    @property
    def submitted_by(self) -> str | None:
        """Who submitted the draft."""
        return self.submitters[0]

    @property
    def submitters(self) -> tuple[str | None, str | None]:
        """For whom it was submitted, and by whom where that is another person."""
        return submitters(self.variables)


async def readable_draft(upstreams: Upstreams, viewer: Viewer, draft_id: str) -> Draft:
    """The draft as it is now. Raises Refused (NOT_FOUND) when there is none that the viewer may read."""
    draft = await upstreams.retool.draft(draft_id)
    if draft is None:
        await _look_in_vain(upstreams, viewer, draft_id)
        raise no_such_draft()
    if not await _may_read(upstreams, viewer, draft):
        raise no_such_draft()
    return draft


async def _look_in_vain(upstreams: Upstreams, viewer: Viewer, draft_id: str) -> None:
    """Ask of a draft that is not there what one of somebody else is asked, so that time does not tell which it is."""
    if not reads_all(viewer) and await upstreams.retool.can_have(draft_id):
        await involved(upstreams.camunda, [Submitted(draft_id, NO_PROCESS)], viewer.id, viewer.groups)


async def owned_draft(upstreams: Upstreams, viewer: Viewer, draft_id: str) -> Draft:
    """The draft as it now is, which the viewer may change. Raises Refused (NOT_FOUND, FORBIDDEN)."""
    draft = await readable_draft(upstreams, viewer, draft_id)
    submitted_by = None
    if draft.created_by is None and not viewer.is_admin:
        submitted_by, _ = submitters(await linked_variables(upstreams, draft))
    demand_owner(viewer, draft, submitted_by)
    return draft


async def _may_read(upstreams: Upstreams, viewer: Viewer, draft: Draft) -> bool:
    if has_on_record(viewer, draft):
        return True
    asked = Submitted(draft.id, draft.camunda_process_id or NO_PROCESS)
    found = await involved(upstreams.camunda, [asked], viewer.id, viewer.groups)
    return may_read_draft(viewer, draft, is_involved=found[asked] and draft.camunda_process_id is not None)


async def seen_task(upstreams: Upstreams, viewer: Viewer, task: Task) -> SeenTask | None:
    """The task, open or closed, if the viewer may see it. Who wrote the draft is asked last, as it seldom matters."""
    process_id = task.process_instance_id
    is_offered, by_process = await asyncio.gather(
        _was_offered(upstreams, viewer, task), upstreams.camunda.variables_by_process([process_id])
    )
    if not by_process.get(process_id):
        raise hidden()
    seen = SeenTask(task, by_process[process_id], is_offered)
    if _may_see(viewer, seen, author=None):
        return seen
    draft = await upstreams.retool.draft(text(seen.variables.get("draftId")) or "")
    is_its_draft = draft is not None and draft.camunda_process_id == process_id
    if draft and is_its_draft and _may_see(viewer, seen, author=draft.created_by):
        return seen
    if task.ended is None:  # what one that is not there costs as well, see `unknown_task`
        await demand(upstreams.camunda, READ_TASKS, READ_HISTORY)
    return None


def _may_see(viewer: Viewer, seen: SeenTask, *, author: str | None) -> bool:
    return may_see_task(
        viewer,
        assignee=seen.task.assignee,
        submitted_by=seen.submitted_by,
        author=author,
        is_offered=seen.is_offered,
    )


async def unknown_task(upstreams: Upstreams, viewer: Viewer, task_id: str) -> Refused:
    """The answer for a task that is not there, after what one of somebody else is asked: time does not tell which."""
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


async def _was_offered(upstreams: Upstreams, viewer: Viewer, task: Task) -> bool:
    if task.ended is not None:
        return await was_offered(upstreams.camunda, task, viewer.id, viewer.groups)
    return task.id in await upstreams.camunda.claimable([task.id], viewer.id, viewer.groups)


def no_such_draft() -> Refused:
    """The one answer for what is not there and for what is not the viewer's to know."""
    return Refused(UserErrorCode.NOT_FOUND, "There is no such draft.", field="draftId")


def no_such_task() -> Refused:
    """As above."""
    return Refused(UserErrorCode.NOT_FOUND, "There is no such task for you.", field="taskId")
