"""Try a publication again that gave up. Called by the mutation retryPublication."""

from contextlib import suppress

from api.coordination.draft_process import linked_process
from api.coordination.process.external_tasks import settle
from api.coordination.process.publish import as_new
from api.coordination.rules.permissions import demand_admin
from api.coordination.rules.visibility import readable_draft
from api.errors import Gone, Refused, UserErrorCode
from api.identity import Viewer
from api.settings import Settings
from api.upstreams import Upstreams


async def retry_publication(upstreams: Upstreams, settings: Settings, viewer: Viewer, draft_id: str) -> None:
    """Give the stopped publication of a draft the tries of a new one, and make the first at once; one that pauses
    after a failure is hurried.

    Repeating it changes nothing once the publication is done. Crash after the tries are given: the worker makes
    them, after short pauses first. Raises Refused, or UpstreamFailed.
    """
    demand_admin(viewer)
    draft = await readable_draft(upstreams, viewer, draft_id)
    process_id = draft.camunda_process_id or ""
    if (await linked_process(upstreams, draft)).is_foreign:
        raise _none_stopped()
    if draft.status == "approved":
        await settle(upstreams, settings, draft.id, process_id)
        return
    waiting = (await upstreams.camunda.external_tasks_by_process([process_id])).get(process_id, [])
    if not draft.is_submitted or not waiting:
        raise _none_stopped()
    tries = max(1, settings.publish_retries)
    for task in waiting:
        if task.has_failed:
            with suppress(Gone):  # somebody else has seen to it
                await upstreams.camunda.retry_external(task.id, as_new(settings) if task.has_given_up else tries)
    await settle(upstreams, settings, draft.id, process_id)


def _none_stopped() -> Refused:
    return Refused(UserErrorCode.NOT_SUBMITTED, "No publication of this draft has stopped.", field="draftId")
