"""The verb that retries a publication which has failed for good (an incident in the engine)."""

from contextlib import suppress

from api.coordination.draft_process import linked_process
from api.coordination.policy import Policy
from api.coordination.process.external_tasks import settle, waiting_tasks
from api.coordination.process.publish import as_new
from api.coordination.rules.permissions import demand_admin
from api.coordination.rules.visibility import readable_draft
from api.errors import Gone, Refused, UserErrorCode
from api.upstreams import Upstreams
from authentication.identity import Viewer


async def retry_publication(upstreams: Upstreams, policy: Policy, viewer: Viewer, draft_id: str) -> None:
    """Reset the retries of a draft's failed external task and carry it out at once, also one in backoff.

    Idempotent: nothing happens once the publication is done. Crash after the retries are reset: the worker carries
    it out, with the backoff of a new task. Raises Refused, UpstreamFailed.
    """
    demand_admin(viewer)
    draft = await readable_draft(upstreams, viewer, draft_id)
    process_id = draft.camunda_process_id or ""
    if (await linked_process(upstreams, draft)).is_foreign:
        raise _none_stopped()
    if draft.status == "approved":
        await settle(upstreams, policy, draft.id, process_id)
        return
    waiting = await waiting_tasks(upstreams, process_id)
    if not draft.is_submitted or not waiting:
        raise _none_stopped()
    tries = max(1, policy.publish_retries)
    for task in waiting:
        if task.has_failed:
            with suppress(Gone):  # another request or an operator was faster
                await upstreams.camunda.retry_external(task.id, as_new(policy) if task.has_given_up else tries)
    await settle(upstreams, policy, draft.id, process_id)


def _none_stopped() -> Refused:
    return Refused(
        UserErrorCode.NOT_SUBMITTED,
        "No publication of this draft has failed, so there is nothing to retry.",
        field="draftId",
    )
