"""External tasks: their work by topic, and how it is locked, carried out and reported, by requests and by the worker.

The engine is the outbox: whatever dies here, the task stays in the engine, and its lock expires.
"""

import asyncio
import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import ClassVar

from api import telemetry
from api.coordination.approval_snapshot import Approval, approval_of
from api.coordination.policy import Policy
from api.coordination.process.notify import notify_of_failure
from api.coordination.process.publish import not_here, publish
from api.coordination.process.task_result import BpmnError, Done, Incident, TaskResult, Work
from api.draft_status import STATUSES, SUBMITTED
from api.errors import Gone, ServiceError, Unreachable, UpstreamFailed, WriteRefused, incident_text
from api.upstreams import Upstreams
from api.upstreams.aidbox.records import PlanVersion
from api.upstreams.camunda.authorizations import READ_INSTANCES, UPDATE_INSTANCES, demand
from api.upstreams.camunda.process_variables import Outcome, Scalar, written
from api.upstreams.camunda.records import PUBLICATION, REGISTRATION, ExternalTask, LockedTask
from api.upstreams.retool.records import Draft
from resilience.deadline import seconds_left, with_deadline

ENDS = tuple(status for status in STATUSES if status != SUBMITTED)
LONGEST_PAUSE = 60.0  # seconds
SHORTEST_POLL = 0.05  # seconds
LATE_WRITE = 15.0  # seconds; a write that timed out may reach its system up to then
SHARE_OF_WORK = 0.8  # of a lock's time; the rest is for the report

_log = logging.getLogger(__name__)


async def register(upstreams: Upstreams, _policy: Policy, task: LockedTask) -> TaskResult:
    """Topic register-submission: record the process on the draft, or leave as superseded.

    The update is conditional on the draft as its submission saw it, so only one of several processes succeeds. A
    repeat finds its own record. Raises UpstreamFailed if the table has no such draft.
    """
    given = task.variables
    draft_id, revision = given.draft_id or "", given.draft_revision
    noted = await upstreams.retool.register(
        draft_id,
        task.process_instance_id,
        revision=revision,
        previous_process_id=given.previous_process_id,
    )
    draft = None if noted and revision is not None else await upstreams.retool.draft(draft_id)
    if not noted and draft is None:
        raise not_here(upstreams, draft_id)
    if not noted and not (draft and draft.camunda_process_id == task.process_instance_id and draft.is_submitted):
        superseded = "Another submission of this draft was faster, or the draft has changed"
        return BpmnError("submission-superseded", superseded, written(approval_outcome=Outcome.SUPERSEDED.value))
    return Done(await _what_is_missing(upstreams, draft, task) if revision is None and draft else {})


async def _what_is_missing(upstreams: Upstreams, draft: Draft, task: LockedTask) -> dict[str, Scalar]:
    """The variables of a submission that a process started by hand lacks."""
    given = task.variables
    plan_id = given.aidbox_plan_id or draft.aidbox_id
    found = written(draft_revision=draft.revision, aidbox_plan_id=plan_id)
    if plan_id is not None and given.base_version is None:
        plan = await upstreams.aidbox.plan(plan_id)
        found |= written(base_version=plan.version_id if plan else None)
    # The id as the table has it: the link between row and process compares it exactly.
    return found | written(draft_id=draft.id, submitted_by=given.submitted_by or draft.created_by)


async def record_outcome(upstreams: Upstreams, _policy: Policy, task: LockedTask) -> TaskResult:
    """Topic record-outcome: record the outcome on the draft, if it still waits for this process."""
    draft_id, outcome = task.variables.draft_id or "", task.outcome
    if outcome not in ENDS:
        return Incident(f"The outcome in the process model must be one of {', '.join(ENDS)}")
    await upstreams.retool.record_outcome(draft_id, task.process_instance_id, outcome)
    return Done(written(approval_outcome=outcome))


WORK: Mapping[str, Work] = {
    REGISTRATION: register,
    PUBLICATION: publish,
    "record-outcome": record_outcome,
}


async def carry_out(
    upstreams: Upstreams, policy: Policy, task: LockedTask, work: Mapping[str, Work] = WORK
) -> PlanVersion | None:
    """Carry out a locked task and report its result, both within the lock duration; the version that it published.

    Crash before the report: the task is retried once its lock expires. Lost lock: another worker reports it, and the
    effects here were conditional or are recognised. Raises UpstreamFailed when it could not be reported.
    """
    outcome = "unreported"
    try:
        with with_deadline(policy.lock_seconds * SHARE_OF_WORK):
            report = await _done(upstreams, policy, task, work[task.topic_name])
        with with_deadline(policy.lock_seconds * (1 - SHARE_OF_WORK)):
            await _report(upstreams, task, report)
        outcome = report.outcome
        return report.published if isinstance(report, Done) else None
    except Gone:
        outcome = "lost"
        _log.info("external task was lost to another worker", extra=_log_fields(task))
    finally:
        telemetry.EXTERNAL_TASKS.labels(task.topic_name, outcome).inc()
        if task.create_time is not None:
            age = (datetime.now(UTC) - task.create_time).total_seconds()
            telemetry.EXTERNAL_TASK_AGE.labels(task.topic_name).observe(max(age, 0))
    return None


async def _done(upstreams: Upstreams, policy: Policy, task: LockedTask, work: Work) -> "TaskResult | _Retry":
    try:
        return await work(upstreams, policy, task)
    except ServiceError as failure:
        return _failed(policy, task, failure)
    except Exception:  # noqa: BLE001  # a bug becomes an incident that people see, not endless retries
        _log.exception("external task failed", extra=_log_fields(task))
        return Incident("Internal error of plan-api; see its log")


def _failed(policy: Policy, task: LockedTask, failure: ServiceError) -> "Incident | _Retry":
    """The result of a failure: a retry, or an incident if the drafts table refuses the write until it is changed.

    retryPublication resumes incidents of drafts in approval. The draft of a registration is in none yet, so that is
    retried automatically.
    """
    message = incident_text(failure) if isinstance(failure, UpstreamFailed) else str(failure)
    if isinstance(failure, WriteRefused) and task.topic_name != REGISTRATION:
        return Incident(message)
    return _retry(policy, task, message)


@dataclass(frozen=True)
class _Retry:
    message: str
    retries: int
    pause_seconds: float
    outcome: ClassVar[str] = "retry"


def _retry(policy: Policy, task: LockedTask, message: str) -> _Retry:
    """A retry with exponential backoff; an incident after `publish_retries` of them.

    The last failure keeps its lock for as long as a write of it may still arrive, since until then nobody can tell
    whether it was written.
    """
    left = policy.publish_retries if task.retries is None else task.retries - 1
    tried = policy.publish_retries - left
    pause = min(2.0 ** min(tried, 10), LONGEST_PAUSE)
    return _Retry(message, max(left, 0), pause if left > 0 else max(pause, LATE_WRITE))


async def _report(upstreams: Upstreams, task: LockedTask, report: TaskResult | _Retry) -> None:
    match report:
        case Done(variables):
            await upstreams.camunda.complete_external(task, variables)
        case BpmnError(code, message, variables):
            await upstreams.camunda.raise_bpmn_error(task, code, message, variables)
        case Incident(message):
            await notify_of_failure(upstreams, task)
            await upstreams.camunda.fail(task, message, retries=0, pause_seconds=0)
        case _Retry(message, retries, pause_seconds):
            if not retries:
                await notify_of_failure(upstreams, task)
            await upstreams.camunda.fail(task, message, retries=retries, pause_seconds=pause_seconds)


@dataclass(frozen=True)
class Settled:
    """What a process waits for after its external tasks were carried out, and the version that one of them published.

    `waiting`: None where there was no time to look. `approval`: the snapshot, if the last look was after own work.
    """

    waiting: Sequence[ExternalTask] | None = None
    published: PlanVersion | None = None
    approval: Approval | None = None


async def settle(
    upstreams: Upstreams,
    policy: Policy,
    draft_id: str,
    process_id: str,
    *,
    work: Mapping[str, Work] = WORK,
    has_snapshot: bool = False,
) -> Settled:
    """Carry out the external tasks of a process until none is waiting, each has failed, or `settle_seconds` are over.

    A task locked by another worker is waited for, so that the answer can tell its result. `has_snapshot`: after own
    work the approval is read as a whole, for whoever tells of it next.
    """
    settled, worker_id = Settled(), f"request-{uuid.uuid4().hex}"
    now = asyncio.get_running_loop().time
    until, is_first = now() + seconds_left(policy.settle_seconds), True
    while now() < until:
        locked = await _locked(upstreams, policy, draft_id, worker_id)
        published = [await carry_out(upstreams, policy, task, work) for task in locked]
        # What could not be published goes on: to a conflict, or to a retry.
        goes_on = any(task.topic_name == PUBLICATION for task in locked) and not any(published)
        is_told = has_snapshot and locked and not goes_on
        approval = await approval_of(upstreams, draft_id, process_id, has_ended=True) if is_told else None
        waiting = approval.waiting if approval else await waiting_tasks(upstreams, process_id)
        settled = Settled(waiting, next(filter(None, published), settled.published), approval)
        if not locked:
            await _demand_shown(upstreams, waiting, is_first=is_first)
        if all(task.has_failed for task in waiting):
            break
        is_first = False
        if not locked:
            await asyncio.sleep(SHORTEST_POLL)
    return settled


async def waiting_tasks(upstreams: Upstreams, process_id: str) -> list[ExternalTask]:
    """The external tasks that a process waits for."""
    return (await upstreams.camunda.external_tasks_by_process([process_id])).get(process_id, [])


async def _demand_shown(upstreams: Upstreams, waiting: Sequence[ExternalTask], *, is_first: bool) -> None:
    """Make sure that nothing was locked for want of work, not of a permission. Raises Denied."""
    if is_first and not waiting:
        await demand(upstreams.camunda, READ_INSTANCES)
    elif any(not task.has_failed and task.worker_id is None for task in waiting):
        await demand(upstreams.camunda, UPDATE_INSTANCES)


async def _locked(upstreams: Upstreams, policy: Policy, draft_id: str, worker_id: str) -> list[LockedTask]:
    """The waiting tasks, now locked. After a lost answer the locks are unknown: they are released and fetched again."""
    fetch = partial(
        upstreams.camunda.fetch_and_lock,
        worker_id,
        limit=len(WORK),
        lock_seconds=policy.lock_seconds,
        business_key=draft_id,
    )
    try:
        return await fetch()
    except Unreachable:
        for task in await upstreams.camunda.locked_by(worker_id):
            await upstreams.camunda.unlock(task)
        return await fetch()


def _log_fields(task: LockedTask) -> dict[str, str]:
    return {"topic": task.topic_name, "process_id": task.process_instance_id, "external_task": task.id}
