"""The verb that submits a draft for approval."""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from api.coordination.change_variables import change_variables
from api.coordination.comment_text import checked_comment, demand_short
from api.coordination.draft_process import linked_process, linked_variables, stale_revision
from api.coordination.policy import Policy
from api.coordination.process.external_tasks import settle
from api.coordination.process.publish import own_versions, plan_id_of, says_the_same
from api.coordination.process.reconcile import settled_draft
from api.coordination.publication_time import at_time, checked_publish_at
from api.coordination.rules.visibility import owned_draft
from api.coordination.validation import Validation, demand_valid
from api.errors import Refused, Unreachable, UpstreamFailed, UserErrorCode
from api.upstreams import Upstreams
from api.upstreams.aidbox.records import PlanVersion
from api.upstreams.camunda.authorizations import READ_HISTORY, READ_MODEL, demand
from api.upstreams.camunda.process_variables import written
from api.upstreams.camunda.records import NOTIFY, ProcessInstance
from api.upstreams.retool.records import Draft
from authentication.identity import Viewer

TRIES = 3

Base = tuple[str | None, PlanVersion | None]
NO_BASE: Base = (None, None)


@dataclass(frozen=True)
class Submission:
    """A draft in approval, and its process. `validation` of its plan, and the `draft` as it is now: both None where it
    was in approval already.
    """

    draft_id: str
    process_id: str
    validation: Validation | None = None
    draft: Draft | None = None


async def submit(
    upstreams: Upstreams,
    policy: Policy,
    viewer: Viewer,
    draft_id: str,
    *,
    revision: str | None = None,
    comment: str | None = None,
    publish_at: datetime | None = None,
) -> Submission:
    """Bring a draft into approval. Idempotent: the same answer again when it is in approval already. Steps:

    1. Read the draft and have its plan validated; refuse what cannot be submitted. Nothing is written, except on a
       draft whose process is gone.
    2. Read the plan's current version if the draft edits a plan: it becomes the base version. Nothing is written.
    3. Adopt a running process of this draft, or start one, with variables of what the draft changes. Crash after: its
       registration waits in the engine for the worker; a repeat of this call adopts the process.
    4. Carry out the registration. Crash after: the draft names the process, and a repeat answers from step 1.

    The engine allows two submissions to start two processes; registration gives the draft to one of them, and the
    other ends itself. Raises Refused, UpstreamFailed.
    """
    comment = checked_comment(comment)
    demand_short(comment)
    publish_at = checked_publish_at(publish_at)
    draft = await owned_draft(upstreams, viewer, draft_id)
    if revision is not None and revision != draft.revision:
        raise stale_revision()
    if draft.is_submitted:
        draft = await settled_draft(upstreams, policy, draft)
        if draft.status == "approved":
            raise _approved_already(draft)
    for attempt in range(TRIES):
        if draft.is_submitted:
            return await _already_submitted(upstreams, policy, draft, publish_at)
        await _demand_news(upstreams, policy, draft)
        validation = await demand_valid(upstreams, policy, draft)
        process_id = await _process(upstreams, policy, viewer, draft, comment, publish_at, adopt=attempt == 0)
        settled = await settle(upstreams, policy, draft.id, process_id)
        now = await owned_draft(upstreams, viewer, draft_id)
        # A model may decide at once: then the draft is not submitted any longer, but this process has had it.
        is_registered = now.is_submitted or draft.camunda_process_id != process_id
        if is_registered and now.camunda_process_id == process_id:
            return Submission(draft.id, process_id, validation, now)
        if now.revision != draft.revision:
            raise Refused(
                UserErrorCode.DRAFT_CHANGED, "The draft was changed while it was being submitted; submit it again."
            )
        if settled.waiting != []:
            break
        draft = now
    message = "The submission has started, but is not recorded on the draft yet; ask for the draft in a moment"
    raise Unreachable("retool", message)


async def _already_submitted(
    upstreams: Upstreams, policy: Policy, draft: Draft, publish_at: datetime | None
) -> Submission:
    """The running submission, if it is of this draft and this date. Raises Refused (ALREADY_SUBMITTED)."""
    process_id, values = draft.camunda_process_id or "", await linked_variables(upstreams, draft)
    if values.draft_revision != draft.revision:
        message = "The draft was changed after it was submitted; withdraw it, then submit it again."
        raise Refused(UserErrorCode.ALREADY_SUBMITTED, message, field="draftId", process_id=process_id)
    if publish_at not in (None, values.publish_at):
        message = (
            f"The draft is submitted already, to be published {at_time(values.publish_at)}; ask its approver to move "
            "that, or withdraw it and submit it again."
        )
        raise Refused(UserErrorCode.ALREADY_SUBMITTED, message, field="publishAt", process_id=process_id)
    await settle(upstreams, policy, draft.id, process_id)
    return Submission(draft.id, process_id)


async def _demand_news(upstreams: Upstreams, policy: Policy, draft: Draft) -> None:
    """Refuse an approved draft that is unchanged since its publication. Raises Refused (ALREADY_DECIDED).

    Where the engine no longer has the submitted revision, the draft is compared with the plan in the store.
    """
    if draft.status != "approved" or draft.camunda_process_id is None:
        return
    linked = await linked_process(upstreams, draft)
    if linked.is_foreign:
        return
    submitted = linked.variables.draft_revision
    is_news = submitted != draft.revision if submitted else not await _is_published(upstreams, policy, draft)
    if not is_news:
        raise _approved_already(draft)


async def _is_published(upstreams: Upstreams, policy: Policy, draft: Draft) -> bool:
    """Whether the draft equals the version that its process wrote (known by its tag), or else the current version."""
    plan_id, process_id = plan_id_of(draft), draft.camunda_process_id or ""
    current = await upstreams.aidbox.plan(plan_id)
    written = await own_versions(upstreams, plan_id, process_id, None, current)
    found = written or ([current] if current else [])
    for version in found:
        if await says_the_same(upstreams, policy, draft, version):
            return True
    return False


def _approved_already(draft: Draft) -> Refused:
    message = "This draft is approved and published as it is; change it before submitting it again."
    return Refused(UserErrorCode.ALREADY_DECIDED, message, field="draftId", process_id=draft.camunda_process_id)


async def _process(
    upstreams: Upstreams,
    policy: Policy,
    viewer: Viewer,
    draft: Draft,
    comment: str | None,
    publish_at: datetime | None,
    *,
    adopt: bool,
) -> str:
    """The id of a running, perhaps unregistered process of the draft, else of a new one."""
    running, base = await _running_or_base(upstreams, draft) if adopt else (None, await _base(upstreams, draft))
    if running is not None:
        return running.id
    plan_id, version = base
    variables = (
        await change_variables(upstreams, policy, draft, version)
        | written(
            draft_id=draft.id,
            draft_revision=draft.revision,
            base_version=version.version_id if version else None,
            submitted_by=viewer.id,
            submission_acted_by=viewer.acted_by,
            aidbox_plan_id=plan_id,
            previous_process_id=draft.camunda_process_id,
            submission_comment=comment,
        )
        | (written(publish_at=publish_at) if publish_at else {})
        | ({NOTIFY: True} if policy.webhook_urls else {})
    )
    key = upstreams.camunda.own.key_of(await upstreams.retool.draft_type(draft.id))
    try:
        return await upstreams.camunda.start(key, draft.id, variables)
    except UpstreamFailed as failed:
        if failed.status == 404:
            await demand(upstreams.camunda, READ_MODEL)
        raise


async def _running_or_base(upstreams: Upstreams, draft: Draft) -> tuple[ProcessInstance | None, Base]:
    """The running process of the draft, or the base of a new one, both asked for at once.

    What fails matters only where it is needed: not for a draft that has a process.
    """
    running, shown, base = await asyncio.gather(
        upstreams.camunda.active_process(draft.id),
        demand(upstreams.camunda, READ_HISTORY),
        _base(upstreams, draft),
        return_exceptions=True,
    )
    if isinstance(running, ProcessInstance):
        return running, NO_BASE
    for each in (running, shown):
        if each is not None:
            raise each
    if isinstance(base, BaseException):
        raise base
    return None, base


async def _base(upstreams: Upstreams, draft: Draft) -> Base:
    """The plan that the draft edits and its current version; both None for a new plan. Raises Refused (INVALID).

    A draft that was submitted before may find a plan under the id it would get itself: another client wrote it, or a
    write of ours arrived after its timeout.
    """
    if draft.aidbox_id is None and draft.camunda_process_id is None:
        return NO_BASE
    plan_id = plan_id_of(draft)
    plan = await upstreams.aidbox.plan(plan_id)
    if plan is not None:
        return plan_id, plan
    if draft.aidbox_id is None:
        return NO_BASE
    raise Refused(
        UserErrorCode.INVALID, f"The draft edits plan {plan_id}, which the store does not have.", field="draftId"
    )
