"""The type PlanApproval: who approved a version of a plan, by the store's record, else by the engine's history."""

import asyncio
from collections.abc import Sequence

import strawberry

from api.coordination.rules.permissions import may_read_approval
from api.schema.approval_status import TaskDecision, final_decisions
from api.schema.info import Info
from api.schema.person import Person, person
from api.schema.plan_version import PlanVersion
from api.schema.read_access import draft_by_id
from api.upstreams.camunda.process_variables import ProcessVariables
from plandiff.plan_document import PROCESS_TAG


@strawberry.type(description="The approval that a version of a plan came of.")
class PlanApproval:
    """As the store has it on record, for as long as it has the version."""

    process_id: strawberry.ID = strawberry.field(description="The submission: a process of the engine.")
    submitted_by: Person | None = strawberry.field(description="Who submitted the draft; null when not on record.")
    author: Person | None = strawberry.field(description="The draft's author; null when not on record.")
    decisions: list[TaskDecision] = strawberry.field(
        description="The decisions, oldest first. Tasks that other clients completed have none."
    )
    based_on_version: strawberry.ID | None = strawberry.field(
        description="The version of the plan it was submitted against; null for a new plan."
    )


async def plan_approvals_of(info: Info, versions: Sequence[PlanVersion]) -> list[PlanApproval | None]:
    """The approvals of versions, as far as the viewer may read them; their processes are known by tags."""
    return await asyncio.gather(*(_plan_approval(info, version) for version in versions))


async def _plan_approval(info: Info, version: PlanVersion) -> PlanApproval | None:
    """Of several tags, which stores copy to later versions, the one whose process published this very version."""
    loaders, key = info.context.loaders, (version.id, version.version_id)
    processes = [tag.code for tag in version.tags if tag.system == PROCESS_TAG and tag.code]
    every = list(zip(processes, await loaders.variables.load_many(processes), strict=True))
    for process_id, values in every:
        if values and (values.aidbox_plan_id, values.published_version) == key:
            return await _readable(info, process_id, values)
    # asked already; raises where the store could not be asked
    await loaders.records.load_many([process_id for process_id, values in every if values is None])
    return None


async def _readable(info: Info, process_id: str, values: ProcessVariables) -> PlanApproval | None:
    """The approval, if the viewer may read its draft; of a draft that is hidden or deleted, if they took part."""
    draft, record = await draft_by_id(info, values.draft_id or ""), None
    if draft is None or not info.context.upstreams.camunda.own.links(values, draft.id):
        record = await info.context.loaders.records.load(process_id)
        if record is None or not may_read_approval(info.context.reader, record.people):
            return None
    author = record.author if record else draft.created_by if draft else None
    return PlanApproval(
        process_id=strawberry.ID(process_id),
        submitted_by=person(values.submitted_by),
        author=person(author),
        decisions=await final_decisions(info, process_id),
        based_on_version=strawberry.ID(values.base_version) if values.base_version else None,
    )
