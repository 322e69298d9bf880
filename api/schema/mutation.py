"""The root type Mutation: each field is one verb of `coordination`. What all of them share is in verb.py."""

from datetime import datetime
from typing import Any

import strawberry
from strawberry.tools import create_type

from api.context import Context
from api.coordination import claim as claims
from api.coordination.comment import add_comment as comment_on
from api.coordination.create_draft import create_draft_from_plan as create_draft
from api.coordination.decide import decide
from api.coordination.rebase import Choices, rebase
from api.coordination.reschedule import reschedule
from api.coordination.retry_publication import retry_publication as retry
from api.coordination.submit import submit
from api.coordination.update_task import update_task as update
from api.coordination.validation import Validation
from api.coordination.withdraw import withdraw
from api.errors import Refused, UserErrorCode
from api.schema.approval_status import ApprovalState
from api.schema.comment import comment
from api.schema.inputs import (
    AddCommentInput,
    ClaimTaskInput,
    ClaimTasksInput,
    CompleteApprovalInput,
    CompleteApprovalsInput,
    ConflictChoice,
    CreateDraftFromPlanInput,
    ReassignTaskInput,
    RebaseDraftInput,
    RequestChangesInput,
    ReschedulePublicationInput,
    RetryPublicationInput,
    SubmitDraftsInput,
    SubmitForApprovalInput,
    UnclaimTaskInput,
    UpdateTaskInput,
    WithdrawSubmissionInput,
)
from api.schema.payloads import (
    AddCommentPayload,
    ClaimTasksPayload,
    CompleteApprovalPayload,
    CompleteApprovalsPayload,
    DraftPayload,
    RebaseDraftPayload,
    SubmitDraftsPayload,
    SubmitForApprovalPayload,
    TaskPayload,
)
from api.schema.problems import plan_problems
from api.schema.user_error import user_error
from api.schema.verb import MOST_AT_ONCE, verb, verbs
from api.upstreams.camunda.involvement import Submitted
from api.upstreams.camunda.process_variables import Verdict
from authentication.identity import Viewer
from plandiff.merge import Side


def _why_not_submitted(refusal: Refused) -> dict[str, object]:
    validation = next((each for each in refusal.problems if isinstance(each, Validation)), None)
    return {
        "process_id": strawberry.ID(refusal.process_id) if refusal.process_id else None,
        **_validation(validation),
    }


def _validation(found: Validation | None) -> dict[str, Any]:
    return {"validated": found is not None and found.stores is not None, "problems": plan_problems(found)}


@verb(
    "Submit a draft for approval. Idempotent: repeated, it answers with the process already running.",
    on_refusal=_why_not_submitted,
)
async def submit_for_approval(
    context: Context, viewer: Viewer, args: SubmitForApprovalInput
) -> SubmitForApprovalPayload:
    """See coordination/submit.py."""
    done = await submit(
        context.upstreams,
        context.policy,
        viewer,
        args.draft_id,
        revision=args.revision,
        comment=args.comment,
        publish_at=args.publish_at,
    )
    if done.draft:
        context.loaders.drafts.know({done.draft_id: done.draft})
    return SubmitForApprovalPayload(
        draft_id=done.draft_id, process_id=strawberry.ID(done.process_id), **_validation(done.validation)
    )


@verbs(
    f"Submit many drafts, at most {MOST_AT_ONCE}, each as by submitForApproval.",
    payload=SubmitDraftsPayload,
    one=submit_for_approval,
    key=lambda each: str(each.draft_id),
)
def submit_drafts(args: SubmitDraftsInput) -> list[SubmitForApprovalInput]:
    """Each with its own payload."""
    return args.submissions


@verb("Decide a task. The last approval publishes the plan before it answers, or schedules it for publishAt.")
async def complete_approval(context: Context, viewer: Viewer, args: CompleteApprovalInput) -> CompleteApprovalPayload:
    """See coordination/decide.py."""
    verdict = Verdict.APPROVED if args.approved else Verdict.REJECTED
    return await _decide(context, viewer, args.task_id, verdict, args.comment, args.publish_at)


@verbs(
    f"Decide many tasks, at most {MOST_AT_ONCE}, each as by completeApproval.",
    payload=CompleteApprovalsPayload,
    one=complete_approval,
    key=lambda each: str(each.task_id),
)
def complete_approvals(args: CompleteApprovalsInput) -> list[CompleteApprovalInput]:
    """Each with its own payload."""
    return args.decisions


@verb("Send the draft back to its author with requested changes.")
async def request_changes(context: Context, viewer: Viewer, args: RequestChangesInput) -> CompleteApprovalPayload:
    """See coordination/decide.py."""
    if not args.comment.strip():
        raise Refused(UserErrorCode.INVALID, "Say what has to be changed.", field="comment")
    return await _decide(context, viewer, args.task_id, Verdict.RETURNED, args.comment)


@verb("Claim a task of one of the viewer's groups.")
async def claim_task(context: Context, viewer: Viewer, args: ClaimTaskInput) -> TaskPayload:
    """See coordination/claim.py."""
    await claims.claim(context.upstreams, context.policy, viewer, args.task_id)
    return TaskPayload(task_id=args.task_id)


@verbs(
    f"Claim many tasks, at most {MOST_AT_ONCE}, each as by claimTask.",
    payload=ClaimTasksPayload,
    one=claim_task,
    key=lambda each: str(each.task_id),
)
def claim_tasks(args: ClaimTasksInput) -> list[ClaimTaskInput]:
    """Each with its own payload."""
    return [ClaimTaskInput(task_id=task_id) for task_id in args.task_ids]


@verb("Return a claimed task to its groups.")
async def unclaim_task(context: Context, viewer: Viewer, args: UnclaimTaskInput) -> TaskPayload:
    """See coordination/claim.py."""
    await claims.unclaim(context.upstreams, viewer, args.task_id)
    return TaskPayload(task_id=args.task_id)


@verb("Assign a task to another person.", acts_for_user_id=False)
async def reassign_task(context: Context, viewer: Viewer, args: ReassignTaskInput) -> TaskPayload:
    """See coordination/claim.py."""
    await claims.reassign(context.upstreams, context.policy, viewer, args.task_id, args.user_id)
    return TaskPayload(task_id=args.task_id)


@verb("Set when a task is due, when to look at it again, and how urgent it is.")
async def update_task(context: Context, viewer: Viewer, args: UpdateTaskInput) -> TaskPayload:
    """See coordination/update_task.py."""
    fields = {"due": args.due_at, "follow_up": args.follow_up_at, "priority": args.priority}
    given = {name: value for name, value in fields.items() if value is not strawberry.UNSET}
    await update(context.upstreams, viewer, args.task_id, given)
    return TaskPayload(task_id=args.task_id)


@verb("Comment on the running submission of a draft. Idempotent: the same words of one person are one comment.")
async def add_comment(context: Context, viewer: Viewer, args: AddCommentInput) -> AddCommentPayload:
    """See coordination/comment.py."""
    done = await comment_on(context.upstreams, viewer, args.draft_id, args.text)
    written = comment(done.process_id, done.comment_id, done.comment)
    return AddCommentPayload(draft_id=done.draft_id, comment=written)


@verb("Withdraw a draft from approval: during review, while it is scheduled, or after its publication has failed.")
async def withdraw_submission(context: Context, viewer: Viewer, args: WithdrawSubmissionInput) -> DraftPayload:
    """See coordination/withdraw.py."""
    await withdraw(context.upstreams, context.policy, viewer, args.draft_id)
    return DraftPayload(draft_id=args.draft_id)


@verb("Retry a publication that has failed (an incident in the engine).")
async def retry_publication(context: Context, viewer: Viewer, args: RetryPublicationInput) -> DraftPayload:
    """See coordination/retry_publication.py."""
    await retry(context.upstreams, context.policy, viewer, args.draft_id)
    return DraftPayload(draft_id=args.draft_id)


@verb("Move the publication of a plan that is approved and scheduled, or publish it now.")
async def reschedule_publication(context: Context, viewer: Viewer, args: ReschedulePublicationInput) -> DraftPayload:
    """See coordination/reschedule.py."""
    await reschedule(context.upstreams, context.policy, viewer, args.draft_id, args.publish_at)
    return DraftPayload(draft_id=args.draft_id)


@verb("After a version conflict: move the draft onto the current plan version, field by field.")
async def rebase_draft(context: Context, viewer: Viewer, args: RebaseDraftInput) -> RebaseDraftPayload:
    """See coordination/rebase.py."""
    otherwise = Side[args.otherwise.name] if args.otherwise else None
    choices = Choices(_by_path(args.choices), otherwise)
    done = await rebase(
        context.upstreams,
        context.policy,
        viewer,
        args.draft_id,
        args.revision,
        choices,
        version_id=args.version_id,
    )
    errors = [user_error(_undecided(done.count))] if done.conflicts else []
    return RebaseDraftPayload(
        draft_id=done.draft_id, undecided=done.conflicts, undecided_count=done.count, user_errors=errors
    )


@verb("Start a new draft from any version of a plan: to edit it, or to restore it.")
async def create_draft_from_plan(context: Context, viewer: Viewer, args: CreateDraftFromPlanInput) -> DraftPayload:
    """See coordination/create_draft.py."""
    draft_id = await create_draft(
        context.upstreams,
        viewer,
        args.plan_id,
        version_id=args.version_id,
        name=args.name,
        draft_id=args.id,
        most_open=context.policy.max_open_drafts,
    )
    return DraftPayload(draft_id=draft_id)


async def _decide(
    context: Context,
    viewer: Viewer,
    task_id: str,
    verdict: Verdict,
    comment: str | None,
    publish_at: datetime | None = None,
) -> CompleteApprovalPayload:
    done = await decide(context.upstreams, context.policy, viewer, task_id, verdict, comment, publish_at)
    record = done.approval.draft
    if record and record.camunda_process_id == done.approval.process_id:
        context.loaders.drafts.know({record.id: record})
        # Whoever decided on the draft is involved in its process: the engine need not be asked for that.
        context.loaders.involved.know({Submitted(record.id, record.camunda_process_id): True})
    if done.published:
        context.loaders.plans.know({done.published.id: done.published})
    return CompleteApprovalPayload(
        task_id=done.task_id,
        draft_id=record.id if record else None,
        plan_id=done.approval.plan_id,
        status=ApprovalState[done.approval.progress.state.name],
        reason=done.reason,
        notice=done.notice,
    )


def _by_path(choices: list[ConflictChoice]) -> dict[str, Side]:
    """The choices by path. Raises Refused (INVALID) when one field is decided twice."""
    by_path = {choice.path: Side[choice.take.name] for choice in choices}
    if len(by_path) < len(choices):
        raise Refused(UserErrorCode.INVALID, "choices must have each path at most once.", field="choices")
    return by_path


def _undecided(count: int) -> Refused:
    what = "1 field was" if count == 1 else f"{count} fields were"
    message = f"{what} changed both here and in the store; choose for each whose value to take."
    return Refused(UserErrorCode.VERSION_CONFLICT, message, field="choices")


Mutation = create_type(
    "Mutation",
    [
        submit_for_approval,
        submit_drafts,
        complete_approval,
        complete_approvals,
        request_changes,
        claim_task,
        claim_tasks,
        unclaim_task,
        reassign_task,
        update_task,
        add_comment,
        withdraw_submission,
        retry_publication,
        reschedule_publication,
        rebase_draft,
        create_draft_from_plan,
    ],
    description="All mutations. Each answers with the current state, or with `userErrors`.",
)
