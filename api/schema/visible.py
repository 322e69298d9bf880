"""What of the drafts and tasks that were found the viewer may read; the rest is as if it were not there.

The rules are those of coordination/permissions.py. Asked by every field that finds a draft by something else than a
task the viewer sees, and by `openTasks`; what concerns many drafts or tasks of an answer is asked at once.
"""

import asyncio
from collections.abc import Sequence

from api.coordination.audit_log import audit
from api.coordination.rules.permissions import has_on_record, may_read_draft, may_see_task, reads_all
from api.identity import canonical, same_person
from api.loaders import Variables
from api.schema.info import Info
from api.upstreams.camunda import records as camunda_records
from api.upstreams.camunda.involvement import NO_DRAFTS, NO_PROCESS, Submitted
from api.upstreams.retool import records as retool_records
from api.upstreams.retool.records import Reader
from columnar.batched_field import found_of


async def draft_by_id(info: Info, draft_id: str) -> retool_records.Draft | None:
    """The draft of an id, if the viewer may read it.

    Of one that is not there the same is asked as of one that is not the viewer's: neither an answer's time nor a system
    that is away tells which it is.
    """
    draft = await info.context.loaders.drafts.load(draft_id)
    if draft is not None or reads_all(info.context.reader):
        return await readable(info, draft)
    if await info.context.upstreams.retool.can_have(draft_id):
        await info.context.loaders.involved.load(Submitted(draft_id, NO_PROCESS))
    return None


async def readable(info: Info, draft: retool_records.Draft | None) -> retool_records.Draft | None:
    """The draft, if the viewer may read it. The engine is asked only about what the row itself does not tell."""
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
    """A line in the audit log for a thing that the viewer may not know of: one for a request, however often it asks."""
    (thing_id,) = named.values()
    if thing_id not in info.context.audited:
        info.context.audited.add(thing_id)
        audit(info.context.reader, info.field_name, "refused", code="NOT_FOUND", **named)


async def reader(info: Info, *, written_by: str | None) -> Reader | None:
    """Whose drafts a page is to show; None for all of them.

    `written_by`: the author it is narrowed to. Of one's own the engine need not be asked.
    """
    viewer = info.context.reader
    if reads_all(viewer):
        return None
    if same_person(written_by, viewer.id):
        return Reader(canonical(viewer.id), ())
    concerning = await info.context.loaders.concerning.load(viewer.id) or []
    return Reader(canonical(viewer.id), tuple((each.draft_id, each.process_id or "") for each in concerning))


async def sees(info: Info, task: camunda_records.Task) -> bool:
    """Whether the viewer may see an open task: asked of whom it is offered to, then who submitted, then who wrote."""
    loaders, process_id = info.context.loaders, task.process_instance_id

    def may(*, submitted_by: str | None = None, author: str | None = None, is_offered: bool = False) -> bool:
        viewer, assignee = info.context.reader, task.assignee
        return may_see_task(viewer, assignee=assignee, submitted_by=submitted_by, author=author, is_offered=is_offered)

    if may() or may(is_offered=bool(await loaders.decidable.load(task.id))):
        return True
    values = await loaders.variables.load(process_id) or {}
    if may(submitted_by=camunda_records.text(values.get("submittedBy"))):
        return True
    draft_id = camunda_records.text(values.get("draftId"))
    draft = await loaders.drafts.load(draft_id) if draft_id else None
    return draft is not None and draft.camunda_process_id == process_id and may(author=draft.created_by)


async def linked_variables(info: Info, records: Sequence[retool_records.Draft]) -> list[Variables]:
    """The variables of the process each draft is or was last in; none where its row names another draft's."""
    loaders, own = info.context.loaders, info.context.upstreams.camunda.own
    found = await found_of(loaders.variables, [record.camunda_process_id for record in records])
    return [
        values if values and own.links(values, record.id) else {} for record, values in zip(records, found, strict=True)
    ]


async def look_in_vain(info: Info, task_id: str) -> None:
    """Ask of a task that is not there what `sees` asks of one of somebody else."""
    if camunda_records.plausible([task_id]) and not reads_all(info.context.reader):
        loaders = info.context.loaders
        await loaders.decidable.load(task_id)
        await loaders.variables.load(NO_PROCESS)
        await loaders.drafts.load_many(NO_DRAFTS)


async def visible(
    info: Info, tasks: list[camunda_records.Task], *, submitted_by: str | None, author: str | None
) -> list[camunda_records.Task]:
    """Those of a process's open tasks that the viewer may see."""
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
