"""Topic publish-plan: the approved draft becomes the next version of its plan. Called by external_tasks.py, and by
reconcile.py for processes that are over."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial

import msgspec

from api.coordination.process.task_result import BpmnError, Done, Incident, TaskResult
from api.errors import Busy, Refused, Stale, Unfit, UpstreamFailed
from api.settings import Settings
from api.upstreams import Upstreams
from api.upstreams.aidbox.records import PlanVersion, Tag
from api.upstreams.camunda.records import LockedTask, Scalar, text
from api.upstreams.retool.records import Draft
from plandiff import comparison, plan_document

VERSION_CHANGED = "Version changed during approval"
DRAFT_CHANGED = "Draft changed since it was submitted"
NOT_IN_APPROVAL = "Draft is not in this approval"
WRITES_THAT_MAY_MEET = 4
HISTORY_SEARCHED = 100
TRIES_A_WRITE_MAY_TAKE = 4  # with their pauses about 15 seconds


async def publish(upstreams: Upstreams, settings: Settings, task: LockedTask) -> TaskResult:
    """The external task: publish what this process has approved.

    After a failure, a write of it may still be on its way to the store, and what it brings there is what was
    reviewed. So a draft that changed since then is no conflict until some further tries have not found that write.
    """
    report = await publish_reviewed(upstreams, settings, task.process_instance_id, task.variables)
    if isinstance(report, BpmnError) and report.message == DRAFT_CHANGED and _may_land_yet(settings, task.retries):
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
) -> TaskResult:
    """Write the reviewed draft to the store and the plan's id on the draft. Steps, each of which may be repeated:

    1. Read the draft and the plan. Moved: our own earlier write is known by its tag. Whole → step 4; less than was
       reviewed, and nobody has written since → step 2 on top of it; else a conflict.
    2. Write the plan as successor of the base version. Refused: an incident. Crash after: step 1 knows it again.
    3. Compare what the store has now with what was sent. Less: an incident that names the fields; the draft stays
       submitted, and a repeat writes again. Crash after: as after step 2.
    4. Mark the draft. Crash after: the repeat finds the tag, and the mark made.
    """
    draft_id = text(values.get("draftId")) or ""
    plan_id = text(values.get("aidboxPlanId")) or plan_document.plan_id_for(draft_id)
    for _ in range(WRITES_THAT_MAY_MEET):
        draft, current = await asyncio.gather(upstreams.retool.draft(draft_id), upstreams.aidbox.plan(plan_id))
        try:
            written = await own_versions(upstreams, plan_id, process_id, values.get("baseVersion"), current)
            published = await _whole_version(upstreams, settings, draft, plan_id, process_id, values, written)
            if published is None:
                if draft is None:
                    raise not_here(upstreams, draft_id)
                since = {**values, **await _base_after(upstreams, written, current)}
                if moved := conflict(draft, current, since, process_id):
                    return BpmnError("version-conflict", moved, {"conflictDetected": True, "reason": moved})
                resource = await _resource(upstreams, settings, draft, plan_id, process_id)
                published = await _write(upstreams, settings, resource, current, plan_id)
                if published is not current and (lost := await _lost(upstreams, resource, published)):
                    return Incident(lost)
        except Stale:
            continue
        except (Unfit, Refused) as refusal:
            return Incident(refusal.message)
        await upstreams.retool.mark_published(draft_id, process_id, plan_id)
        return Done({"publishedVersion": published.version_id, "aidboxPlanId": plan_id, "approvalOutcome": "approved"})
    raise Busy("aidbox", "Other writes to this plan keep getting in between")


def plan_id_of(draft: Draft) -> str:
    """The plan that the draft edits, or the one it becomes."""
    return draft.aidbox_id or plan_document.plan_id_for(draft.id)


async def says_the_same(upstreams: Upstreams, settings: Settings, draft: Draft, version: PlanVersion) -> bool:
    """Whether a version of the plan says all that the draft says."""
    plan, held = draft.plan_data, bytes(version.resource)
    most, keeps_digits = settings.max_plan_bytes, settings.aidbox_keeps_digits
    asked = partial(comparison.says_all, plan, version.id, held, max_bytes=most, keeps_digits=keeps_digits)
    return await upstreams.plan_processes.run(asked, size=len(plan) + len(held))


async def _resource(upstreams: Upstreams, settings: Settings, draft: Draft, plan_id: str, process_id: str) -> bytes:
    """What is sent to the store. Raises Refused (INVALID_PLAN)."""
    plan = draft.plan_data
    made = partial(comparison.resource_of, plan, plan_id, process_id, max_bytes=settings.max_plan_bytes)
    return await upstreams.plan_processes.run(made, size=len(plan))


async def _lost(upstreams: Upstreams, resource: bytes, published: PlanVersion) -> str | None:
    held = bytes(published.resource)
    asked = partial(comparison.what_is_lost, resource, held)
    return await upstreams.plan_processes.run(asked, size=len(resource) + len(held))


def conflict(draft: Draft, current: PlanVersion | None, values: Mapping[str, Scalar], process_id: str) -> str | None:
    """Why what was reviewed can not be published as it is, or None. The same question is asked at approval."""
    if draft.camunda_process_id != process_id:
        return NOT_IN_APPROVAL
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


async def own_versions(
    upstreams: Upstreams, plan_id: str, process_id: str, base_version: Scalar, current: PlanVersion | None
) -> list[PlanVersion]:
    """The versions that earlier, interrupted tries of this process wrote, oldest first. None while the plan is as it
    was before. A store may carry tags over to later versions, so only the first is ours for certain.
    """
    if current is None or current.version_id == base_version:
        return []
    history = await upstreams.aidbox.history(plan_id, HISTORY_SEARCHED)
    if current.version_id not in [version.version_id for version in history]:
        raise Busy("aidbox", "The store's history of the plan does not have its current version yet")
    return [version for version in reversed(history) if _tag(version, process_id)]


def _tag(version: PlanVersion, process_id: str) -> Tag | None:
    """The mark of this process on a version."""
    return next(
        (tag for tag in version.tags if (tag.system, tag.code) == (plan_document.PROCESS_TAG, process_id)), None
    )


async def published_version(
    upstreams: Upstreams,
    settings: Settings,
    draft_id: str,
    process_id: str,
    values: Mapping[str, Scalar],
    plan_id: str,
) -> PlanVersion | None:
    """The version in which a process published all that was reviewed, if there is one."""
    current = await upstreams.aidbox.plan(plan_id)
    written = await own_versions(upstreams, plan_id, process_id, values.get("baseVersion"), current)
    draft = await upstreams.retool.draft(draft_id) if written else None
    return await _whole_version(upstreams, settings, draft, plan_id, process_id, values, written)


async def _whole_version(
    upstreams: Upstreams,
    settings: Settings,
    draft: Draft | None,
    plan_id: str,
    process_id: str,
    values: Mapping[str, Scalar],
    written: Sequence[PlanVersion],
) -> PlanVersion | None:
    """Of the versions a process wrote the first that has all that was reviewed.

    It is compared with the draft; where that says something else by now, the digest on the version tells.
    """
    if not written:
        return None
    is_reviewed = draft is not None and draft.revision == values.get("draftRevision")
    may_be_reviewed = is_reviewed or values.get("draftRevision") is None
    resource = None
    if draft and may_be_reviewed:
        with suppress(Refused):
            resource = await _resource(upstreams, settings, draft, plan_id, process_id)
    versions = [bytes(version.resource) for version in written]
    tags = [None if is_reviewed else _tag(version, process_id) for version in written]
    asked = partial(comparison.first_whole, resource, versions, [tag.display if tag else None for tag in tags])
    place = await upstreams.plan_processes.run(asked, size=sum(map(len, versions)))
    return None if place is None else written[place]


async def _base_after(
    upstreams: Upstreams, written: Sequence[PlanVersion], current: PlanVersion | None
) -> Mapping[str, Scalar]:
    """What to write on top of: the current version, while it is what an earlier try of ours has left there."""
    if not written or current is None:
        return {}
    first, now = bytes(written[0].resource), bytes(current.resource)
    is_ours = current.version_id == written[0].version_id or await upstreams.plan_processes.run(
        partial(comparison.is_same_version, first, now), size=len(first) + len(now)
    )
    return {"baseVersion": current.version_id} if is_ours else {}


async def _write(
    upstreams: Upstreams, settings: Settings, resource: bytes, current: PlanVersion | None, plan_id: str
) -> PlanVersion:
    """Write what was reviewed, unless the plan says so already; what the store has now. Raises Stale, Unfit."""
    if current is not None:
        held = bytes(current.resource)
        asked = partial(comparison.is_written, resource, held, keeps_digits=settings.aidbox_keeps_digits)
        if await upstreams.plan_processes.run(asked, size=len(resource) + len(held)):
            return current
    base_version = current.version_id if current else None
    return await upstreams.aidbox.put(plan_id, msgspec.Raw(resource), base_version=base_version)
