"""The verb that moves the publication of a scheduled plan, or publishes it now."""

import uuid
from datetime import UTC, datetime

import msgspec

from api.coordination.approval_snapshot import Approval, approval_of
from api.coordination.draft_process import linked_process, names_another
from api.coordination.policy import Policy
from api.coordination.process.external_tasks import settle
from api.coordination.process.reconcile import settled_draft
from api.coordination.publication_time import checked_publish_at, is_ahead
from api.coordination.rules.approval_state import State
from api.coordination.rules.permissions import demand_scheduler
from api.coordination.rules.visibility import readable_draft
from api.errors import Gone, Refused, TimedOut, Unreachable, UpstreamFailed, UserErrorCode
from api.upstreams import Upstreams
from api.upstreams.camunda.process_variables import MOVE_PREFIX, Move, Scalar, written
from authentication.identity import Viewer

BEING_PUBLISHED = "The plan is being published already, so that can no longer be moved."
WHY_NOT = {
    State.IN_REVIEW: "The plan is not approved yet; its approver sets publishAt with the decision.",
    State.SCHEDULED: "The process model of this submission cannot move its publication; see docs/process.md.",
    State.PUBLISHING: BEING_PUBLISHED,
    State.PUBLISH_FAILED: "Its publication was due and has failed; an administrator can retry it by retryPublication.",
    State.APPROVED: "The plan is published already; a new draft of it can change it.",
}


async def reschedule(
    upstreams: Upstreams, policy: Policy, viewer: Viewer, draft_id: str, publish_at: datetime | None
) -> None:
    """Move a publication that waits for its time; None, or an instant that is past, publishes now. Steps:

    1. Read the draft and its process; refuse all but who approved it and administrators. Nothing is written, except on
       a draft whose process is gone.
    2. Send the message with the new time, and a record of the move. In one transaction the engine changes the variables
       and its timer, and lets either this, or the timer, or a withdrawal happen. Crash after: it is moved, and a repeat
       moves it to the same.
    3. Carry out the publication if it is due. Crash after: it waits in the engine for the worker.

    Draft and plan are compared with what was approved when it is published. Raises Refused, UpstreamFailed.
    """
    publish_at = checked_publish_at(publish_at)
    draft = await readable_draft(upstreams, viewer, draft_id)
    process_id, linked = draft.camunda_process_id or "", await linked_process(upstreams, draft)
    values = linked.variables
    demand_scheduler(viewer, values.approved_by, values.submitters, allow_own=policy.allow_own_approval)
    if linked.is_foreign:
        raise names_another()
    draft = await settled_draft(upstreams, policy, draft, linked)
    if draft.is_submitted:
        move = Move(viewer.id, datetime.now(UTC), publish_at, values.publish_at, viewer.acted_by)
        await _move(upstreams, policy, draft.id, process_id, move)
    elif draft.status != "approved":
        raise Refused(UserErrorCode.NOT_SUBMITTED, "This draft is not in approval.", field="draftId")
    elif is_ahead(publish_at):
        raise _not_scheduled(State.APPROVED)
    else:
        await settle(upstreams, policy, draft.id, process_id)


async def _move(upstreams: Upstreams, policy: Policy, draft_id: str, process_id: str, move: Move) -> None:
    """Steps 2 and 3. After a failure, and where the time is that already, the state says what became of it.

    Raises Refused (NOT_SCHEDULED) where the process did not wait, and is not where it was to be.
    """
    publish_at = move.publish_at
    is_so = publish_at is not None and publish_at == move.publish_at_before
    failure: UpstreamFailed | None = None
    try:
        if not is_so:
            await upstreams.camunda.reschedule(process_id, _as_variables(move))
    except (Gone, TimedOut, Unreachable) as failed:
        failure = failed
    await settle(upstreams, policy, draft_id, process_id)
    if failure is None and not is_so:
        return
    approval = await approval_of(upstreams, draft_id, process_id)
    if _is_as_asked(approval, publish_at):
        return
    if failure is not None and not isinstance(failure, Gone):
        raise failure
    raise _not_scheduled(approval.progress.state)


def _as_variables(move: Move) -> dict[str, Scalar]:
    last = written(publish_at=move.publish_at, rescheduled_by=move.by, reschedule_acted_by=move.acted_by)
    return last | {f"{MOVE_PREFIX}{uuid.uuid4().hex}": msgspec.json.encode(move).decode()}


def _is_as_asked(approval: Approval, publish_at: datetime | None) -> bool:
    """Whether it waits until then, or is published because it was due."""
    if approval.progress.state is State.SCHEDULED:
        return publish_at is not None and approval.publish_at == publish_at
    return approval.progress.state is State.APPROVED and not is_ahead(publish_at)


def _not_scheduled(state: State) -> Refused:
    message = WHY_NOT.get(state, "The approval is over, and the plan is not to be published.")
    return Refused(UserErrorCode.NOT_SCHEDULED, message, field="draftId")
