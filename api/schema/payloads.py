"""What mutations answer: the things as they now are, each asked only when it is selected, and `userErrors`.

Draft and task are read by the rules of the queries for them, with the rights of the person the mutation was done for.
"""

import dataclasses

import strawberry

from api.schema.approval_status import ApprovalState
from api.schema.changes import FieldConflict, field_conflicts
from api.schema.draft import Draft, DraftStatus, draft, draft_status
from api.schema.info import Info
from api.schema.plan_version import PlanVersion, current_plans_of
from api.schema.task import Task, task_by_id
from api.schema.user_error import UserError
from api.schema.visible import draft_by_id
from api.upstreams.retool import records as retool_records
from plandiff.comparison import Entry

ERRORS = "What the user can mend; empty when it was done."


@strawberry.type(description="The answer of submitForApproval.")
class SubmitForApprovalPayload:
    """`draft_id` is None when it was refused."""

    draft_id: strawberry.Private[str | None] = None
    process_id: strawberry.ID | None = strawberry.field(
        default=None, description="The approval now running; with ALREADY_SUBMITTED the one that stands in the way."
    )
    user_errors: list[UserError] = strawberry.field(default_factory=list, description=ERRORS)

    @strawberry.field(description="The draft's status; null when it was refused.")
    async def status(self, info: Info) -> DraftStatus | None:
        """As the row has it now."""
        record = await _read(info, self.draft_id)
        return draft_status(record.status) if record else None

    @strawberry.field(description="The draft as it now is; null when it was refused.")
    async def draft(self, info: Info) -> Draft | None:
        """Read afresh."""
        return draft(await _read(info, self.draft_id))


@strawberry.type(description="The answer of completeApproval and requestChanges.")
class CompleteApprovalPayload:
    """The ids are None when it was refused."""

    task_id: strawberry.Private[str | None] = None
    draft_id: strawberry.Private[str | None] = None
    plan_id: strawberry.Private[str | None] = None
    status: ApprovalState | None = strawberry.field(
        default=None, description="What the decision led to; null when it was refused."
    )
    reason: str | None = strawberry.field(default=None, description="Why it is a conflict, if it is one.")
    user_errors: list[UserError] = strawberry.field(default_factory=list, description=ERRORS)

    @strawberry.field(description="The task as it now is; null when it was refused.")
    async def task(self, info: Info) -> Task | None:
        """Read afresh."""
        return await task_by_id(info, self.task_id) if self.task_id else None

    @strawberry.field(description="The draft as it now is; null when it was refused.")
    async def draft(self, info: Info) -> Draft | None:
        """Read afresh."""
        return draft(await _read(info, self.draft_id))

    @strawberry.field(description="The plan as the store now has it; null when there is none.")
    async def plan(self, info: Info) -> PlanVersion | None:
        """Read afresh."""
        return (await current_plans_of(info, [self.plan_id]))[0]


@strawberry.type(description="The answer of mutations on a task.")
class TaskPayload:
    """`task_id` is None when it was refused."""

    task_id: strawberry.Private[str | None] = None
    user_errors: list[UserError] = strawberry.field(default_factory=list, description=ERRORS)

    @strawberry.field(description="The task as it now is; null when it was refused.")
    async def task(self, info: Info) -> Task | None:
        """Read afresh."""
        return await task_by_id(info, self.task_id) if self.task_id else None


@strawberry.type(description="The answer of mutations on a draft.")
class DraftPayload:
    """`draft_id` is None when it was refused."""

    draft_id: strawberry.Private[str | None] = None
    user_errors: list[UserError] = strawberry.field(default_factory=list, description=ERRORS)

    @strawberry.field(description="The draft as it now is; null when it was refused.")
    async def draft(self, info: Info) -> Draft | None:
        """Read afresh."""
        return draft(await _read(info, self.draft_id))


@strawberry.type(description="The answer of rebaseDraft.")
class RebaseDraftPayload:
    """`draft_id` is None when it was refused; with conflicts left, the draft is as it was."""

    draft_id: strawberry.Private[str | None] = None
    undecided: strawberry.Private[list[Entry]] = dataclasses.field(default_factory=list)
    user_errors: list[UserError] = strawberry.field(default_factory=list, description=ERRORS)

    @strawberry.field(description="The draft as it now is: unchanged while conflicts are left; null when refused.")
    async def draft(self, info: Info) -> Draft | None:
        """Read afresh."""
        return draft(await _read(info, self.draft_id))

    @strawberry.field(description="The conflicts that no choice decided; while there is one, nothing is written.")
    def conflicts(self) -> list[FieldConflict]:
        """As the merge found them."""
        return field_conflicts(self.undecided)


async def _read(info: Info, draft_id: str | None) -> retool_records.Draft | None:
    return await draft_by_id(info, draft_id) if draft_id else None
