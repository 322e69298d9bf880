"""Decide a task: approve, reject, or send back. Called by completeApproval, requestChanges and completeApprovals."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import msgspec

from api.coordination.approval_snapshot import Approval, approval_of
from api.coordination.comments import checked_comment, demand_short
from api.coordination.process.external_tasks import settle
from api.coordination.process.publish import conflict
from api.coordination.process.reconcile import released
from api.coordination.rules.permissions import demand_decidable, demand_free
from api.coordination.rules.visibility import no_such_task, seen_task, unknown_task
from api.errors import Gone, Refused, TimedOut, Unreachable, UserErrorCode
from api.identity import Viewer, same_person
from api.settings import Settings
from api.upstreams import Upstreams
from api.upstreams.aidbox.records import PlanVersion
from api.upstreams.camunda.confirmed_history import closed_task, known_variables
from api.upstreams.camunda.records import DECISION_PREFIX, Scalar, Task, demand_storable, text
from api.upstreams.retool.records import Draft

TRIES = 3


class Verdict(StrEnum):
    """What a reviewer says; CONFLICT is what an approval becomes when draft or plan have moved."""

    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    RETURNED = "RETURNED"
    CONFLICT = "CONFLICT"


class Decision(msgspec.Struct, frozen=True):
    """One reviewer's decision, kept as a process variable named after its task.

    `by`: whose decision it is; `acted_by`: who made it on their behalf, where that is another person.
    """

    verdict: Verdict
    asked: Verdict
    by: str
    at: datetime
    step: str
    comment: str | None = None
    reason: str | None = None
    acted_by: str | None = None


@dataclass(frozen=True)
class Decided:
    """What a decision led to, and why if it is a conflict."""

    task_id: str
    approval: Approval
    reason: str | None


async def decide(
    upstreams: Upstreams, settings: Settings, viewer: Viewer, task_id: str, asked: Verdict, comment: str | None
) -> Decided:
    """Decide a task and carry out what follows. Steps:

    1. Read the task and its process; refuse who may not decide it. Nothing is written.
    2. Approving: compare draft and plan with what was submitted. Refuse a comment that does not fit a process
       variable. Nothing is written.
    3. Claim the task. Crash after: it stays claimed; the same viewer may decide it again.
    4. Complete it with the decision. Crash after: what follows waits in the engine, the worker does it; a repeat of
       this call reads the same decision and goes on.
    5. Carry out the external task that follows; of a process that has none and is over, what it left undone.

    An error on step 4 tells nothing, so the history is asked who won. Raises Refused, or UpstreamFailed.
    """
    comment = checked_comment(comment)
    task = await upstreams.camunda.task(task_id)
    if task is None:
        return await _decided_before(upstreams, settings, viewer, task_id, asked)
    try:
        variables = await _demand_decider(upstreams, settings, viewer, task)
    except Refused:
        if await upstreams.camunda.task(task_id) is not None:
            raise
        return await _decided_before(upstreams, settings, viewer, task_id, asked)
    decision = Decision(
        asked, asked, viewer.id, datetime.now(UTC), task.task_definition_key, comment, acted_by=viewer.acted_by
    )
    decision, noted = await _unless_moved(upstreams, task.process_instance_id, variables, decision)
    written = {**_as_variables(task.id, decision), **noted}
    demand_storable(written)
    await _complete(upstreams, viewer, task, written, decision)
    return await _outcome(upstreams, settings, task, text(variables.get("draftId")) or "", decision)


async def _demand_decider(upstreams: Upstreams, settings: Settings, viewer: Viewer, task: Task) -> dict[str, Scalar]:
    """The process's variables, if the viewer may decide the task. Raises Refused."""
    seen = await seen_task(upstreams, viewer, task)
    if seen is None:
        raise no_such_task()
    allow_own = settings.allow_own_approval
    demand_decidable(viewer, task, seen.submitters, is_offered=seen.is_offered, allow_own=allow_own)
    return seen.variables


async def _unless_moved(
    upstreams: Upstreams, process_id: str, variables: dict[str, Scalar], decision: Decision
) -> tuple[Decision, dict[str, Scalar]]:
    """The decision as it will stand, since an approval of something that has moved is a conflict; and what to note.

    A process that was started without our registration did not note what it is about: that is what is approved now.
    """
    if decision.asked is not Verdict.APPROVED:
        return decision, {}
    noted: dict[str, Scalar] = {}
    draft, plan = await _draft_and_plan(upstreams, variables.get("draftId"), variables.get("aidboxPlanId"))
    if draft is None:
        raise _no_draft()
    if variables.get("draftRevision") is None:
        plan_id = variables.get("aidboxPlanId") or draft.aidbox_id
        _, plan = await _draft_and_plan(upstreams, draft.id, plan_id)
        base = variables.get("baseVersion") or (plan.version_id if plan else None)
        noted = {"draftRevision": draft.revision, "aidboxPlanId": plan_id, "baseVersion": base}
    moved = conflict(draft, plan, {**variables, **noted}, process_id)
    return (msgspec.structs.replace(decision, verdict=Verdict.CONFLICT, reason=moved) if moved else decision), noted


def _no_draft() -> Refused:
    """It may be another deployment's, so it is not said to have changed; a deleted one can still be rejected."""
    message = (
        "The drafts table does not have this task's draft, so it can not be approved. Reject it if it was deleted."
    )
    return Refused(UserErrorCode.NOT_FOUND, message, field="taskId")


async def _draft_and_plan(
    upstreams: Upstreams, draft_id: Scalar, plan_id: Scalar
) -> tuple[Draft | None, PlanVersion | None]:
    return await asyncio.gather(
        upstreams.retool.draft(text(draft_id) or ""), upstreams.aidbox.plan(text(plan_id) or "")
    )


def _as_variables(task_id: str, decision: Decision) -> dict[str, Scalar]:
    """The decision for the process. Raises Refused (INVALID) when its comment is too long for that."""
    approved, encoded = decision.verdict is Verdict.APPROVED, msgspec.json.encode(decision).decode()
    demand_short(encoded)
    variables: dict[str, Scalar] = {
        "approved": approved,
        "approvedBy" if approved else "rejectedBy": decision.by,
        "comment": decision.comment,
        f"{DECISION_PREFIX}{task_id}": encoded,
    }
    if decision.verdict is Verdict.CONFLICT:
        variables |= {"conflictDetected": True, "reason": decision.reason}
    if decision.verdict is Verdict.RETURNED:
        variables["changesRequested"] = True
    return variables


async def _complete(
    upstreams: Upstreams, viewer: Viewer, task: Task, variables: dict[str, Scalar], decision: Decision
) -> None:
    """Claim and complete. Two requests of one person may meet here: who loses goes on, or tries again.

    Somebody may take the task away between the two. `decider` says who had it, in the engine's letters: the model has
    the engine refuse the completion when that is not so.
    Raises Refused, or UpstreamFailed.
    """
    for further in reversed(range(TRIES)):
        try:
            if task.assignee is None:
                await upstreams.camunda.claim(task.id, viewer.id)
            await upstreams.camunda.complete(task.id, {**variables, "decider": task.assignee or viewer.id})
        except (Gone, TimedOut, Unreachable) as failure:
            past = await _unless_won(upstreams, viewer, task, decision)
            if past is None:
                return
            demand_free(viewer, past.assignee)
            if not further or not isinstance(failure, Gone):
                raise
            if past.assignee is None:
                await _demand_still_offered(upstreams, viewer, past)
            task = past
        else:
            return


async def _demand_still_offered(upstreams: Upstreams, viewer: Viewer, task: Task) -> None:
    """Who had the task by name alone, and has lost it, may not claim it again. Raises Refused (NOT_FOUND)."""
    offered = await upstreams.camunda.claimable([task.id], viewer.id, viewer.groups)
    if task.id not in offered and await upstreams.camunda.task(task.id) is not None:
        raise no_such_task()


async def _unless_won(upstreams: Upstreams, viewer: Viewer, task: Task, decision: Decision) -> Task | None:
    """After a failed claim or completion: None if the history has this very decision, the task if it is still open.

    Raises Refused, when somebody else has decided it, or the viewer otherwise.
    """
    past, made = await _history(upstreams, task.id, task.process_instance_id)
    if past is None or past.ended is None:
        return past or task
    if made is None or not same_person(made.by, viewer.id) or made.asked is not decision.asked:
        raise already_decided(past, made)
    return None


async def _history(upstreams: Upstreams, task_id: str, process_id: str) -> tuple[Task | None, Decision | None]:
    """The decision is read after the task: it is written with the task's end, so an ended task has it."""
    past = await upstreams.camunda.past_task(task_id)
    decisions = await upstreams.camunda.decisions_by_process([process_id])
    return past, decision_on(task_id, decisions.get(process_id, {}))


def decision_on(task_id: str, variables: Mapping[str, Scalar]) -> Decision | None:
    """The decision on a task among its process's variables."""
    return read_decision(variables.get(f"{DECISION_PREFIX}{task_id}"))


def read_decision(value: Scalar) -> Decision | None:
    """A decision variable; None for what is none (a task completed outside this service)."""
    try:
        return msgspec.json.decode(text(value) or "", type=Decision)
    except msgspec.DecodeError:
        return None


async def _decided_before(
    upstreams: Upstreams, settings: Settings, viewer: Viewer, task_id: str, asked: Verdict
) -> Decided:
    """A task that is closed: the same answer again for who decided it so. Raises Refused otherwise."""
    past = await closed_task(upstreams.camunda, task_id)
    if past is None:
        raise await unknown_task(upstreams, viewer, task_id)
    process_id = past.process_instance_id
    (_, made), variables = await asyncio.gather(
        _history(upstreams, task_id, process_id), known_variables(upstreams.camunda, [process_id], ["draftId"])
    )
    if made is not None and same_person(made.by, viewer.id) and made.asked is asked:
        draft_id = text(variables.get(process_id, {}).get("draftId")) or ""
        return await _outcome(upstreams, settings, past, draft_id, made)
    raise await _closed(upstreams, viewer, past, made)


async def closed(upstreams: Upstreams, viewer: Viewer, task_id: str) -> Refused:
    """What to tell a viewer who wants something of a task that is not open: who decided it, if they may know of it."""
    past = await closed_task(upstreams.camunda, task_id)
    if past is None:
        return await unknown_task(upstreams, viewer, task_id)
    _, made = await _history(upstreams, task_id, past.process_instance_id)
    return await _closed(upstreams, viewer, past, made)


async def _closed(upstreams: Upstreams, viewer: Viewer, past: Task, made: Decision | None) -> Refused:
    return already_decided(past, made) if await seen_task(upstreams, viewer, past) else no_such_task()


def already_decided(past: Task, made: Decision | None) -> Refused:
    """What a closed task is answered with: who decided it, how and when."""
    when = f" at {past.ended.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if past.ended else ""
    if made:
        who = f"{made.acted_by} on behalf of {made.by}" if made.acted_by else made.by
        how = f"{made.verdict.lower()} by {who}{when}"
    elif past.delete_reason == "completed":
        how = f"closed by {past.assignee or 'somebody'}{when}"
    else:
        how = f"called off{when}, undecided"
    return Refused(UserErrorCode.ALREADY_DECIDED, f"This task was {how}.", field="taskId")


async def _outcome(upstreams: Upstreams, settings: Settings, task: Task, draft_id: str, decision: Decision) -> Decided:
    await settle(upstreams, settings, draft_id, task.process_instance_id)
    approval = await approval_of(upstreams, draft_id, task.process_instance_id)
    is_in_it = approval.draft and approval.draft.camunda_process_id == task.process_instance_id
    if approval.draft and is_in_it and approval.draft.is_submitted and not approval.standing.is_active:
        await released(upstreams, settings, approval.draft)
        approval = await approval_of(upstreams, draft_id, task.process_instance_id)
    return Decided(task.id, approval, decision.reason or approval.reason)
