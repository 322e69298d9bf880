"""The payloads of mutations: the current draft, task and plan, each read only when it is selected, and `userErrors`.

Draft and task are read as by queries, with the rights of the person the mutation was done for.
"""

import dataclasses

import strawberry

from api.schema.approval_status import ApprovalState
from api.schema.changes import FieldConflict, to_field_conflicts
from api.schema.comment import Comment
from api.schema.draft import ChangeLimit, Draft, DraftStatus, draft, draft_status
from api.schema.info import Info
from api.schema.plan_version import PlanVersion, current_plans_of
from api.schema.problems import PlanProblem
from api.schema.read_access import draft_by_id
from api.schema.task import Task, task_by_id
from api.schema.user_error import UserError
from api.upstreams.retool import records as retool_records
from plandiff.changes import MOST_ENTRIES
from plandiff.comparison import Entry, cut

ERRORS = "What the user can correct; empty when it was done."
RESULTS = (
    "What became of each, in the order of the input. Null: a system failed, and `errors` has an entry with this path; "
    "repeating the mutation is safe."
)
ERRORS_OF_ALL = "Why nothing was done at all; what is wrong with one of them stands with its result."


@strawberry.type(description="The answer of submitForApproval.")
class SubmitForApprovalPayload:
    """`draft_id` is None when it was refused."""

    draft_id: strawberry.Private[str | None] = None
    process_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="The process now running; with ALREADY_SUBMITTED the one that prevents the submission.",
    )
    validated: bool = strawberry.field(
        default=False,
        description="Whether the store has validated the plan for this. False: it could not be asked, that is switched "
        "off, or the draft was in approval already.",
    )
    problems: list[PlanProblem] = strawberry.field(
        default_factory=list, description="What is wrong with the plan; with INVALID_PLAN the errors among them."
    )
    user_errors: list[UserError] = strawberry.field(default_factory=list, description=ERRORS)

    @strawberry.field(description="The draft's current status; null when refused.")
    async def status(self, info: Info) -> DraftStatus | None:
        """Read after the write."""
        record = await _read(info, self.draft_id)
        return draft_status(record.status) if record else None

    @strawberry.field(description="The draft as it is now; null when refused.")
    async def draft(self, info: Info) -> Draft | None:
        """Read after the write."""
        return draft(await _read(info, self.draft_id))


@strawberry.type(description="The answer of submitDrafts.")
class SubmitDraftsPayload:
    """`results` is empty when all of it was refused."""

    results: list[SubmitForApprovalPayload | None] = strawberry.field(default_factory=list, description=RESULTS)
    user_errors: list[UserError] = strawberry.field(default_factory=list, description=ERRORS_OF_ALL)


@strawberry.type(description="The answer of completeApproval and requestChanges.")
class CompleteApprovalPayload:
    """The ids are None when it was refused."""

    task_id: strawberry.Private[str | None] = None
    draft_id: strawberry.Private[str | None] = None
    plan_id: strawberry.Private[str | None] = None
    status: ApprovalState | None = strawberry.field(
        default=None, description="What the decision led to; null when refused."
    )
    reason: str | None = strawberry.field(default=None, description="Why it is a conflict, if it is one.")
    notice: str | None = strawberry.field(
        default=None,
        description="What is not as it was asked: the plan is published at once although publishAt is later, since the "
        "process model cannot wait. Null otherwise.",
    )
    user_errors: list[UserError] = strawberry.field(default_factory=list, description=ERRORS)

    @strawberry.field(description="The task as it is now; null when refused.")
    async def task(self, info: Info) -> Task | None:
        """Read after the write."""
        return await task_by_id(info, self.task_id) if self.task_id else None

    @strawberry.field(description="The draft as it is now; null when refused.")
    async def draft(self, info: Info) -> Draft | None:
        """Read after the write."""
        return draft(await _read(info, self.draft_id))

    @strawberry.field(description="The current plan in the store; null when there is none.")
    async def plan(self, info: Info) -> PlanVersion | None:
        """Read after the write."""
        return (await current_plans_of(info, [self.plan_id]))[0]


@strawberry.type(description="The answer of completeApprovals.")
class CompleteApprovalsPayload:
    """`results` is empty when all of it was refused."""

    results: list[CompleteApprovalPayload | None] = strawberry.field(default_factory=list, description=RESULTS)
    user_errors: list[UserError] = strawberry.field(default_factory=list, description=ERRORS_OF_ALL)


@strawberry.type(description="The answer of mutations on a task.")
class TaskPayload:
    """`task_id` is None when it was refused."""

    task_id: strawberry.Private[str | None] = None
    user_errors: list[UserError] = strawberry.field(default_factory=list, description=ERRORS)

    @strawberry.field(description="The task as it is now; null when refused.")
    async def task(self, info: Info) -> Task | None:
        """Read after the write."""
        return await task_by_id(info, self.task_id) if self.task_id else None


@strawberry.type(description="The answer of claimTasks.")
class ClaimTasksPayload:
    """`results` is empty when all of it was refused."""

    results: list[TaskPayload | None] = strawberry.field(default_factory=list, description=RESULTS)
    user_errors: list[UserError] = strawberry.field(default_factory=list, description=ERRORS_OF_ALL)


@strawberry.type(description="The answer of mutations on a draft.")
class DraftPayload:
    """`draft_id` is None when it was refused."""

    draft_id: strawberry.Private[str | None] = None
    user_errors: list[UserError] = strawberry.field(default_factory=list, description=ERRORS)

    @strawberry.field(description="The draft as it is now; null when refused.")
    async def draft(self, info: Info) -> Draft | None:
        """Read after the write."""
        return draft(await _read(info, self.draft_id))


@strawberry.type(description="The answer of addComment.")
class AddCommentPayload:
    """`draft_id` is None when it was refused."""

    draft_id: strawberry.Private[str | None] = None
    comment: Comment | None = strawberry.field(default=None, description="The comment; null when refused.")
    user_errors: list[UserError] = strawberry.field(default_factory=list, description=ERRORS)

    @strawberry.field(description="The draft as it is now; null when refused.")
    async def draft(self, info: Info) -> Draft | None:
        """Read after the write."""
        return draft(await _read(info, self.draft_id))


@strawberry.type(description="The answer of rebaseDraft.")
class RebaseDraftPayload:
    """The payload of rebase_draft. `draft_id` is None when it was refused; with conflicts the draft is unchanged."""

    draft_id: strawberry.Private[str | None] = None
    undecided: strawberry.Private[list[Entry]] = dataclasses.field(default_factory=list)
    undecided_count: strawberry.Private[int] = 0
    user_errors: list[UserError] = strawberry.field(default_factory=list, description=ERRORS)

    @strawberry.field(
        description="The draft as it is now, unchanged while there are undecided conflicts; null when refused."
    )
    async def draft(self, info: Info) -> Draft | None:
        """Read after the write."""
        return draft(await _read(info, self.draft_id))

    @strawberry.field(
        description="The conflicts that no choice decides; while there is one, nothing is written. After `limit` "
        "entries one more says how many others there are."
    )
    def conflicts(self, limit: ChangeLimit = 50) -> list[FieldConflict]:
        """As the merge found them. A limit out of range is not refused, which would erase the answer of a write."""
        at_most = min(max(limit, 0), MOST_ENTRIES)
        return to_field_conflicts(cut(self.undecided, at_most, count=self.undecided_count))


async def _read(info: Info, draft_id: str | None) -> retool_records.Draft | None:
    return await draft_by_id(info, draft_id) if draft_id else None
