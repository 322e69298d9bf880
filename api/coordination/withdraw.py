"""The verb that withdraws a draft from approval: during review, while scheduled, or once publication has failed."""

import asyncio
import uuid
from collections.abc import Sequence
from contextlib import suppress

from api.coordination.draft_process import linked_process, names_another
from api.coordination.policy import Policy
from api.coordination.process.external_tasks import settle, waiting_tasks
from api.coordination.process.publish import published_version
from api.coordination.process.reconcile import settled_draft
from api.coordination.rules.permissions import demand_running, demand_submitter
from api.coordination.rules.visibility import readable_draft
from api.errors import Busy, Gone, Refused, Unreachable, UserErrorCode
from api.upstreams import Upstreams
from api.upstreams.camunda.confirmed_history import known_variables
from api.upstreams.camunda.process_variables import NO_VARIABLES, Outcome, Scalar, names, written
from api.upstreams.camunda.records import PUBLICATION, PUBLICATION_WITHDRAWN, ExternalTask, LockedTask
from authentication.identity import Viewer
from plandiff.plan_document import plan_id_for
from resilience.deadline import seconds_left

PUBLISHED_VARIABLES = names("aidbox_plan_id", "base_version", "draft_revision")
PAUSE = 0.2  # seconds between two tries to lock a publication


async def withdraw(upstreams: Upstreams, policy: Policy, viewer: Viewer, draft_id: str) -> None:
    """Withdraw a submission during review, while it is scheduled, or after its publication failed for good. Steps:

    1. Read the draft and its submitter; refuse others. Nothing is written, except on a draft whose process is gone.
    2. Correlate the withdrawal message. The process waits for it during review and until its publication is due, so a
       decision made first wins, and so does the timer.
       Crash after: the record of the outcome waits in the engine for the worker.
    3. If the process does not wait for the message because its publication failed: lock that external task against a
       retry, make sure that the store has nothing of this process, and raise the BPMN error of a withdrawal.
       Crash before the error: the lock expires. Crash after: as in step 2.
    4. Record the outcome. A model that does not catch the error ends without recording it; then the outcome is
       recorded here, or by the worker's sweep. Crash after: the draft is `withdrawn`, and a repeat answers so.

    Deleting the instance instead would race with completion, and both could succeed. Raises Refused, UpstreamFailed.
    """
    draft = await readable_draft(upstreams, viewer, draft_id)
    process_id, linked = draft.camunda_process_id or "", await linked_process(upstreams, draft)
    demand_submitter(viewer, draft, linked.variables.submitted_by)
    if linked.is_foreign:
        raise names_another()
    if draft.is_submitted:
        draft = await settled_draft(upstreams, policy, draft, linked)
    elif draft.status == "withdrawn":
        await settle(upstreams, policy, draft.id, process_id)
    if draft.status == "withdrawn":
        return
    if not draft.is_submitted:
        raise Refused(UserErrorCode.NOT_SUBMITTED, "This draft is not in approval.", field="draftId")
    await _withdraw_running(upstreams, policy, viewer, draft.id, process_id)
    await settle(upstreams, policy, draft.id, process_id)
    await _demand_noted(upstreams, policy, draft.id, process_id)


async def _withdraw_running(
    upstreams: Upstreams, policy: Policy, viewer: Viewer, draft_id: str, process_id: str
) -> None:
    """Send the message. If the process does not wait for it: finish its registration, then go by its state."""
    try:
        await upstreams.camunda.withdraw(process_id, _withdrawn_by(viewer))
    except Gone:
        await settle(upstreams, policy, draft_id, process_id)
        if _failed_publication(await waiting_tasks(upstreams, process_id)) is None:
            await _send_again(upstreams, viewer, draft_id, process_id)
        else:
            await _withdraw_publication(upstreams, policy, viewer, draft_id, process_id)


async def _send_again(upstreams: Upstreams, viewer: Viewer, draft_id: str, process_id: str) -> None:
    try:
        await upstreams.camunda.withdraw(process_id, _withdrawn_by(viewer))
    except Gone:
        await _demand_withdrawn(upstreams, draft_id, process_id)


async def _withdraw_publication(
    upstreams: Upstreams, policy: Policy, viewer: Viewer, draft_id: str, process_id: str
) -> None:
    """Step 3. The engine accepts the error from the last holder of the lock alone, so nobody can have published
    between the look into the store and the error. Raises Refused, Busy, UpstreamFailed.
    """
    locked = await _locked_publication(upstreams, policy, process_id)
    if locked is None:
        await _demand_withdrawn(upstreams, draft_id, process_id)
        return
    try:
        await _demand_unpublished(upstreams, policy, draft_id, process_id)
        variables = _withdrawn_by(viewer) | written(approval_outcome=Outcome.WITHDRAWN.value)
        message = "Withdrawn after publication gave up"
        await upstreams.camunda.raise_bpmn_error(locked, PUBLICATION_WITHDRAWN, message, variables)
    except Gone:
        await _unlock(upstreams, locked)
        await _demand_withdrawn(upstreams, draft_id, process_id)
    except BaseException:
        await _unlock(upstreams, locked)
        raise


async def _locked_publication(upstreams: Upstreams, policy: Policy, process_id: str) -> LockedTask | None:
    """The failed publication, locked by this request; None when it is being retried after all, or is over.

    Its failure is read again under the lock: after a retry in the meantime it may be under way with an expired lock.
    Raises Busy when another worker holds the lock for longer than a mutation waits.
    """
    worker_id, now = f"withdrawal-{uuid.uuid4().hex}", asyncio.get_running_loop().time
    until = now() + seconds_left(policy.settle_seconds)
    while (failed := _failed_publication(await waiting_tasks(upstreams, process_id))) is not None:
        try:
            locked = await upstreams.camunda.lock(failed, worker_id, lock_seconds=policy.lock_seconds)
        except Gone:
            if now() >= until:
                message = (
                    "Publication failed a moment ago, and its last write may still arrive; try again in a few seconds"
                )
                raise Busy("aidbox", message) from None
            await asyncio.sleep(PAUSE)
            continue
        if _failed_publication(await waiting_tasks(upstreams, process_id)) is not None:
            return locked
        await _unlock(upstreams, locked)
    return None


async def _demand_unpublished(upstreams: Upstreams, policy: Policy, draft_id: str, process_id: str) -> None:
    """Refuse a withdrawal of what the store has in full already; a part of what was written is no publication.

    Raises Refused (ALREADY_DECIDED), UpstreamFailed.
    """
    found = await known_variables(upstreams.camunda, [process_id], PUBLISHED_VARIABLES)
    values = found.get(process_id, NO_VARIABLES)
    plan_id = values.aidbox_plan_id or plan_id_for(draft_id)
    published = await published_version(upstreams, policy, draft_id, process_id, values, plan_id)
    if published is not None:
        message = (
            f"The plan is published already, as version {published.version_id}, though the draft does not say so yet; "
            "an administrator can finish it with retryPublication."
        )
        raise Refused(UserErrorCode.ALREADY_DECIDED, message, field="draftId")


async def _demand_withdrawn(upstreams: Upstreams, draft_id: str, process_id: str) -> None:
    """Accept a process that is withdrawn already: by another request, or by one whose answer was lost.

    Raises Refused (SUSPENDED, ALREADY_DECIDED), which says what can be done instead.
    """
    draft, waiting, tasks, values = await asyncio.gather(
        upstreams.retool.draft(draft_id),
        waiting_tasks(upstreams, process_id),
        upstreams.camunda.open_tasks_by_process([process_id]),
        upstreams.camunda.variables_by_process([process_id], names("withdrawn_by")),
    )
    is_withdrawn = values.get(process_id, NO_VARIABLES).withdrawn_by is not None
    if not is_withdrawn and not (draft and draft.status == "withdrawn"):
        for task in tasks.get(process_id, []):
            demand_running(task, field="draftId")
        raise Refused(UserErrorCode.ALREADY_DECIDED, _why_not(waiting), field="draftId")


def _why_not(waiting: Sequence[ExternalTask]) -> str:
    if any(task.topic_name == PUBLICATION for task in waiting):
        return "The plan is approved and being published; it can be withdrawn if publication gives up."
    if any(task.has_given_up for task in waiting):
        return (
            "The review is over, but its outcome could not be recorded on the draft; an administrator retries that "
            "with retryPublication."
        )
    return "The review is over, so the draft can no longer be withdrawn."


async def _demand_noted(upstreams: Upstreams, policy: Policy, draft_id: str, process_id: str) -> None:
    """Make sure that the draft no longer waits for the process. Raises Unreachable while it does."""
    draft = await upstreams.retool.draft(draft_id)
    if draft is not None and draft.is_submitted and draft.camunda_process_id == process_id:
        draft = await settled_draft(upstreams, policy, draft)
    if draft is not None and draft.is_submitted and draft.camunda_process_id == process_id:
        message = "The submission is withdrawn; that is not recorded on the draft yet, ask for the draft in a moment"
        raise Unreachable("retool", message)


def _withdrawn_by(viewer: Viewer) -> dict[str, Scalar]:
    return written(withdrawn_by=viewer.id, withdrawal_acted_by=viewer.acted_by)


def _failed_publication(waiting: Sequence[ExternalTask]) -> ExternalTask | None:
    """The publication that has failed for good, if there is one."""
    return next((task for task in waiting if task.topic_name == PUBLICATION and task.has_given_up), None)


async def _unlock(upstreams: Upstreams, locked: LockedTask) -> None:
    with suppress(Gone):
        await upstreams.camunda.unlock(locked)
