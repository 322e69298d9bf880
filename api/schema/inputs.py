"""What mutations take: one `input` each."""

import strawberry

USER_ID = "Whom it is done for: the viewer's own id or absent, unless the caller may act for others."
TASK_ID = "The engine's id of the task."
DRAFT_ID = "Retool's id of the draft."
COMMENT = "A few words for the others, at most 1500 characters of plain text."


@strawberry.input(description="The input of submitForApproval.")
class SubmitForApprovalInput:
    """Which draft, as seen by its author."""

    draft_id: strawberry.ID = strawberry.field(description=DRAFT_ID)
    user_id: strawberry.ID | None = strawberry.field(default=None, description=USER_ID)
    revision: str | None = strawberry.field(
        default=None, description="The revision you looked at: another one is refused with STALE_REVISION."
    )
    comment: str | None = strawberry.field(default=None, description=COMMENT)


@strawberry.input(description="The input of completeApproval.")
class CompleteApprovalInput:
    """Which task, and what is decided."""

    task_id: strawberry.ID = strawberry.field(description=TASK_ID)
    approved: bool = strawberry.field(description="True publishes, or goes on to the next step; false rejects.")
    user_id: strawberry.ID | None = strawberry.field(default=None, description=USER_ID)
    comment: str | None = strawberry.field(default=None, description=COMMENT)


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


@strawberry.input(description="The input of unclaimTask.")
class UnclaimTaskInput:
    """Which task."""

    task_id: strawberry.ID = strawberry.field(description=TASK_ID)


@strawberry.input(description="The input of reassignTask.")
class ReassignTaskInput:
    """Which task, and to whom it goes."""

    task_id: strawberry.ID = strawberry.field(description=TASK_ID)
    user_id: strawberry.ID = strawberry.field(description="Who is to have the task; not who submitted the draft.")


@strawberry.input(description="The input of withdrawSubmission.")
class WithdrawSubmissionInput:
    """Which draft."""

    draft_id: strawberry.ID = strawberry.field(description=DRAFT_ID)
    user_id: strawberry.ID | None = strawberry.field(default=None, description=USER_ID)


@strawberry.input(description="The input of retryPublication.")
class RetryPublicationInput:
    """Which draft."""

    draft_id: strawberry.ID = strawberry.field(description=DRAFT_ID)
