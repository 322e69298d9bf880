"""Read access: which of the drafts and tasks that were found the viewer may read; others are as if they did not exist.

The rules are those of coordination/rules; here is what they need from the loaders, batched for all drafts and tasks of
an answer. Every field that finds a draft otherwise than by a task the viewer may see has to check here.
"""

import asyncio
from collections.abc import Sequence

from api.coordination.audit_log import audit
from api.coordination.rules.permissions import has_on_record, may_read_draft, may_see_task, reads_all
from api.schema.info import Info
from api.upstreams.camunda import records as camunda_records
from api.upstreams.camunda.involvement import NO_DRAFTS, NO_PROCESS, Submitted
from api.upstreams.camunda.process_variables import NO_VARIABLES, ProcessVariables
from api.upstreams.retool import records as retool_records
from api.upstreams.retool.records import Reader
from authentication.identity import canonical, same_person
from columnar.batched_field import found_of


async def draft_by_id(info: Info, draft_id: str) -> retool_records.Draft | None:
    """The draft of an id, if it exists and the viewer may read it.

    For a draft that does not exist the same is asked as for one the viewer may not read: neither the time an answer
    takes nor a system that is down shows which it is.
    """
    draft = await info.context.loaders.drafts.load(draft_id)
    if draft is not None or reads_all(info.context.reader):
        return await readable_draft(info, draft)
    if await info.context.upstreams.retool.can_have(draft_id):
        await info.context.loaders.involved.load(Submitted(draft_id, NO_PROCESS))
    return None


async def readable_draft(info: Info, draft: retool_records.Draft | None) -> retool_records.Draft | None:
    """The draft, if the viewer may read it. The engine is asked only where the row alone does not decide that."""
    viewer = info.context.reader
    if draft is None or has_on_record(viewer, draft):
        return draft
    process_id = draft.camunda_process_id
    is_involved = await info.context.loaders.involved.load(Submitted(draft.id, process_id or NO_PROCESS))
    if may_read_draft(viewer, draft, is_involved=bool(is_involved) and process_id is not None):
        return draft
    audit_hidden(info, draft_id=draft.id)
    return None


def audit_hidden(info: Info, **named: str) -> None:
    """Write a line in the audit log for a hidden draft or task: one for a request, however often it asks for it."""
    (thing_id,) = named.values()
    if thing_id not in info.context.audited:
        info.context.audited.add(thing_id)
        audit(info.context.reader, info.field_name, "refused", code="NOT_FOUND", **named)


async def page_reader(info: Info, *, written_by: str | None) -> Reader | None:
    """The person whose drafts a page shows, with what the engine knows of their submissions; None for all drafts.

    `written_by`: the author the page is filtered by. For one's own drafts the engine need not be asked.
    """
    viewer = info.context.reader
    if reads_all(viewer):
        return None
    if same_person(written_by, viewer.id):
        return Reader(canonical(viewer.id), ())
    concerning = await info.context.loaders.concerning.load(viewer.id) or []
    return Reader(canonical(viewer.id), tuple((each.draft_id, each.process_id or "") for each in concerning))


async def can_see_task(info: Info, task: camunda_records.Task) -> bool:
    """Whether the viewer may see an open task: by whom it is offered to, then by the submitter, then by the author."""
    loaders, process_id = info.context.loaders, task.process_instance_id

    def may(*, submitted_by: str | None = None, author: str | None = None, is_offered: bool = False) -> bool:
        viewer, assignee = info.context.reader, task.assignee
        return may_see_task(viewer, assignee=assignee, submitted_by=submitted_by, author=author, is_offered=is_offered)

    if may() or may(is_offered=bool(await loaders.decidable.load(task.id))):
        return True
    values = await loaders.variables.load(process_id) or NO_VARIABLES
    if may(submitted_by=values.submitted_by):
        return True
    draft = await loaders.drafts.load(values.draft_id) if values.draft_id else None
    return draft is not None and draft.camunda_process_id == process_id and may(author=draft.created_by)


async def variables_of_drafts(info: Info, records: Sequence[retool_records.Draft]) -> list[ProcessVariables | None]:
    """The variables of each draft's last process; None where the row names the process of another draft."""
    loaders, own = info.context.loaders, info.context.upstreams.camunda.own
    found = await found_of(loaders.variables, [record.camunda_process_id for record in records])
    return [
        values if values and own.links(values, record.id) else None
        for record, values in zip(records, found, strict=True)
    ]


async def load_as_if_hidden(info: Info, task_id: str) -> None:
    """Ask the same for a task that does not exist as `can_see_task` does for a hidden one: both take as long."""
    if camunda_records.plausible([task_id]) and not reads_all(info.context.reader):
        loaders = info.context.loaders
        await loaders.decidable.load(task_id)
        await loaders.variables.load(NO_PROCESS)
        await loaders.drafts.load_many(NO_DRAFTS)


async def visible_tasks(
    info: Info, tasks: list[camunda_records.Task], *, submitted_by: str | None, author: str | None
) -> list[camunda_records.Task]:
    """The open tasks of a process that the viewer may see."""
    viewer = info.context.reader
    if may_see_task(viewer, assignee=None, submitted_by=submitted_by, author=author, is_offered=False):
        return tasks
    offered = await asyncio.gather(*(info.context.loaders.decidable.load(task.id) for task in tasks))
    return [
        task
        for task, is_offered in zip(tasks, offered, strict=True)
        if may_see_task(
            viewer, assignee=task.assignee, submitted_by=submitted_by, author=author, is_offered=bool(is_offered)
        )
    ]
