"""Take a draft back out of approval: during review, and once its publication has given up."""

import asyncio
import uuid
from collections.abc import Sequence
from contextlib import suppress

from api.coordination.draft_process import linked_process, names_another
from api.coordination.process.external_tasks import settle
from api.coordination.process.publish import published_version
from api.coordination.process.reconcile import released
from api.coordination.rules.permissions import demand_running, demand_submitter
from api.coordination.rules.visibility import readable_draft
from api.deadline import seconds_left
from api.errors import Busy, Gone, Refused, Unreachable, UserErrorCode
from api.identity import Viewer
from api.settings import Settings
from api.upstreams import Upstreams
from api.upstreams.camunda.confirmed_history import known_variables
from api.upstreams.camunda.records import PUBLICATION, PUBLICATION_WITHDRAWN, ExternalTask, LockedTask, Scalar, text
from plandiff.plan_document import plan_id_for

PAUSE = 0.2  # seconds between two tries to lock a publication


async def withdraw(upstreams: Upstreams, settings: Settings, viewer: Viewer, draft_id: str) -> None:
    """Withdraw a submission while it is under review, or after its publication gave up. Steps:

    1. Read the draft and who submitted it; refuse others. Nothing is written, but on a draft whose process is gone.
    2. Send the process the message. It waits for it during review only, so a decision made first wins. Crash after:
       the record of it waits in the engine, the worker does it.
    3. Where nobody waits for the message and publication gave up: lock the publication, so that nobody tries it
       again meanwhile, make sure that the store has nothing of this process, and let the process leave by a BPMN
       error. Crash before the error: the lock ends by itself. Crash after: as in step 2.
    4. Carry out the record. A model that does not catch the error ends without one; its outcome is noted here, or by
       the worker's sweep. Crash after: the draft is `withdrawn`, and a repeat says so.

    Deleting the instance instead would race with completion, and both could succeed. Raises Refused, or UpstreamFailed.
    """
    draft = await readable_draft(upstreams, viewer, draft_id)
    process_id, linked = draft.camunda_process_id or "", await linked_process(upstreams, draft)
    demand_submitter(viewer, draft, text(linked.variables.get("submittedBy")))
    if linked.is_foreign:
        raise names_another()
    if draft.is_submitted:
        draft = await released(upstreams, settings, draft, linked)
    elif draft.status == "withdrawn":
        await settle(upstreams, settings, draft.id, process_id)
    if draft.status == "withdrawn":
        return
    if not draft.is_submitted:
        raise Refused(UserErrorCode.NOT_SUBMITTED, "This draft is not in approval.", field="draftId")
    await _leave(upstreams, settings, viewer, draft.id, process_id)
    await settle(upstreams, settings, draft.id, process_id)
    await _demand_noted(upstreams, settings, draft.id, process_id)


async def _leave(upstreams: Upstreams, settings: Settings, viewer: Viewer, draft_id: str, process_id: str) -> None:
    """The message; where nobody waits for it, what is left of the registration, and then the way that is open."""
    try:
        await upstreams.camunda.withdraw(process_id, _withdrawn_by(viewer))
    except Gone:
        await settle(upstreams, settings, draft_id, process_id)
        if _stopped(await _waiting(upstreams, process_id)) is None:
            await _send_again(upstreams, viewer, draft_id, process_id)
        else:
            await _leave_publication(upstreams, settings, viewer, draft_id, process_id)


async def _send_again(upstreams: Upstreams, viewer: Viewer, draft_id: str, process_id: str) -> None:
    try:
        await upstreams.camunda.withdraw(process_id, _withdrawn_by(viewer))
    except Gone:
        await _demand_withdrawn(upstreams, draft_id, process_id)


async def _leave_publication(
    upstreams: Upstreams, settings: Settings, viewer: Viewer, draft_id: str, process_id: str
) -> None:
    """Step 3. The engine takes the error from the last one who locked the task alone: who has it, since the store was
    asked, is us. Raises Refused, Busy, UpstreamFailed.
    """
    locked = await _locked_publication(upstreams, settings, process_id)
    if locked is None:
        await _demand_withdrawn(upstreams, draft_id, process_id)
        return
    try:
        await _demand_unpublished(upstreams, settings, draft_id, process_id)
        written = {**_withdrawn_by(viewer), "approvalOutcome": "withdrawn"}
        message = "Withdrawn after publication gave up"
        await upstreams.camunda.raise_bpmn_error(locked, PUBLICATION_WITHDRAWN, message, written)
    except Gone:
        await _unlock(upstreams, locked)
        await _demand_withdrawn(upstreams, draft_id, process_id)
    except BaseException:
        await _unlock(upstreams, locked)
        raise


async def _locked_publication(upstreams: Upstreams, settings: Settings, process_id: str) -> LockedTask | None:
    """The publication that gave up, now ours; None when it goes on after all, or is over.

    That it gave up is read again under the lock: a publication put back in the meantime may be under way with a lock
    that has ended. Raises Busy when another holds it for longer than a mutation waits.
    """
    worker_id, now = f"withdrawal-{uuid.uuid4().hex}", asyncio.get_running_loop().time
    until = now() + seconds_left(settings.settle_seconds)
    while (stopped := _stopped(await _waiting(upstreams, process_id))) is not None:
        try:
            locked = await upstreams.camunda.lock(stopped, worker_id, lock_seconds=settings.lock_seconds)
        except Gone:
            if now() >= until:
                message = "Publication gave up only a moment ago, and what it wrote may still arrive; try again soon"
                raise Busy("aidbox", message) from None
            await asyncio.sleep(PAUSE)
            continue
        if _stopped(await _waiting(upstreams, process_id)) is not None:
            return locked
        await _unlock(upstreams, locked)
    return None


async def _demand_unpublished(upstreams: Upstreams, settings: Settings, draft_id: str, process_id: str) -> None:
    """Whether the store has nothing that this process wrote, or less than it wrote, which is no publication.

    Raises Refused (ALREADY_DECIDED), UpstreamFailed.
    """
    asked = ["aidboxPlanId", "baseVersion", "draftRevision"]
    values = (await known_variables(upstreams.camunda, [process_id], asked)).get(process_id, {})
    plan_id = text(values.get("aidboxPlanId")) or plan_id_for(draft_id)
    published = await published_version(upstreams, settings, draft_id, process_id, values, plan_id)
    if published is not None:
        message = (
            f"The plan is published already, as version {published.version_id}, though the draft does not say so yet; "
            "an administrator finishes it with retryPublication."
        )
        raise Refused(UserErrorCode.ALREADY_DECIDED, message, field="draftId")


async def _demand_withdrawn(upstreams: Upstreams, draft_id: str, process_id: str) -> None:
    """Fine, if the process was withdrawn: by another request, or by one of ours whose answer was lost.

    Raises Refused (SUSPENDED, ALREADY_DECIDED), with the way that is open.
    """
    draft, waiting, tasks, values = await asyncio.gather(
        upstreams.retool.draft(draft_id),
        _waiting(upstreams, process_id),
        upstreams.camunda.open_tasks_by_process([process_id]),
        upstreams.camunda.variables_by_process([process_id], ["withdrawnBy"]),
    )
    is_withdrawn = values.get(process_id, {}).get("withdrawnBy") is not None
    if not is_withdrawn and not (draft and draft.status == "withdrawn"):
        for task in tasks.get(process_id, []):
            demand_running(task, field="draftId")
        raise Refused(UserErrorCode.ALREADY_DECIDED, _why_not(waiting), field="draftId")


def _why_not(waiting: Sequence[ExternalTask]) -> str:
    if any(task.topic_name == PUBLICATION for task in waiting):
        return "The plan is approved and being published; it can be withdrawn if publication gives up."
    if any(task.has_given_up for task in waiting):
        return (
            "The review is over, but its outcome could not be noted on the draft; an administrator tries that again "
            "with retryPublication."
        )
    return "The review is over, so the draft can not be withdrawn any more."


async def _demand_noted(upstreams: Upstreams, settings: Settings, draft_id: str, process_id: str) -> None:
    """Whether the draft no longer waits for the process. Raises Unreachable while it does."""
    draft = await upstreams.retool.draft(draft_id)
    if draft is not None and draft.is_submitted and draft.camunda_process_id == process_id:
        draft = await released(upstreams, settings, draft)
    if draft is not None and draft.is_submitted and draft.camunda_process_id == process_id:
        message = "The submission is withdrawn, and that is noted on the draft as soon as it can be done"
        raise Unreachable("retool", message)


def _withdrawn_by(viewer: Viewer) -> dict[str, Scalar]:
    return {"withdrawnBy": viewer.id, "withdrawalActedBy": viewer.acted_by}


async def _waiting(upstreams: Upstreams, process_id: str) -> list[ExternalTask]:
    return (await upstreams.camunda.external_tasks_by_process([process_id])).get(process_id, [])


def _stopped(waiting: Sequence[ExternalTask]) -> ExternalTask | None:
    """The publication that gave up, if there is one."""
    return next((task for task in waiting if task.topic_name == PUBLICATION and task.has_given_up), None)


async def _unlock(upstreams: Upstreams, locked: LockedTask) -> None:
    with suppress(Gone):
        await upstreams.camunda.unlock(locked)
