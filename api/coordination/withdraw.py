"""Take a draft back out of approval. Called by the mutation withdrawSubmission."""

from api.coordination.external_tasks import settle
from api.coordination.permissions import demand_submitter
from api.coordination.reconcile import released
from api.coordination.seeing import readable_draft
from api.errors import Gone, Refused, UserErrorCode
from api.identity import Viewer
from api.settings import Settings
from api.upstreams import Upstreams
from api.upstreams.drafts import Draft
from api.upstreams.engine import text


async def withdraw(upstreams: Upstreams, settings: Settings, viewer: Viewer, draft_id: str) -> None:
    """Withdraw a submission while it is under review. Steps:

    1. Read the draft and who submitted it; refuse others. Nothing is written, but on a draft whose process is gone.
    2. Send the process the message. It waits for it during review only, so a decision made first wins. Crash after:
       the record of it waits in the engine, the worker does it.
    3. Carry out that record. Crash after: the draft is `withdrawn`, and a repeat tells the process so.

    Deleting the instance instead would race with completion, and both could succeed. Raises Refused, or UpstreamFailed.
    """
    draft = await readable_draft(upstreams, viewer, draft_id)
    process_id = draft.camunda_process_id or ""
    found = await upstreams.camunda.variables_by_process([process_id], ["submittedBy"])
    submitted_by = text(found.get(process_id, {}).get("submittedBy"))
    demand_submitter(viewer, draft, submitted_by)
    if draft.is_submitted:
        draft = await released(upstreams, settings, draft)
    elif draft.status == "withdrawn":
        await settle(upstreams, settings, draft.id, process_id)
    if draft.status == "withdrawn":
        return
    if not draft.is_submitted:
        raise Refused(UserErrorCode.NOT_SUBMITTED, "This draft is not in approval.", field="draftId")
    await _send(upstreams, settings, viewer, draft, process_id)


async def _send(upstreams: Upstreams, settings: Settings, viewer: Viewer, draft: Draft, process_id: str) -> None:
    """The message, and once more after what is left of the registration: before that nobody waits for it."""
    try:
        await upstreams.camunda.withdraw(process_id, viewer.id)
    except Gone:
        await settle(upstreams, settings, draft.id, process_id)
        await _send_again(upstreams, viewer, draft, process_id)
    await settle(upstreams, settings, draft.id, process_id)


async def _send_again(upstreams: Upstreams, viewer: Viewer, draft: Draft, process_id: str) -> None:
    try:
        await upstreams.camunda.withdraw(process_id, viewer.id)
    except Gone as refusal:
        now = await upstreams.retool.draft(draft.id)
        if not (now and now.status == "withdrawn"):
            message = "The review is over, so the draft can not be withdrawn any more."
            raise Refused(UserErrorCode.ALREADY_DECIDED, message, field="draftId") from refusal
