"""The inputs of mutations, one for each."""

from datetime import datetime

import strawberry

from api.schema.changes import ConflictSide

USER_ID = "The person it is done for: absent or the viewer, unless the caller may act for others."
TASK_ID = "The engine's id of the task."
DRAFT_ID = "Retool's id of the draft."
COMMENT = (
    "A comment for the others, at most 1500 characters of plain text. Line breaks, quotes, backslashes and emoji count "
    "as two."
)


@strawberry.input(description="The input of submitForApproval.")
class SubmitForApprovalInput:
    """Which draft, as seen by its author."""

    draft_id: strawberry.ID = strawberry.field(description=DRAFT_ID)
    user_id: strawberry.ID | None = strawberry.field(default=None, description=USER_ID)
    revision: str | None = strawberry.field(
        default=None, description="The revision you looked at: another one is refused with STALE_REVISION."
    )
    comment: str | None = strawberry.field(default=None, description=COMMENT)
    publish_at: datetime | None = strawberry.field(
        default=None,
        description="When the plan is to be published, as a proposal to the approver; absent or past: once it is "
        "approved.",
    )


@strawberry.input(description="The input of submitDrafts.")
class SubmitDraftsInput:
    """Which drafts."""

    submissions: list[SubmitForApprovalInput] = strawberry.field(description="One for each draft, at most 200.")
    user_id: strawberry.ID | None = strawberry.field(default=None, description=USER_ID)


@strawberry.input(description="The input of completeApproval.")
class CompleteApprovalInput:
    """Which task, and what is decided."""

    task_id: strawberry.ID = strawberry.field(description=TASK_ID)
    approved: bool = strawberry.field(description="True publishes, or goes on to the next step; false rejects.")
    user_id: strawberry.ID | None = strawberry.field(default=None, description=USER_ID)
    comment: str | None = strawberry.field(default=None, description=COMMENT)
    publish_at: datetime | None = strawberry.field(
        default=None,
        description="When the plan is to be published; absent or null: as proposed so far (Task.publishAt); past: at "
        "once. For an approval only.",
    )


@strawberry.input(description="The input of completeApprovals.")
class CompleteApprovalsInput:
    """Which tasks, and what is decided about each."""

    decisions: list[CompleteApprovalInput] = strawberry.field(description="One for each task, at most 200.")
    user_id: strawberry.ID | None = strawberry.field(default=None, description=USER_ID)


@strawberry.input(description="The input of requestChanges.")
class RequestChangesInput:
    """Which task, and what is to be changed."""

    task_id: strawberry.ID = strawberry.field(description=TASK_ID)
    comment: str = strawberry.field(description="What to change, at most 1500 characters of plain text.")
    user_id: strawberry.ID | None = strawberry.field(default=None, description=USER_ID)


@strawberry.input(description="The input of claimTask.")
class ClaimTaskInput:
    """Which task."""

    task_id: strawberry.ID = strawberry.field(description=TASK_ID)
    user_id: strawberry.ID | None = strawberry.field(default=None, description=USER_ID)


@strawberry.input(description="The input of claimTasks.")
class ClaimTasksInput:
    """Which tasks."""

    task_ids: list[strawberry.ID] = strawberry.field(description="The engine's ids of the tasks, at most 200.")
    user_id: strawberry.ID | None = strawberry.field(default=None, description=USER_ID)


@strawberry.input(description="The input of unclaimTask.")
class UnclaimTaskInput:
    """Which task."""

    task_id: strawberry.ID = strawberry.field(description=TASK_ID)


@strawberry.input(description="The input of reassignTask.")
class ReassignTaskInput:
    """Which task, and to whom it goes."""

    task_id: strawberry.ID = strawberry.field(description=TASK_ID)
    user_id: strawberry.ID = strawberry.field(description="The new assignee; not the submitter of the draft.")


@strawberry.input(description="The input of updateTask. What is absent stays as it is; null clears a date.")
class UpdateTaskInput:
    """Which task, and what is to change about it."""

    task_id: strawberry.ID = strawberry.field(description=TASK_ID)
    due_at: datetime | None = strawberry.field(default=strawberry.UNSET, description="When it should be decided.")
    follow_up_at: datetime | None = strawberry.field(default=strawberry.UNSET, description="When to look at it again.")
    priority: int | None = strawberry.field(
        default=strawberry.UNSET, description="How urgent it is, from 0 to 100; 50 is the engine's default."
    )


@strawberry.input(description="The input of addComment.")
class AddCommentInput:
    """Which draft, and what is written on its submission."""

    draft_id: strawberry.ID = strawberry.field(description=DRAFT_ID)
    text: str = strawberry.field(
        description="What to say, at most 1500 characters of plain text. Line breaks, quotes, backslashes and emoji "
        "count as two."
    )
    user_id: strawberry.ID | None = strawberry.field(default=None, description=USER_ID)


@strawberry.input(description="The input of withdrawSubmission.")
class WithdrawSubmissionInput:
    """Which draft."""

    draft_id: strawberry.ID = strawberry.field(description=DRAFT_ID)
    user_id: strawberry.ID | None = strawberry.field(default=None, description=USER_ID)


@strawberry.input(description="The input of retryPublication.")
class RetryPublicationInput:
    """Which draft."""

    draft_id: strawberry.ID = strawberry.field(description=DRAFT_ID)


@strawberry.input(description="The input of reschedulePublication.")
class ReschedulePublicationInput:
    """Which draft, and when its plan is to be published instead."""

    draft_id: strawberry.ID = strawberry.field(description=DRAFT_ID)
    publish_at: datetime | None = strawberry.field(
        default=None, description="When the plan is to be published; absent, null or past: now."
    )
    user_id: strawberry.ID | None = strawberry.field(default=None, description=USER_ID)


@strawberry.input(description="The decision on one field that draft and store both changed.")
class ConflictChoice:
    """One conflict, decided."""

    path: str = strawberry.field(description="The conflict's path, as Draft.conflicts has it.")
    take: ConflictSide = strawberry.field(description="Whose value the field is to have.")


@strawberry.input(description="The input of rebaseDraft.")
class RebaseDraftInput:
    """Which draft, as seen by its author, and what is decided about its conflicts."""

    draft_id: strawberry.ID = strawberry.field(description=DRAFT_ID)
    revision: str = strawberry.field(
        description="The revision you looked at: another one is refused with STALE_REVISION."
    )
    version_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="The current plan's version you looked at: another one is refused with VERSION_CONFLICT.",
    )
    choices: list[ConflictChoice] = strawberry.field(
        default_factory=list, description="One for each conflict; without it the call answers with the conflicts."
    )
    otherwise: ConflictSide | None = strawberry.field(
        default=None, description="Whose value to take for each conflict that no choice decides."
    )
    user_id: strawberry.ID | None = strawberry.field(default=None, description=USER_ID)


@strawberry.input(description="The input of createDraftFromPlan.")
class CreateDraftFromPlanInput:
    """Which version of a plan, and what the draft is called."""

    plan_id: strawberry.ID = strawberry.field(description="The plan's id in the store.")
    version_id: strawberry.ID | None = strawberry.field(
        default=None, description="One of its versions; by default the current one."
    )
    name: str | None = strawberry.field(
        default=None, description="The draft's name, 1 to 255 characters; by default the plan's."
    )
    id: strawberry.ID | None = strawberry.field(
        default=None,
        description="A UUID you choose for the draft, which makes the call idempotent: repeated, it answers with the "
        "same draft. Without it each call creates another draft. Not for tables whose ids are numbers.",
    )
    user_id: strawberry.ID | None = strawberry.field(default=None, description=USER_ID)
