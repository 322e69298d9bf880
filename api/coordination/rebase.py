"""The verb that rebases a draft onto the plan's current version, field by field, by a three-way merge."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from api.coordination.draft_process import linked_process, linked_variables, names_another, stale_revision
from api.coordination.policy import Policy
from api.coordination.process.reconcile import settled_draft
from api.coordination.rules.visibility import owned_draft
from api.errors import Refused, UserErrorCode
from api.upstreams import Upstreams
from api.upstreams.aidbox.records import PlanKey, PlanVersion
from api.upstreams.camunda.process_variables import Outcome, ProcessVariables
from api.upstreams.retool.records import Draft
from authentication.identity import Viewer
from plandiff.changes import Terms
from plandiff.comparison import Entry, is_same_text, moved, noted_version
from plandiff.merge import Side
from plandiff.plan_document import PROCESS_TAG


@dataclass(frozen=True)
class Choices:
    """How conflicts are resolved: a side for each path, and one for all paths that `by_path` does not name."""

    by_path: Mapping[str, Side]
    otherwise: Side | None = None


@dataclass(frozen=True)
class Rebased:
    """The result. `conflicts`: unresolved ones, `count` in all; while there are any, nothing was written."""

    draft_id: str
    conflicts: list[Entry] = field(default_factory=list)
    count: int = 0


async def rebase(
    upstreams: Upstreams,
    policy: Policy,
    viewer: Viewer,
    draft_id: str,
    revision: str,
    choices: Choices,
    *,
    version_id: str | None = None,
) -> Rebased:
    """Apply what the draft changed since its base version to the plan's current version. Steps:

    1. Read the draft; refuse other people than its owner, and drafts in approval. Nothing is written, except on a
       draft whose process is gone.
    2. Read the base version and the current one, and merge. Unresolved conflicts are the answer. Nothing is written.
    3. Write the merged plan if the draft is still the one that was read, with a note of its new base version.
       Crash after: the draft is rebased; a repeat is refused as stale, and its `conflicts` are empty.

    A draft based on the current version already stays unchanged. If the store no longer has the base version, each
    difference is a conflict. Raises Refused, UpstreamFailed.
    """
    draft = await _changeable_draft(upstreams, policy, viewer, draft_id, revision)
    process_id, plan, most = draft.camunda_process_id or "", draft.plan_data, policy.max_plan_bytes
    noted = await upstreams.plan_processes.run(partial(noted_version, plan, process_id, max_bytes=most), size=len(plan))
    base_key, base, current = await _versions(upstreams, draft, noted)
    if version_id is not None and version_id != current.version_id:
        raise _moved("The plan has a newer version than the one you compared with; reload the conflicts.")
    result = await upstreams.plan_processes.run(
        partial(
            moved,
            _bytes(base),
            plan,
            bytes(current.resource),
            {"system": PROCESS_TAG, "code": process_id, "version": current.version_id},
            sides=choices.by_path,
            otherwise=choices.otherwise,
            max_bytes=most,
            terms=Terms(keeps_digits=policy.aidbox_keeps_digits),
        ),
        size=len(plan) + len(current.resource) + (len(base.resource) if base else 0),
    )
    if result.unknown is not None:
        raise Refused(UserErrorCode.INVALID, f"There is no conflict at {result.unknown}.", field="choices")
    if result.conflicts or base_key[1] == current.version_id:
        return Rebased(draft.id, result.conflicts, result.undecided)
    await _write(upstreams, draft, result.text.decode())
    return Rebased(draft.id)


def base_of(draft: Draft, noted: str | None, variables: ProcessVariables) -> PlanKey | None:
    """The base version of a draft: plan and version that its changes apply to. None for a new plan or submission.

    It is the version the draft was last rebased onto, else the one it was published as, else the one it was submitted
    against.
    """
    if draft.aidbox_id is None or draft.camunda_process_id is None:
        return None
    if noted is not None:
        return draft.aidbox_id, noted
    is_published = variables.recorded_outcome is Outcome.APPROVED
    version_id = variables.published_version if is_published else variables.base_version
    if variables.aidbox_plan_id != draft.aidbox_id or version_id is None:
        return None
    return draft.aidbox_id, version_id


async def _changeable_draft(
    upstreams: Upstreams, policy: Policy, viewer: Viewer, draft_id: str, revision: str
) -> Draft:
    draft = await owned_draft(upstreams, viewer, draft_id)
    if draft.is_submitted:
        linked = await linked_process(upstreams, draft)
        if linked.is_foreign:
            raise names_another()
        draft = await settled_draft(upstreams, policy, draft, linked)
    if draft.is_submitted:
        raise _in_approval(draft)
    if draft.revision != revision:
        raise stale_revision()
    return draft


async def _versions(
    upstreams: Upstreams, draft: Draft, noted: str | None
) -> tuple[PlanKey, PlanVersion | None, PlanVersion]:
    """The key of the base version, that version if the store still has it, and the current one. Raises Refused."""
    variables = await linked_variables(upstreams, draft)
    base_key = base_of(draft, noted, variables)
    if base_key is None:
        message = "This draft was not submitted against a version of a plan, so there is none to move it from."
        raise Refused(UserErrorCode.NOT_SUBMITTED, message, field="draftId")
    base, current = await asyncio.gather(upstreams.aidbox.version(*base_key), upstreams.aidbox.plan(base_key[0]))
    if current is None:
        raise _moved("The store no longer has this plan.")
    return base_key, base, current


def _bytes(version: PlanVersion | None) -> bytes | None:
    return bytes(version.resource) if version else None


async def _write(upstreams: Upstreams, draft: Draft, plan: str) -> None:
    """Write the plan, unless the draft has changed. Raises Refused (NOT_FOUND, ALREADY_SUBMITTED, STALE_REVISION)."""
    # A rebase resolves the conflict, so the draft can be submitted like any other.
    status = "draft" if draft.status == "conflict" else None
    if await upstreams.retool.rewrite(draft.id, plan, revision=draft.revision, status=status):
        return
    now = await upstreams.retool.draft(draft.id)
    if now is None:
        raise Refused(UserErrorCode.NOT_FOUND, "This draft no longer exists.", field="draftId")
    if now.is_submitted:
        raise _in_approval(now)
    # A write that was retried on a new connection finds what its first attempt wrote.
    if not await upstreams.plan_processes.run(partial(is_same_text, now.plan_data, plan), size=2 * len(plan)):
        raise stale_revision()


def _in_approval(draft: Draft) -> Refused:
    message = "The draft is in approval; withdraw it to change it."
    return Refused(UserErrorCode.ALREADY_SUBMITTED, message, field="draftId", process_id=draft.camunda_process_id)


def _moved(message: str) -> Refused:
    return Refused(UserErrorCode.VERSION_CONFLICT, message, field="draftId")
