"""The verb that decides a task: approve, reject, or return the draft to its author."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import msgspec
from msgspec.structs import replace

from api.coordination.approval_snapshot import Approval, approval_of
from api.coordination.comment_text import checked_comment, demand_short
from api.coordination.policy import Policy
from api.coordination.process.external_tasks import WORK, settle
from api.coordination.process.publish import conflict, publish
from api.coordination.process.reconcile import settled_draft
from api.coordination.process.task_result import Work
from api.coordination.publication_time import at_time, checked_publish_at, is_ahead
from api.coordination.rules.approval_state import State
from api.coordination.rules.permissions import demand_decidable, demand_free
from api.coordination.rules.visibility import no_such_task, unknown_task, visible_task
from api.errors import Gone, Refused, TimedOut, Unreachable, UserErrorCode
from api.upstreams import Upstreams
from api.upstreams.aidbox.records import PlanVersion
from api.upstreams.camunda.confirmed_history import closed_task, known_variables
from api.upstreams.camunda.process_variables import (
    DECIDER,
    DECISION_PREFIX,
    NO_VARIABLES,
    Decision,
    ProcessVariables,
    Scalar,
    Verdict,
    demand_storable,
    names,
    written,
)
from api.upstreams.camunda.records import PUBLICATION, Task
from api.upstreams.retool.records import Draft
from authentication.identity import Viewer, same_person

TRIES = 3
PAST_THE_TIMER = (State.PUBLISHING, State.PUBLISH_FAILED, State.APPROVED)
NO_TIMER = (
    "This submission's process model has no timer before publication, so the plan is published at once, not {when}. "
    "See docs/process.md for what a model needs."
)


@dataclass(frozen=True)
class Decided:
    """The approval after a decision; `reason` of a conflict. `notice`: what is not as it was asked.

    `published`: the version that this request stored.
    """

    task_id: str
    approval: Approval
    reason: str | None
    notice: str | None
    published: PlanVersion | None = None


async def decide(
    upstreams: Upstreams,
    policy: Policy,
    viewer: Viewer,
    task_id: str,
    asked: Verdict,
    comment: str | None,
    publish_at: datetime | None = None,
) -> Decided:
    """Decide a task and carry out the external task that follows. `publish_at`: of an approval; None: as proposed.
    Steps:

    1. Read the task and its process; refuse a viewer who may not decide it. Nothing is written.
    2. On approval, compare draft and plan with what was submitted: anything that moved turns it into a conflict.
       Refuse a comment that does not fit a process variable. Nothing is written.
    3. Claim the task. Crash after: it stays claimed; the same viewer can decide it again.
    4. Complete it with the decision. Crash after: the external task that follows waits in the engine for the worker;
       a repeat of this call reads the same decision and continues.
    5. Carry out that external task. A process without one that is over is settled instead, see `settled_draft`.

    An error on step 4 is ambiguous, so the history is asked whose decision won. Raises Refused, UpstreamFailed.
    """
    comment = checked_comment(comment)
    publish_at = checked_publish_at(publish_at) if asked is Verdict.APPROVED else None
    offered = (await upstreams.camunda.claimable([task_id], viewer.id, viewer.groups)).get(task_id)
    task = offered or await upstreams.camunda.task(task_id)
    if task is None:
        return await _decided_before(upstreams, policy, viewer, task_id, asked, publish_at)
    try:
        variables = await _demand_decider(upstreams, policy, viewer, task, is_offered=offered is not None)
    except Refused:
        if await upstreams.camunda.task(task_id) is not None:
            raise
        return await _decided_before(upstreams, policy, viewer, task_id, asked, publish_at)
    decision = Decision(
        asked,
        asked,
        viewer.id,
        datetime.now(UTC),
        task.task_definition_key,
        comment,
        acted_by=viewer.acted_by,
        publish_at=publish_at,
        publish_at_before=variables.publish_at if publish_at else None,
    )
    decision, noted, plan = await _unless_moved(upstreams, task.process_instance_id, variables, decision)
    noted |= _as_variables(task.id, decision)
    demand_storable(noted)
    await _complete(upstreams, viewer, task, noted, decision)
    return await _outcome(upstreams, policy, task, variables.draft_id or "", decision, plan)


async def _demand_decider(
    upstreams: Upstreams, policy: Policy, viewer: Viewer, task: Task, *, is_offered: bool
) -> ProcessVariables:
    """The variables of the process, if the viewer may decide the task. Raises Refused."""
    seen = await visible_task(upstreams, viewer, task, is_offered=is_offered)
    if seen is None:
        raise no_such_task()
    allow_own = policy.allow_own_approval
    demand_decidable(viewer, task, seen.variables.submitters, is_offered=seen.is_offered, allow_own=allow_own)
    return seen.variables


async def _unless_moved(
    upstreams: Upstreams, process_id: str, variables: ProcessVariables, decision: Decision
) -> tuple[Decision, dict[str, Scalar], PlanVersion | None]:
    """The decision that is stored (a conflict where draft or plan have moved), further variables, and the plan now.

    A process that was started by hand has no record of the revision it is about: that is the one approved now.
    """
    if decision.asked is not Verdict.APPROVED:
        return decision, {}, None
    noted: dict[str, Scalar] = {}
    draft, plan = await _draft_and_plan(upstreams, variables.draft_id, variables.aidbox_plan_id)
    if draft is None:
        raise _no_draft()
    if variables.draft_revision is None:
        plan_id = variables.aidbox_plan_id or draft.aidbox_id
        _, plan = await _draft_and_plan(upstreams, draft.id, plan_id)
        base = variables.base_version or (plan.version_id if plan else None)
        noted = written(draft_revision=draft.revision, aidbox_plan_id=plan_id, base_version=base)
        variables = replace(variables, draft_revision=draft.revision, aidbox_plan_id=plan_id, base_version=base)
    moved = conflict(draft, plan, variables, process_id)
    return (replace(decision, verdict=Verdict.CONFLICT, reason=moved) if moved else decision), noted, plan


def _no_draft() -> Refused:
    """The refusal to approve a draft that is not in the table. It may be another deployment's; it can be rejected."""
    message = "The drafts table does not have this task's draft, so it cannot be approved. Reject it if it was deleted."
    return Refused(UserErrorCode.NOT_FOUND, message, field="taskId")


async def _draft_and_plan(
    upstreams: Upstreams, draft_id: str | None, plan_id: str | None
) -> tuple[Draft | None, PlanVersion | None]:
    return await asyncio.gather(upstreams.retool.draft(draft_id or ""), upstreams.aidbox.plan(plan_id or ""))


def _as_variables(task_id: str, decision: Decision) -> dict[str, Scalar]:
    """The decision as process variables. Raises Refused (INVALID) when its comment is too long for them."""
    approved, encoded = decision.verdict is Verdict.APPROVED, msgspec.json.encode(decision).decode()
    demand_short(encoded)
    variables = written(approved=approved, comment=decision.comment) | {f"{DECISION_PREFIX}{task_id}": encoded}
    variables |= written(approved_by=decision.by) if approved else written(rejected_by=decision.by)
    if approved and decision.publish_at is not None:
        variables |= written(publish_at=decision.publish_at)
    if decision.verdict is Verdict.CONFLICT:
        variables |= written(conflict_detected=True, reason=decision.reason)
    if decision.verdict is Verdict.RETURNED:
        variables |= written(changes_requested=True)
    return variables


async def _complete(
    upstreams: Upstreams, viewer: Viewer, task: Task, variables: dict[str, Scalar], decision: Decision
) -> None:
    """Claim and complete. Two requests of one person may race here: the loser accepts the result, or retries.

    The task may be reassigned between the two calls. The variable `decider` holds the assignee as this request saw
    it, and a listener in the model refuses the completion when the task has another one by then.
    Raises Refused, UpstreamFailed.
    """
    for further in reversed(range(TRIES)):
        try:
            if task.assignee is None:
                await upstreams.camunda.claim(task.id, viewer.id)
            await upstreams.camunda.complete(task.id, {**variables, DECIDER: task.assignee or viewer.id})
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
    """Refuse a former assignee to whom the task was never offered. Raises Refused (NOT_FOUND)."""
    offered = await upstreams.camunda.claimable([task.id], viewer.id, viewer.groups)
    if task.id not in offered and await upstreams.camunda.task(task.id) is not None:
        raise no_such_task()


async def _unless_won(upstreams: Upstreams, viewer: Viewer, task: Task, decision: Decision) -> Task | None:
    """Resolve a failed claim or completion: None if the history has this very decision, the task if it is still open.

    Raises Refused when another person has decided it, or the viewer in another way.
    """
    past, made = await _history(upstreams, task.id, task.process_instance_id)
    if past is None or past.ended is None:
        return past or task
    if made is None or not same_person(made.by, viewer.id) or made.asked is not decision.asked:
        raise already_decided(past, made)
    _demand_same_time(made, decision.publish_at)
    return None


def _demand_same_time(made: Decision, publish_at: datetime | None) -> None:
    """Refuse to repeat one's approval with another date, since nothing would be moved. Raises Refused."""
    if publish_at not in (None, made.publish_at):
        when = at_time(made.publish_at) if made.publish_at else "as proposed"
        message = f"You have approved this already, to be published {when}; reschedulePublication moves that."
        raise Refused(UserErrorCode.ALREADY_DECIDED, message, field="publishAt")


async def _history(upstreams: Upstreams, task_id: str, process_id: str) -> tuple[Task | None, Decision | None]:
    """A task by the history, and its decision. The decision is read second: the end of the task wrote it."""
    past = await upstreams.camunda.past_task(task_id)
    decisions = await upstreams.camunda.decisions_by_process([process_id])
    return past, decisions.get(process_id, {}).get(task_id)


async def _decided_before(
    upstreams: Upstreams, policy: Policy, viewer: Viewer, task_id: str, asked: Verdict, publish_at: datetime | None
) -> Decided:
    """The answer for a closed task: the same again for the person who decided it so. Raises Refused for others."""
    past = await closed_task(upstreams.camunda, task_id)
    if past is None:
        raise await unknown_task(upstreams, viewer, task_id)
    process_id = past.process_instance_id
    (_, made), variables = await asyncio.gather(
        _history(upstreams, task_id, process_id), known_variables(upstreams.camunda, [process_id], names("draft_id"))
    )
    if made is not None and same_person(made.by, viewer.id) and made.asked is asked:
        _demand_same_time(made, publish_at)
        draft_id = variables.get(process_id, NO_VARIABLES).draft_id or ""
        return await _outcome(upstreams, policy, past, draft_id, made)
    raise await _closed(upstreams, viewer, past, made)


async def closed(upstreams: Upstreams, viewer: Viewer, task_id: str) -> Refused:
    """The refusal for a task that is not open: who decided it, if the viewer may see the task."""
    past = await closed_task(upstreams.camunda, task_id)
    if past is None:
        return await unknown_task(upstreams, viewer, task_id)
    _, made = await _history(upstreams, task_id, past.process_instance_id)
    return await _closed(upstreams, viewer, past, made)


async def _closed(upstreams: Upstreams, viewer: Viewer, past: Task, made: Decision | None) -> Refused:
    return already_decided(past, made) if await visible_task(upstreams, viewer, past) else no_such_task()


def already_decided(past: Task, made: Decision | None) -> Refused:
    """The refusal for a closed task: who decided it, how and when."""
    when = f" at {past.ended.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if past.ended else ""
    if made:
        who = f"{made.acted_by} on behalf of {made.by}" if made.acted_by else made.by
        how = f"{made.verdict.lower()} by {who}{when}"
    elif past.delete_reason == "completed":
        how = f"closed by {past.assignee or 'somebody'}{when}"
    else:
        how = f"cancelled{when} before it was decided"
    return Refused(UserErrorCode.ALREADY_DECIDED, f"This task was {how}.", field="taskId")


async def _outcome(
    upstreams: Upstreams,
    policy: Policy,
    task: Task,
    draft_id: str,
    decision: Decision,
    plan: PlanVersion | None = None,
) -> Decided:
    process_id = task.process_instance_id
    work: Mapping[str, Work] = {**WORK, PUBLICATION: partial(publish, known=plan)}
    settled = await settle(upstreams, policy, draft_id, process_id, work=work, has_snapshot=True)
    approval = settled.approval or await approval_of(upstreams, draft_id, process_id, waiting=settled.waiting)
    is_in_it = approval.draft and approval.draft.camunda_process_id == process_id
    if approval.draft and is_in_it and approval.draft.is_submitted and not approval.progress.is_active:
        await settled_draft(upstreams, policy, approval.draft)
        approval = await approval_of(upstreams, draft_id, process_id)
    return Decided(task.id, approval, decision.reason or approval.reason, _notice(approval), settled.published)


def _notice(approval: Approval) -> str | None:
    """What to say where the process went on to publish although its time has not come: its model has no timer."""
    if approval.progress.state in PAST_THE_TIMER and is_ahead(approval.publish_at):
        return NO_TIMER.format(when=at_time(approval.publish_at))
    return None
