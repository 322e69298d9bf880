"""Move a draft onto the plan's current version, field by field. Called by the mutation rebaseDraft.

`base_of` also serves the schema: it tells which version of the plan a draft's changes are changes of.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from api.coordination import documents
from api.coordination.changes import Terms
from api.coordination.documents import PROCESS_TAG, Plan
from api.coordination.linking import linked_variables
from api.coordination.matching import canonical
from api.coordination.merging import Conflict, Merged, Side, merge
from api.coordination.reconcile import released
from api.coordination.seeing import owned_draft
from api.errors import Refused, UserErrorCode
from api.identity import Viewer
from api.settings import Settings
from api.upstreams import Upstreams
from api.upstreams.calling import encode
from api.upstreams.drafts import Draft
from api.upstreams.engine import Scalar
from api.upstreams.plan_version import PlanKey, PlanVersion


@dataclass(frozen=True)
class Choices:
    """What a person decided: sides by the paths of conflicts, and a side for all that `by_path` does not name."""

    by_path: Mapping[str, Side]
    otherwise: Side | None = None


@dataclass(frozen=True)
class Rebased:
    """`conflicts` are left to decide; while there are any, nothing was written."""

    draft_id: str
    conflicts: list[Conflict]


async def rebase(
    upstreams: Upstreams,
    settings: Settings,
    viewer: Viewer,
    draft_id: str,
    revision: str,
    choices: Choices,
    *,
    version_id: str | None = None,
) -> Rebased:
    """Apply what the draft changed since its base version to the plan's current version. Steps:

    1. Read the draft; refuse who may not change it and what is not theirs to change now. Nothing is written, but on a
       draft whose process is gone.
    2. Read the base version and the current one, and merge. Conflicts left: the answer. Nothing is written.
    3. Write the merged plan, if the draft is still the one that was read, with a note of the version it stands on.
       Crash after: the draft is done; a repeat reads it again and is refused as stale, its `conflicts` are empty.

    A draft that stands on the current version already is left as it is. A base version that the store no longer has
    makes each difference a conflict. Raises Refused, or UpstreamFailed.
    """
    draft = await _changeable_draft(upstreams, settings, viewer, draft_id, revision)
    mine = documents.parse(draft.plan_data, max_bytes=settings.max_plan_bytes)
    base_key, base, current = await _versions(upstreams, draft, mine)
    if version_id is not None and version_id != current.version_id:
        raise _moved("The plan has a newer version than the one you looked at; look at the conflicts again.")
    terms = Terms(keeps_digits=settings.aidbox_keeps_digits)
    merged = merge(_document(base), mine, _document(current), choices.by_path, otherwise=choices.otherwise, terms=terms)
    _demand_known(choices, merged)
    if merged.conflicts or base_key[1] == current.version_id:
        return Rebased(draft.id, merged.conflicts)
    await _write(upstreams, draft, _noted(merged.document, draft.camunda_process_id or "", current.version_id))
    return Rebased(draft.id, [])


def base_of(draft: Draft, plan: Plan, variables: Mapping[str, Scalar]) -> PlanKey | None:
    """The plan version a draft's changes go back to; None for a new plan, and before the first submission.

    That is the version it was last moved onto, else the one it became, else the one it was submitted against.
    """
    if draft.aidbox_id is None or draft.camunda_process_id is None:
        return None
    noted = _note(plan, draft.camunda_process_id)
    if noted is not None:
        return draft.aidbox_id, noted
    name = "publishedVersion" if variables.get("approvalOutcome") == "approved" else "baseVersion"
    version_id = variables.get(name)
    if variables.get("aidboxPlanId") != draft.aidbox_id or version_id is None:
        return None
    return draft.aidbox_id, str(version_id)


def _note(plan: Plan, process_id: str) -> str | None:
    """The version that a draft notes it stands on, since the process it was last submitted to."""
    ours = (
        tag.get("version") for tag in _tags(plan) if (tag.get("system"), tag.get("code")) == (PROCESS_TAG, process_id)
    )
    return next((version for version in ours if isinstance(version, str)), None)


def _noted(plan: Plan, process_id: str, version_id: str) -> Plan:
    """The plan with that note. It is a tag of ours, so publication puts its own in its place."""
    note = {"system": PROCESS_TAG, "code": process_id, "version": version_id}
    others = [tag for tag in _tags(plan) if tag.get("system") != PROCESS_TAG]
    return {**plan, "meta": {**_meta(plan), "tag": [*others, note]}}


def _tags(plan: Plan) -> list[Plan]:
    tags = _meta(plan).get("tag")
    return [tag for tag in tags if isinstance(tag, dict)] if isinstance(tags, list) else []


def _meta(plan: Plan) -> Plan:
    meta = plan.get("meta")
    return meta if isinstance(meta, dict) else {}


async def _changeable_draft(
    upstreams: Upstreams, settings: Settings, viewer: Viewer, draft_id: str, revision: str
) -> Draft:
    draft = await owned_draft(upstreams, viewer, draft_id)
    if draft.is_submitted:
        draft = await released(upstreams, settings, draft)
    if draft.is_submitted:
        raise _in_approval(draft)
    if draft.revision != revision:
        raise _stale()
    return draft


async def _versions(upstreams: Upstreams, draft: Draft, mine: Plan) -> tuple[PlanKey, PlanVersion | None, PlanVersion]:
    """The base's key, the base if the store still has it, and the plan as it is now. Raises Refused."""
    base_key = base_of(draft, mine, await linked_variables(upstreams, draft))
    if base_key is None:
        message = "This draft was not submitted against a version of a plan, so there is none to move it from."
        raise Refused(UserErrorCode.NOT_SUBMITTED, message, field="draftId")
    base, current = await asyncio.gather(upstreams.aidbox.version(*base_key), upstreams.aidbox.plan(base_key[0]))
    if current is None:
        raise _moved("The store no longer has this plan.")
    return base_key, base, current


def _document(version: PlanVersion | None) -> Plan | None:
    return documents.read(version.resource) if version else None


def _demand_known(choices: Choices, merged: Merged) -> None:
    unknown = sorted(set(choices.by_path) - merged.paths)
    if unknown:
        raise Refused(UserErrorCode.INVALID, f"There is no conflict at {unknown[0]}.", field="choices")


async def _write(upstreams: Upstreams, draft: Draft, plan: Plan) -> None:
    """Write the plan, unless the draft has moved. Raises Refused (NOT_FOUND, ALREADY_SUBMITTED, STALE_REVISION)."""
    # Once its conflict is settled the draft is one like any other.
    status = "draft" if draft.status == "conflict" else None
    if await upstreams.retool.rewrite(draft.id, encode(plan).decode(), revision=draft.revision, status=status):
        return
    now = await upstreams.retool.draft(draft.id)
    if now is None:
        raise Refused(UserErrorCode.NOT_FOUND, "There is no such draft any longer.", field="draftId")
    if now.is_submitted:
        raise _in_approval(now)
    # A write that is sent again on a new connection finds what its first try wrote.
    if canonical(documents.read(now.plan_data.encode())) != canonical(plan):
        raise _stale()


def _in_approval(draft: Draft) -> Refused:
    message = "The draft is in approval; withdraw it to change it."
    return Refused(UserErrorCode.ALREADY_SUBMITTED, message, field="draftId", process_id=draft.camunda_process_id)


def _stale() -> Refused:
    message = "The draft has changed since you read it; look at it again."
    return Refused(UserErrorCode.STALE_REVISION, message, field="revision")


def _moved(message: str) -> Refused:
    return Refused(UserErrorCode.VERSION_CONFLICT, message, field="draftId")
