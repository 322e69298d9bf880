"""Submit a draft for approval. Called by the mutation submitForApproval and by `POST /api/plans/{id}/submit`."""

from dataclasses import dataclass
from functools import partial

from api.coordination.comments import checked_comment, demand_short
from api.coordination.draft_process import linked_process, linked_variables
from api.coordination.process.external_tasks import settle
from api.coordination.process.publish import own_versions, plan_id_of, says_the_same
from api.coordination.process.reconcile import released
from api.coordination.rules.visibility import owned_draft
from api.errors import Refused, Unreachable, UpstreamFailed, UserErrorCode
from api.identity import Viewer
from api.settings import Settings
from api.upstreams import Upstreams
from api.upstreams.camunda.authorizations import READ_HISTORY, READ_MODEL, demand
from api.upstreams.camunda.records import Scalar
from api.upstreams.retool.records import Draft
from plandiff.comparison import demand_fit

TRIES = 3


@dataclass(frozen=True)
class Submission:
    """A draft in approval, and the process that carries it."""

    draft_id: str
    process_id: str


async def submit(
    upstreams: Upstreams,
    settings: Settings,
    viewer: Viewer,
    draft_id: str,
    *,
    revision: str | None = None,
    comment: str | None = None,
) -> Submission:
    """Bring a draft into approval; the same answer again when it is there already. Steps:

    1. Read the draft; refuse what can not be submitted. Nothing is written, but on a draft whose process is gone.
    2. Read the plan's current version, if the draft edits one: approval is compared with that. Nothing is written.
    3. Adopt a running process of this draft, or start one. Crash after: its registration waits in the engine, the
       worker does it; a repeat of this call adopts the process.
    4. Carry out its registration. Crash after: the draft names the process, a repeat answers from step 1.

    The engine lets two submissions start two processes; registration lets one of them have the draft, the other
    ends itself. Raises Refused, or UpstreamFailed.
    """
    comment = checked_comment(comment)
    demand_short(comment)
    draft = await owned_draft(upstreams, viewer, draft_id)
    if revision is not None and revision != draft.revision:
        raise Refused(
            UserErrorCode.STALE_REVISION, "The draft has changed since you read it; look at it again.", field="revision"
        )
    if draft.is_submitted:
        draft = await released(upstreams, settings, draft)
        if draft.status == "approved":
            raise _approved_already(draft)
    for attempt in range(TRIES):
        if draft.is_submitted:
            return await _already_submitted(upstreams, settings, draft)
        await _demand_news(upstreams, settings, draft)
        fit = partial(demand_fit, draft.plan_data, max_bytes=settings.max_plan_bytes)
        await upstreams.plan_processes.run(fit, size=len(draft.plan_data))
        process_id = await _process(upstreams, viewer, draft, comment, adopt=attempt == 0)
        await settle(upstreams, settings, draft.id, process_id)
        now = await owned_draft(upstreams, viewer, draft_id)
        if now.is_submitted and now.camunda_process_id == process_id:
            return Submission(draft.id, process_id)
        if now.revision != draft.revision:
            raise Refused(UserErrorCode.DRAFT_CHANGED, "The draft was changed while it was submitted; submit it again.")
        if (await upstreams.camunda.external_tasks_by_process([process_id])).get(process_id):
            break
        draft = now
    raise Unreachable("retool", "The submission is started, and is noted on the draft as soon as that can be done")


async def _already_submitted(upstreams: Upstreams, settings: Settings, draft: Draft) -> Submission:
    """The running submission, if it is of what the draft says now. Raises Refused (ALREADY_SUBMITTED)."""
    process_id = draft.camunda_process_id or ""
    if (await linked_variables(upstreams, draft)).get("draftRevision") != draft.revision:
        message = "The draft is in approval already, as it was before its last change; withdraw it to submit it anew."
        raise Refused(UserErrorCode.ALREADY_SUBMITTED, message, field="draftId", process_id=process_id)
    await settle(upstreams, settings, draft.id, process_id)
    return Submission(draft.id, process_id)


async def _demand_news(upstreams: Upstreams, settings: Settings, draft: Draft) -> None:
    """An approved draft can be submitted again once it says something else. Raises Refused (ALREADY_DECIDED).

    Where the engine has forgotten what was submitted, that is compared with what the store has of it.
    """
    if draft.status != "approved" or draft.camunda_process_id is None:
        return
    linked = await linked_process(upstreams, draft)
    if linked.is_foreign:
        return
    submitted = linked.variables.get("draftRevision")
    is_news = submitted != draft.revision if submitted else not await _is_published(upstreams, settings, draft)
    if not is_news:
        raise _approved_already(draft)


async def _is_published(upstreams: Upstreams, settings: Settings, draft: Draft) -> bool:
    """Whether the version that its process wrote, by its tag, says what the draft says; without one, the current."""
    plan_id, process_id = plan_id_of(draft), draft.camunda_process_id or ""
    current = await upstreams.aidbox.plan(plan_id)
    written = await own_versions(upstreams, plan_id, process_id, None, current)
    found = written or ([current] if current else [])
    for version in found:
        if await says_the_same(upstreams, settings, draft, version):
            return True
    return False


def _approved_already(draft: Draft) -> Refused:
    message = "This draft is approved and published as it is; change it before submitting it again."
    return Refused(UserErrorCode.ALREADY_DECIDED, message, field="draftId", process_id=draft.camunda_process_id)


async def _process(upstreams: Upstreams, viewer: Viewer, draft: Draft, comment: str | None, *, adopt: bool) -> str:
    """A running process of the draft that may still be unregistered, else a new one; its id."""
    running = await upstreams.camunda.active_process(draft.id) if adopt else None
    if running is not None:
        return running.id
    if adopt:
        await demand(upstreams.camunda, READ_HISTORY)
    plan_id, base_version = await _base(upstreams, draft)
    variables: dict[str, Scalar] = {
        "draftId": draft.id,
        "draftRevision": draft.revision,
        "baseVersion": base_version,
        "submittedBy": viewer.id,
        "submissionActedBy": viewer.acted_by,
        "aidboxPlanId": plan_id,
        "previousProcessId": draft.camunda_process_id,
        "submissionComment": comment,
    }
    try:
        return await upstreams.camunda.start(draft.id, variables)
    except UpstreamFailed as failed:
        if failed.status == 404:
            await demand(upstreams.camunda, READ_MODEL)
        raise


async def _base(upstreams: Upstreams, draft: Draft) -> tuple[str | None, str | None]:
    """The plan that the draft edits and its current version; both None for a new plan. Raises Refused (INVALID).

    A draft that was submitted before may find a plan where its own would be: somebody wrote it there, or a write of
    ours came after all once it was given up.
    """
    if draft.aidbox_id is None and draft.camunda_process_id is None:
        return None, None
    plan_id = plan_id_of(draft)
    plan = await upstreams.aidbox.plan(plan_id)
    if plan is not None:
        return plan_id, plan.version_id
    if draft.aidbox_id is None:
        return None, None
    raise Refused(
        UserErrorCode.INVALID, f"The draft edits plan {plan_id}, which the store does not have.", field="draftId"
    )
