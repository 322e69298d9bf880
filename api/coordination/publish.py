"""Topic publish-plan: the approved draft becomes the next version of its plan. Called by external_tasks.py, and by
reconcile.py for processes that are over."""

import asyncio
from collections.abc import Mapping

from api.coordination import documents
from api.coordination.reports import Done, GaveUp, Left, Report
from api.errors import Busy, Refused, Stale, Unfit, UpstreamFailed
from api.settings import Settings
from api.upstreams import Upstreams
from api.upstreams.drafts import Draft
from api.upstreams.engine import LockedTask, Scalar, text
from api.upstreams.plan_version import PlanVersion, Tag

VERSION_CHANGED = "Version changed during approval"
DRAFT_CHANGED = "Draft changed since it was submitted"
WRITES_THAT_MAY_MEET = 4
HISTORY_SEARCHED = 100
TRIES_A_WRITE_MAY_TAKE = 4  # with their pauses about 15 seconds


async def publish(upstreams: Upstreams, settings: Settings, task: LockedTask) -> Report:
    """The external task: publish what this process has approved.

    After a failure, a write of it may still be on its way to the store, and what it brings there is what was
    reviewed. So a draft that changed since then is no conflict until some further tries have not found that write.
    """
    report = await publish_reviewed(upstreams, settings, task.process_instance_id, task.variables)
    if isinstance(report, Left) and report.message == DRAFT_CHANGED and _may_land_yet(settings, task.retries):
        raise Busy("aidbox", "The draft changed while an earlier write of its plan may still be under way")
    return report


def as_new(settings: Settings) -> int:
    """The retries of a task that gave up and is to be tried again: one more than any has that failed since."""
    return settings.publish_retries + 1


def _may_land_yet(settings: Settings, retries: int | None) -> bool:
    """Whether there was a failure, and too few tries since then for its write to be over."""
    if retries is None or retries == as_new(settings):
        return False
    return retries > max(settings.publish_retries - TRIES_A_WRITE_MAY_TAKE, 1)


async def publish_reviewed(
    upstreams: Upstreams, settings: Settings, process_id: str, values: Mapping[str, Scalar]
) -> Report:
    """Write the reviewed draft to the store and the plan's id on the draft. Steps, each of which may be repeated:

    1. Read the draft and the plan. Moved: our own earlier write is known by its tag → step 3; else a conflict.
    2. Write the plan as successor of the base version. Refused: an incident. Crash after: step 1 knows it again.
    3. Mark the draft. Crash after: the repeat finds the tag, and the mark made.
    """
    draft_id = text(values.get("draftId")) or ""
    plan_id = text(values.get("aidboxPlanId")) or documents.plan_id_for(draft_id)
    for _ in range(WRITES_THAT_MAY_MEET):
        draft, current = await asyncio.gather(upstreams.retool.draft(draft_id), upstreams.aidbox.plan(plan_id))
        try:
            published = await own_version(upstreams, plan_id, process_id, values.get("baseVersion"), current)
            if published is None:
                if draft is None:
                    raise not_here(upstreams, draft_id)
                if moved := conflict(draft, current, values):
                    return Left("version-conflict", moved, {"conflictDetected": True, "reason": moved})
                published = await _write(upstreams, settings, draft, current, plan_id, process_id)
        except Stale:
            continue
        except (Unfit, Refused) as refusal:
            return GaveUp(refusal.message)
        await upstreams.retool.mark_published(draft_id, process_id, plan_id)
        return Done({"publishedVersion": published.version_id, "aidboxPlanId": plan_id, "approvalOutcome": "approved"})
    raise Busy("aidbox", "Other writes to this plan keep getting in between")


def plan_id_of(draft: Draft) -> str:
    """The plan that the draft edits, or the one it becomes."""
    return draft.aidbox_id or documents.plan_id_for(draft.id)


def says_the_same(settings: Settings, draft: Draft, version: PlanVersion) -> bool:
    """Whether a version of the plan says all that the draft says."""
    try:
        plan = documents.parse(draft.plan_data, max_bytes=settings.max_plan_bytes)
    except Refused:
        return False
    held = documents.read(version.resource)
    return documents.is_held({**plan, "id": version.id}, held, keeps_digits=settings.aidbox_keeps_digits)


def conflict(draft: Draft, current: PlanVersion | None, values: Mapping[str, Scalar]) -> str | None:
    """Why what was reviewed can not be published as it is, or None. The same question is asked at approval."""
    if draft.revision != values.get("draftRevision"):
        return DRAFT_CHANGED
    base_version = values.get("baseVersion")
    if base_version is None and values.get("aidboxPlanId") is not None:
        return None
    return VERSION_CHANGED if base_version != (current.version_id if current else None) else None


def not_here(upstreams: Upstreams, draft_id: str) -> UpstreamFailed:
    """Why nothing is done for a draft that the table does not have: it may be another deployment's."""
    table = upstreams.retool.columns.table
    message = f"{table} has no draft {draft_id[:100]}: it was deleted, or DRAFT_SOURCE is another deployment's too"
    return UpstreamFailed("retool", message)


async def own_version(
    upstreams: Upstreams, plan_id: str, process_id: str, base_version: Scalar, current: PlanVersion | None
) -> PlanVersion | None:
    """The version an earlier, interrupted try of this process wrote, if the plan is not as it was before."""
    if current is None or current.version_id == base_version:
        return None
    asked = (plan_id, HISTORY_SEARCHED)
    history = (await upstreams.aidbox.histories_by_key([asked])).get(asked, [])
    # A store may carry tags over to later versions, so the oldest one that has it is the one we wrote.
    ours = Tag(documents.PROCESS_TAG, process_id)
    return next((version for version in reversed(history) if ours in version.tags), None)


async def _write(
    upstreams: Upstreams,
    settings: Settings,
    draft: Draft,
    current: PlanVersion | None,
    plan_id: str,
    process_id: str,
) -> PlanVersion:
    """Write what was reviewed, unless the plan says so already. Raises Stale, Unfit, Refused (INVALID_PLAN)."""
    plan = documents.parse(draft.plan_data, max_bytes=settings.max_plan_bytes)
    resource = documents.tagged_resource(plan, plan_id, process_id)
    if current is not None and documents.is_held(
        resource, documents.read(current.resource), keeps_digits=settings.aidbox_keeps_digits
    ):
        return current
    return await upstreams.aidbox.put(plan_id, resource, base_version=current.version_id if current else None)
