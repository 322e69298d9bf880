"""Topic publish-plan: the approved draft becomes the next version of its plan, exactly once."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

import msgspec
from msgspec.structs import replace

from api.coordination.policy import Policy
from api.coordination.process.task_result import BpmnError, Done, Incident, TaskResult
from api.errors import Busy, Refused, Stale, Unfit, UpstreamFailed
from api.upstreams import Upstreams
from api.upstreams.aidbox.records import PlanVersion, Tag
from api.upstreams.approval_records import EngineRecord, engine_record, provenance_by_engine
from api.upstreams.camunda.confirmed_history import has_completed_task
from api.upstreams.camunda.process_variables import Outcome, ProcessVariables, written
from api.upstreams.camunda.records import LockedTask
from api.upstreams.retool.records import Draft
from plandiff import comparison, plan_document

VERSION_CHANGED = "Version changed during approval"
DRAFT_CHANGED = "Draft changed since it was submitted"
NOT_IN_APPROVAL = "Draft is not in this approval"
NOT_DECIDED = (
    "Nobody has approved this: the process model publishes by a rule. Give it a review that a person completes, or set "
    "ALLOW_RULE_DECISIONS=true; then retry the publication"
)
WRITES_THAT_MAY_MEET = 4
HISTORY_SEARCHED = 100
TRIES_A_WRITE_MAY_TAKE = 4  # with backoff about 15 seconds


async def publish(
    upstreams: Upstreams, policy: Policy, task: LockedTask, *, known: PlanVersion | None = None
) -> TaskResult:
    """The external task: publish what this process has approved. `known`: the plan as it was read just before.

    After a failure, its write may still be on the way to the store, and would bring what was reviewed. So a draft
    that changed in the meantime is no conflict until further retries have not found that write.
    """
    report = await publish_reviewed(upstreams, policy, task.process_instance_id, task.variables, known=known)
    if isinstance(report, BpmnError) and report.message == DRAFT_CHANGED and _may_land_yet(policy, task.retries):
        raise Busy("aidbox", "The draft changed while an earlier write of its plan may still be under way")
    return report


def as_new(policy: Policy) -> int:
    """The retry count that a manual retry sets: one more than any failure sets, so that the two can be told apart."""
    return policy.publish_retries + 1


def _may_land_yet(policy: Policy, retries: int | None) -> bool:
    """Whether a write of an earlier failure may still arrive: there were too few retries since."""
    if retries is None or retries == as_new(policy):
        return False
    return retries > max(policy.publish_retries - TRIES_A_WRITE_MAY_TAKE, 1)


async def publish_reviewed(
    upstreams: Upstreams,
    policy: Policy,
    process_id: str,
    values: ProcessVariables,
    *,
    known: PlanVersion | None = None,
) -> TaskResult:
    """Write the reviewed draft to the store and the plan's id to the draft.

    What no person has approved is an incident, unless the policy allows decisions by rule; then the process records it.
    Steps, each of them idempotent:

    1. Read the draft, and the plan unless it is known: the write is conditional on that version, and once it is
       refused the plan is read. If the plan has moved, an earlier write of this process is recognised by its tag.
       Complete → step 4; incomplete and still the newest → step 2, based on it; anything else is a conflict.
    2. Write the plan, conditional on the base version. Refused: an incident. Crash after: step 1 recognises it.
    3. Compare what the store has with what was sent. Less: an incident that names the lost fields; the draft stays
       submitted, and a repeat writes again. Crash after: as after step 2.
    4. Record the approval beside the version, as Provenance. Refused: an incident, and a repeat writes only that.
       Crash after: a repeat finds version and record.
    5. Mark the draft as published. Crash after: a repeat finds the tag and the mark.
    """
    is_by_rule = not await _is_decided_by_person(upstreams, process_id, values)
    if is_by_rule and not policy.allow_rule_decisions:
        return Incident(NOT_DECIDED)
    values = replace(values, decided_by_rule=is_by_rule or None)
    draft_id = values.draft_id or ""
    plan_id = values.aidbox_plan_id or plan_document.plan_id_for(draft_id)
    for _ in range(WRITES_THAT_MAY_MEET):
        draft, current = await asyncio.gather(upstreams.retool.draft(draft_id), _current(upstreams, plan_id, known))
        engines = None
        try:
            own = await own_versions(upstreams, plan_id, process_id, values.base_version, current)
            published = await _whole_version(upstreams, policy, draft, plan_id, process_id, values, own)
            if published is None:
                if draft is None:
                    raise not_here(upstreams, draft_id)
                since = await _based_on(upstreams, values, own, current)
                if moved := conflict(draft, current, since, process_id):
                    return BpmnError("version-conflict", moved, written(conflict_detected=True, reason=moved))
                resource = await _resource(upstreams, policy, draft, plan_id, process_id)
                published, engines = await _write_and_read(upstreams, policy, resource, current, plan_id, process_id)
                if published is known:  # nothing was written, so nothing has shown that the plan is still as known
                    known = None
                    continue
                if published is not current and (lost := await _lost(upstreams, resource, published)):
                    return Incident(lost)
            await record_approval(upstreams, draft, process_id, values, published, engines)
        except Stale:
            known = None
            continue
        except (Unfit, Refused) as refusal:
            return Incident(refusal.message)
        await upstreams.retool.mark_published(draft_id, process_id, plan_id)
        return Done(
            written(
                published_version=published.version_id,
                aidbox_plan_id=plan_id,
                approval_outcome=Outcome.APPROVED.value,
                **({"decided_by_rule": True} if is_by_rule else {}),
            ),
            published,
        )
    raise Busy("aidbox", "Other writes to this plan keep conflicting with this one")


async def record_approval(
    upstreams: Upstreams,
    draft: Draft | None,
    process_id: str,
    values: ProcessVariables,
    published: PlanVersion,
    engines: EngineRecord | None = None,
) -> None:
    """Write the record of the approval of a published version, once; nothing with PROVENANCE=false.

    `engines`: what the engine has of the approval, where it was read already. The record comes before the draft is
    marked as published: reconciliation finds drafts without the mark alone. Raises Stale, Unfit.
    """
    if upstreams.aidbox.has_provenance:
        engines = engines or await engine_record(upstreams.camunda, process_id)
        values = replace(values, aidbox_plan_id=published.id, published_version=published.version_id)
        author = draft.created_by if draft else None
        source, ended = upstreams.camunda.own.draft_source, published.published_at
        provenance = provenance_by_engine(engines, source, process_id, values, author, ended)
        await upstreams.aidbox.put_provenance(provenance)


async def _is_decided_by_person(upstreams: Upstreams, process_id: str, values: ProcessVariables) -> bool:
    """Whether a person has approved this here, or completed a task of the process elsewhere. Raises Denied."""
    return values.approved_by is not None or await has_completed_task(upstreams.camunda, process_id)


def plan_id_of(draft: Draft) -> str:
    """The id of the plan that the draft edits, or of the one it becomes."""
    return draft.aidbox_id or plan_document.plan_id_for(draft.id)


async def says_the_same(upstreams: Upstreams, policy: Policy, draft: Draft, version: PlanVersion) -> bool:
    """Whether a version of the plan contains all that the draft says."""
    plan, held = draft.plan_data, bytes(version.resource)
    most, keeps_digits = policy.max_plan_bytes, policy.aidbox_keeps_digits
    asked = partial(comparison.says_all, plan, version.id, held, max_bytes=most, keeps_digits=keeps_digits)
    return await upstreams.plan_processes.run(asked, size=len(plan) + len(held))


async def _resource(upstreams: Upstreams, policy: Policy, draft: Draft, plan_id: str, process_id: str) -> bytes:
    """The resource to write to the store. Raises Refused (INVALID_PLAN)."""
    plan = draft.plan_data
    made = partial(comparison.resource_of, plan, plan_id, process_id, max_bytes=policy.max_plan_bytes)
    return await upstreams.plan_processes.run(made, size=len(plan))


async def _lost(upstreams: Upstreams, resource: bytes, published: PlanVersion) -> str | None:
    held = bytes(published.resource)
    asked = partial(comparison.what_is_lost, resource, held)
    return await upstreams.plan_processes.run(asked, size=len(resource) + len(held))


def conflict(draft: Draft, current: PlanVersion | None, values: ProcessVariables, process_id: str) -> str | None:
    """Why what was reviewed cannot be published as it is, or None. Checked at approval and at publication."""
    if draft.camunda_process_id != process_id:
        return NOT_IN_APPROVAL
    if draft.revision != values.draft_revision:
        return DRAFT_CHANGED
    if values.base_version is None and values.aidbox_plan_id is not None:
        return None
    return VERSION_CHANGED if values.base_version != (current.version_id if current else None) else None


def not_here(upstreams: Upstreams, draft_id: str) -> UpstreamFailed:
    """The failure for a draft that the table does not have. It may be another deployment's, so nothing is done."""
    table = upstreams.retool.columns.table
    message = f"{table} has no draft {draft_id[:100]}: it was deleted, or DRAFT_SOURCE is another deployment's too"
    return UpstreamFailed("retool", message)


async def own_versions(
    upstreams: Upstreams, plan_id: str, process_id: str, base_version: str | None, current: PlanVersion | None
) -> list[PlanVersion]:
    """The versions that earlier attempts of this process wrote, oldest first; none while the plan is at its base.

    A store may copy tags to later versions, so only the first is certain to be of this process.
    """
    if current is None or current.version_id == base_version:
        return []
    history = await upstreams.aidbox.history(plan_id, HISTORY_SEARCHED)
    if current.version_id not in [version.version_id for version in history]:
        raise Busy("aidbox", "The store's history of the plan does not have its current version yet")
    return [version for version in reversed(history) if _tag(version, process_id)]


def _tag(version: PlanVersion, process_id: str) -> Tag | None:
    """The tag of this process on a version."""
    return next(
        (tag for tag in version.tags if (tag.system, tag.code) == (plan_document.PROCESS_TAG, process_id)), None
    )


async def published_version(
    upstreams: Upstreams,
    policy: Policy,
    draft_id: str,
    process_id: str,
    values: ProcessVariables,
    plan_id: str,
) -> PlanVersion | None:
    """The version in which a process published everything that was reviewed, if there is one."""
    current = await upstreams.aidbox.plan(plan_id)
    own = await own_versions(upstreams, plan_id, process_id, values.base_version, current)
    draft = await upstreams.retool.draft(draft_id) if own else None
    return await _whole_version(upstreams, policy, draft, plan_id, process_id, values, own)


async def _whole_version(
    upstreams: Upstreams,
    policy: Policy,
    draft: Draft | None,
    plan_id: str,
    process_id: str,
    values: ProcessVariables,
    own: Sequence[PlanVersion],
) -> PlanVersion | None:
    """The first of a process's versions that has everything that was reviewed.

    It is compared with the draft, or with the digest in its tag where the draft has changed since.
    """
    if not own:
        return None
    is_reviewed = draft is not None and draft.revision == values.draft_revision
    may_be_reviewed = is_reviewed or values.draft_revision is None
    resource = None
    if draft and may_be_reviewed:
        with suppress(Refused):
            resource = await _resource(upstreams, policy, draft, plan_id, process_id)
    versions = [bytes(version.resource) for version in own]
    tags = [None if is_reviewed else _tag(version, process_id) for version in own]
    asked = partial(comparison.first_whole, resource, versions, [tag.display if tag else None for tag in tags])
    place = await upstreams.plan_processes.run(asked, size=sum(map(len, versions)))
    return None if place is None else own[place]


async def _based_on(
    upstreams: Upstreams, values: ProcessVariables, own: Sequence[PlanVersion], current: PlanVersion | None
) -> ProcessVariables:
    """The variables, based on the current version while that is what an earlier try of this process wrote."""
    if not own or current is None:
        return values
    first, now = bytes(own[0].resource), bytes(current.resource)
    is_ours = current.version_id == own[0].version_id or await upstreams.plan_processes.run(
        partial(comparison.is_same_version, first, now), size=len(first) + len(now)
    )
    return replace(values, base_version=current.version_id) if is_ours else values


async def _current(upstreams: Upstreams, plan_id: str, known: PlanVersion | None) -> PlanVersion | None:
    return known if known and known.id == plan_id else await upstreams.aidbox.plan(plan_id)


async def _write_and_read(
    upstreams: Upstreams, policy: Policy, resource: bytes, current: PlanVersion | None, plan_id: str, process_id: str
) -> tuple[PlanVersion, EngineRecord | None]:
    """The version that is stored, and what the engine has for its record, read meanwhile. Raises Stale, Unfit."""
    written, engines = await asyncio.gather(
        _write(upstreams, policy, resource, current, plan_id),
        _engine_record(upstreams, process_id),
        return_exceptions=True,
    )
    if isinstance(written, BaseException):
        raise written
    if isinstance(engines, BaseException):
        raise engines
    return written, engines


async def _engine_record(upstreams: Upstreams, process_id: str) -> EngineRecord | None:
    return await engine_record(upstreams.camunda, process_id) if upstreams.aidbox.has_provenance else None


async def _write(
    upstreams: Upstreams, policy: Policy, resource: bytes, current: PlanVersion | None, plan_id: str
) -> PlanVersion:
    """Write what was reviewed, unless the plan already says it; the version that is stored. Raises Stale, Unfit."""
    if current is not None:
        held = bytes(current.resource)
        asked = partial(comparison.is_written, resource, held, keeps_digits=policy.aidbox_keeps_digits)
        if await upstreams.plan_processes.run(asked, size=len(resource) + len(held)):
            return current
    base_version = current.version_id if current else None
    return await upstreams.aidbox.put(plan_id, msgspec.Raw(resource), base_version=base_version)
