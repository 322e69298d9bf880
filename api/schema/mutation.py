"""The root type Mutation: each field is one verb of `coordination`, its refusals turned into `userErrors`.

Loaders are made anew after each write, so that a payload and the next mutation read what is now.
"""

from typing import Annotated

import strawberry

from api.coordination import claim as claiming
from api.coordination.create_draft import create_draft_from_plan
from api.coordination.decide import Verdict, decide
from api.coordination.rebase import Choices, rebase
from api.coordination.retry_publication import retry_publication
from api.coordination.rules.permissions import acting_viewer
from api.coordination.submit import submit
from api.coordination.withdraw import withdraw
from api.errors import Refused, UserErrorCode
from api.schema.approval_status import ApprovalState
from api.schema.arguments import or_refused
from api.schema.info import Info
from api.schema.inputs import (
    ClaimTaskInput,
    CompleteApprovalInput,
    ConflictChoice,
    CreateDraftFromPlanInput,
    ReassignTaskInput,
    RebaseDraftInput,
    RequestChangesInput,
    RetryPublicationInput,
    SubmitForApprovalInput,
    UnclaimTaskInput,
    WithdrawSubmissionInput,
)
from api.schema.payloads import (
    CompleteApprovalPayload,
    DraftPayload,
    RebaseDraftPayload,
    SubmitForApprovalPayload,
    TaskPayload,
)
from api.schema.user_error import UserError, user_error
from api.upstreams.camunda.involvement import Submitted
from plandiff.merge import Side

INPUT = strawberry.argument(description="What to do, and to what.")


@strawberry.type(description="Everything that can be done. Each answers with what now is, or with `userErrors`.")
class Mutation:
    """One field a verb."""

    @strawberry.mutation(
        description="Send a draft into approval. Repeating it answers with the approval already running."
    )
    async def submit_for_approval(
        self,
        info: Info,
        input: Annotated[SubmitForApprovalInput, INPUT],  # noqa: A002  # the schema's word
    ) -> SubmitForApprovalPayload | None:
        """See coordination/submit.py."""
        return await or_refused(info, input, _submit(info, input), _submission_refused)

    @strawberry.mutation(description="Decide a task. The last approval publishes the plan before it answers.")
    async def complete_approval(
        self,
        info: Info,
        input: Annotated[CompleteApprovalInput, INPUT],  # noqa: A002  # the schema's word
    ) -> CompleteApprovalPayload | None:
        """See coordination/decide.py."""
        verdict = Verdict.APPROVED if input.approved else Verdict.REJECTED
        return await or_refused(
            info, input, _decide(info, input.task_id, verdict, input.comment, input.user_id), _decision_refused
        )

    @strawberry.mutation(description="Send the draft back to its author with what to change.")
    async def request_changes(
        self,
        info: Info,
        input: Annotated[RequestChangesInput, INPUT],  # noqa: A002  # the schema's word
    ) -> CompleteApprovalPayload | None:
        """See coordination/decide.py."""
        return await or_refused(info, input, _request_changes(info, input), _decision_refused)

    @strawberry.mutation(description="Take a group's task.")
    async def claim_task(
        self,
        info: Info,
        input: Annotated[ClaimTaskInput, INPUT],  # noqa: A002  # the schema's word
    ) -> TaskPayload | None:
        """See coordination/claim.py."""
        return await or_refused(info, input, _claim(info, input), _task_refused)

    @strawberry.mutation(description="Give a claimed task back to its group.")
    async def unclaim_task(
        self,
        info: Info,
        input: Annotated[UnclaimTaskInput, INPUT],  # noqa: A002  # the schema's word
    ) -> TaskPayload | None:
        """See coordination/claim.py."""
        return await or_refused(info, input, _unclaim(info, input), _task_refused)

    @strawberry.mutation(description="Hand a task to somebody else.")
    async def reassign_task(
        self,
        info: Info,
        input: Annotated[ReassignTaskInput, INPUT],  # noqa: A002  # the schema's word
    ) -> TaskPayload | None:
        """See coordination/claim.py."""
        return await or_refused(info, input, _reassign(info, input), _task_refused)

    @strawberry.mutation(
        description="Take a draft back out of approval: during review, or once its publication has given up."
    )
    async def withdraw_submission(
        self,
        info: Info,
        input: Annotated[WithdrawSubmissionInput, INPUT],  # noqa: A002  # the schema's word
    ) -> DraftPayload | None:
        """See coordination/withdraw.py."""
        return await or_refused(info, input, _withdraw(info, input), _draft_refused)

    @strawberry.mutation(description="Try a publication again that gave up (an incident in the engine).")
    async def retry_publication(
        self,
        info: Info,
        input: Annotated[RetryPublicationInput, INPUT],  # noqa: A002  # the schema's word
    ) -> DraftPayload | None:
        """See coordination/retry.py."""
        return await or_refused(info, input, _retry(info, input), _draft_refused)

    @strawberry.mutation(
        description="After a version conflict: move the draft onto the current plan version, field by field."
    )
    async def rebase_draft(
        self,
        info: Info,
        input: Annotated[RebaseDraftInput, INPUT],  # noqa: A002  # the schema's word
    ) -> RebaseDraftPayload | None:
        """See coordination/rebase.py."""
        return await or_refused(info, input, _rebase(info, input), _rebase_refused)

    @strawberry.mutation(description="Start a new draft from any version of a plan: to edit it, or to restore it.")
    async def create_draft_from_plan(
        self,
        info: Info,
        input: Annotated[CreateDraftFromPlanInput, INPUT],  # noqa: A002  # the schema's word
    ) -> DraftPayload | None:
        """See coordination/draft_from_plan.py."""
        return await or_refused(info, input, _create_draft(info, input), _draft_refused)


async def _submit(info: Info, asked: SubmitForApprovalInput) -> SubmitForApprovalPayload:
    context = info.context
    viewer = acting_viewer(context.viewer, asked.user_id)
    done = await submit(
        context.upstreams, context.settings, viewer, asked.draft_id, revision=asked.revision, comment=asked.comment
    )
    context.renew_loaders(viewer)
    return SubmitForApprovalPayload(draft_id=done.draft_id, process_id=strawberry.ID(done.process_id))


async def _decide(
    info: Info, task_id: str, verdict: Verdict, comment: str | None, user_id: str | None
) -> CompleteApprovalPayload:
    context = info.context
    viewer = acting_viewer(context.viewer, user_id)
    done = await decide(context.upstreams, context.settings, viewer, task_id, verdict, comment)
    context.renew_loaders(viewer)
    record = done.approval.draft
    if record and record.camunda_process_id == done.approval.process_id:  # whoever decided on it has to do with it
        context.loaders.involved.know({Submitted(record.id, record.camunda_process_id): True})
    return CompleteApprovalPayload(
        task_id=done.task_id,
        draft_id=done.approval.draft.id if done.approval.draft else None,
        plan_id=done.approval.plan_id,
        status=ApprovalState[done.approval.standing.state.name],
        reason=done.reason,
    )


async def _request_changes(info: Info, asked: RequestChangesInput) -> CompleteApprovalPayload:
    if not asked.comment.strip():
        raise Refused(UserErrorCode.INVALID, "Say what is to be changed.", field="comment")
    return await _decide(info, asked.task_id, Verdict.RETURNED, asked.comment, asked.user_id)


async def _claim(info: Info, asked: ClaimTaskInput) -> TaskPayload:
    context = info.context
    viewer = acting_viewer(context.viewer, asked.user_id)
    await claiming.claim(context.upstreams, context.settings, viewer, asked.task_id)
    context.renew_loaders(viewer)
    return TaskPayload(task_id=asked.task_id)


async def _unclaim(info: Info, asked: UnclaimTaskInput) -> TaskPayload:
    context = info.context
    await claiming.unclaim(context.upstreams, context.viewer, asked.task_id)
    context.renew_loaders()
    return TaskPayload(task_id=asked.task_id)


async def _reassign(info: Info, asked: ReassignTaskInput) -> TaskPayload:
    context = info.context
    await claiming.reassign(context.upstreams, context.settings, context.viewer, asked.task_id, asked.user_id)
    context.renew_loaders()
    return TaskPayload(task_id=asked.task_id)


async def _withdraw(info: Info, asked: WithdrawSubmissionInput) -> DraftPayload:
    context = info.context
    viewer = acting_viewer(context.viewer, asked.user_id)
    await withdraw(context.upstreams, context.settings, viewer, asked.draft_id)
    context.renew_loaders(viewer)
    return DraftPayload(draft_id=asked.draft_id)


async def _retry(info: Info, asked: RetryPublicationInput) -> DraftPayload:
    context = info.context
    await retry_publication(context.upstreams, context.settings, context.viewer, asked.draft_id)
    context.renew_loaders()
    return DraftPayload(draft_id=asked.draft_id)


async def _rebase(info: Info, asked: RebaseDraftInput) -> RebaseDraftPayload:
    context = info.context
    viewer = acting_viewer(context.viewer, asked.user_id)
    otherwise = Side[asked.otherwise.name] if asked.otherwise else None
    choices = Choices(_by_path(asked.choices), otherwise)
    done = await rebase(
        context.upstreams,
        context.settings,
        viewer,
        asked.draft_id,
        asked.revision,
        choices,
        version_id=asked.version_id,
    )
    context.renew_loaders(viewer)
    errors = [user_error(_undecided(done.count))] if done.conflicts else []
    return RebaseDraftPayload(draft_id=done.draft_id, left=done.conflicts, user_errors=errors)


def _by_path(choices: list[ConflictChoice]) -> dict[str, Side]:
    """The choices by path. Raises Refused (INVALID) when one field is decided twice."""
    by_path = {choice.path: Side[choice.take.name] for choice in choices}
    if len(by_path) < len(choices):
        raise Refused(UserErrorCode.INVALID, "Each path may be chosen for once.", field="choices")
    return by_path


def _undecided(count: int) -> Refused:
    what = "1 field was" if count == 1 else f"{count} fields were"
    message = f"{what} changed both here and in the store; choose for each whose value it is to have."
    return Refused(UserErrorCode.VERSION_CONFLICT, message, field="choices")


async def _create_draft(info: Info, asked: CreateDraftFromPlanInput) -> DraftPayload:
    context = info.context
    viewer = acting_viewer(context.viewer, asked.user_id)
    draft_id = await create_draft_from_plan(
        context.upstreams,
        viewer,
        asked.plan_id,
        version_id=asked.version_id,
        name=asked.name,
        draft_id=asked.id,
        most_open=context.settings.max_open_drafts,
    )
    context.renew_loaders(viewer)
    return DraftPayload(draft_id=draft_id)


def _submission_refused(refusal: Refused, errors: list[UserError]) -> SubmitForApprovalPayload:
    process_id = strawberry.ID(refusal.process_id) if refusal.process_id else None
    return SubmitForApprovalPayload(process_id=process_id, user_errors=errors)


def _decision_refused(_refusal: Refused, errors: list[UserError]) -> CompleteApprovalPayload:
    return CompleteApprovalPayload(user_errors=errors)


def _task_refused(_refusal: Refused, errors: list[UserError]) -> TaskPayload:
    return TaskPayload(user_errors=errors)


def _rebase_refused(_refusal: Refused, errors: list[UserError]) -> RebaseDraftPayload:
    return RebaseDraftPayload(user_errors=errors)


def _draft_refused(_refusal: Refused, errors: list[UserError]) -> DraftPayload:
    return DraftPayload(user_errors=errors)
