"""External tasks, carried out: by the request that caused them and by the worker, with the same functions.

The engine is the outbox. Whatever dies here leaves the task in the engine, and its lock ends by itself.
"""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import ClassVar

from api import telemetry
from api.coordination.process.publish import not_here, publish
from api.coordination.process.task_result import BpmnError, Done, Incident, TaskResult
from api.deadline import seconds_left, with_deadline
from api.draft_status import STATUSES, SUBMITTED
from api.errors import ApprovalApiError, Gone, Unreachable, UpstreamFailed, WriteRefused
from api.settings import Settings
from api.upstreams import Upstreams
from api.upstreams.camunda.authorizations import READ_INSTANCES, UPDATE_INSTANCES, demand
from api.upstreams.camunda.records import REGISTRATION, ExternalTask, LockedTask, Scalar, text
from api.upstreams.retool.records import Draft

ENDS = tuple(status for status in STATUSES if status != SUBMITTED)
LONGEST_PAUSE = 60.0  # seconds
SHORTEST_LOOK = 0.05  # seconds
LATE_WRITE = 15.0  # seconds; a write that timed out may reach its system up to then
SHARE_OF_WORK = 0.8  # of a lock's time; the rest is for the report

_log = logging.getLogger(__name__)


async def register(upstreams: Upstreams, _settings: Settings, task: LockedTask) -> TaskResult:
    """Topic register-submission: note the process on the draft, or leave as superseded.

    The update finds the draft as its submission found it, or it does not; only one of several processes can. A
    repeat finds the note already made. Raises UpstreamFailed where the table has no such draft.
    """
    draft_id, revision = text(task.variables.get("draftId")) or "", text(task.variables.get("draftRevision"))
    noted = await upstreams.retool.register(
        draft_id,
        task.process_instance_id,
        revision=revision,
        previous_process_id=text(task.variables.get("previousProcessId")),
    )
    draft = None if noted and revision is not None else await upstreams.retool.draft(draft_id)
    if not noted and draft is None:
        raise not_here(upstreams, draft_id)
    if not noted and not (draft and draft.camunda_process_id == task.process_instance_id and draft.is_submitted):
        superseded = "Another submission of this draft was faster, or the draft changed"
        return BpmnError("submission-superseded", superseded, {"approvalOutcome": "superseded"})
    return Done(await _what_is_missing(upstreams, draft, task) if revision is None and draft else {})


async def _what_is_missing(upstreams: Upstreams, draft: Draft, task: LockedTask) -> dict[str, Scalar]:
    """The variables that a submission gives, for a process that was started by hand without them."""
    given = task.variables
    plan_id = given.get("aidboxPlanId") or draft.aidbox_id
    found: dict[str, Scalar] = {"draftRevision": draft.revision, "aidboxPlanId": plan_id}
    if plan_id is not None and given.get("baseVersion") is None:
        plan = await upstreams.aidbox.plan(str(plan_id))
        found["baseVersion"] = plan.version_id if plan else None
    # The id as the table has it, which is what links the two.
    return {**found, "draftId": draft.id, "submittedBy": given.get("submittedBy") or draft.created_by}


async def record_outcome(upstreams: Upstreams, _settings: Settings, task: LockedTask) -> TaskResult:
    """Topic record-outcome: write the outcome on the draft, if it still waits for this process."""
    draft_id, outcome = (text(task.variables.get(name)) or "" for name in ("draftId", "outcome"))
    if outcome not in ENDS:
        return Incident(f"The process model's outcome must be one of {', '.join(ENDS)}")
    await upstreams.retool.record_outcome(draft_id, task.process_instance_id, outcome)
    return Done({"approvalOutcome": outcome})


Work = Callable[[Upstreams, Settings, LockedTask], Awaitable[TaskResult]]
WORK: Mapping[str, Work] = {
    REGISTRATION: register,
    "publish-plan": publish,
    "record-outcome": record_outcome,
}


async def carry_out(upstreams: Upstreams, settings: Settings, task: LockedTask) -> None:
    """Do one locked task and report to the engine, both within its lock.

    Crash before the report: the task is tried again after its lock. Lost lock: somebody else reports it, and what
    was done here was conditional or is recognised. Raises UpstreamFailed when it could not be reported.
    """
    outcome = "unreported"
    try:
        with with_deadline(settings.lock_seconds * SHARE_OF_WORK):
            report = await _done(upstreams, settings, task)
        with with_deadline(settings.lock_seconds * (1 - SHARE_OF_WORK)):
            await _tell(upstreams, task, report)
        outcome = report.outcome
    except Gone:
        outcome = "lost"
        _log.info("external task was lost to another worker", extra=_names(task))
    finally:
        telemetry.EXTERNAL_TASKS.labels(task.topic_name, outcome).inc()
        if task.create_time is not None:
            age = (datetime.now(UTC) - task.create_time).total_seconds()
            telemetry.EXTERNAL_TASK_AGE.labels(task.topic_name).observe(max(age, 0))


async def _done(upstreams: Upstreams, settings: Settings, task: LockedTask) -> "TaskResult | _Retry":
    try:
        return await WORK[task.topic_name](upstreams, settings, task)
    except ApprovalApiError as failure:
        return _failed(settings, task, failure)
    except Exception:  # noqa: BLE001  # a fault of ours becomes an incident that people see, not a task tried for ever
        _log.exception("external task failed", extra=_names(task))
        return Incident("An error in plan-api; its log has the details")


def _failed(settings: Settings, task: LockedTask, failure: ApprovalApiError) -> "Incident | _Retry":
    """What the table does not take has to be mended there; then retryPublication goes on, which knows of drafts in
    approval. A registration is tried again by itself, since its draft is in none yet.
    """
    message = failure.incident if isinstance(failure, UpstreamFailed) else str(failure)
    if isinstance(failure, WriteRefused) and task.topic_name != REGISTRATION:
        return Incident(message)
    return _postponed(settings, task, message)


@dataclass(frozen=True)
class _Retry:
    message: str
    retries: int
    pause_seconds: float
    outcome: ClassVar[str] = "retry"


def _postponed(settings: Settings, task: LockedTask, message: str) -> _Retry:
    """A further try, later each time; none are left after `publish_retries` of them.

    The last failure holds its lock for as long as a write of it may still arrive: until then nobody may take for
    granted that nothing was written.
    """
    left = settings.publish_retries if task.retries is None else task.retries - 1
    tried = settings.publish_retries - left
    pause = min(2.0 ** min(tried, 10), LONGEST_PAUSE)
    return _Retry(message, max(left, 0), pause if left > 0 else max(pause, LATE_WRITE))


async def _tell(upstreams: Upstreams, task: LockedTask, report: TaskResult | _Retry) -> None:
    match report:
        case Done(variables):
            await upstreams.camunda.complete_external(task, variables)
        case BpmnError(code, message, variables):
            await upstreams.camunda.raise_bpmn_error(task, code, message, variables)
        case Incident(message):
            await upstreams.camunda.fail(task, message, retries=0, pause_seconds=0)
        case _Retry(message, retries, pause_seconds):
            await upstreams.camunda.fail(task, message, retries=retries, pause_seconds=pause_seconds)


async def settle(upstreams: Upstreams, settings: Settings, draft_id: str, process_id: str) -> None:
    """Carry out what a process waits for now. Ends when it waits for none of ours, when that failed, or in time.

    A task that another worker holds is waited for, since the answer should tell what became of it.
    """
    worker_id = f"request-{uuid.uuid4().hex}"
    now = asyncio.get_running_loop().time
    until, is_first = now() + seconds_left(settings.settle_seconds), True
    while now() < until:
        locked = await _locked(upstreams, settings, draft_id, worker_id)
        for task in locked:
            await carry_out(upstreams, settings, task)
        waiting = (await upstreams.camunda.external_tasks_by_process([process_id])).get(process_id, [])
        if not locked:
            await _demand_shown(upstreams, waiting, is_first=is_first)
        if all(task.has_failed for task in waiting):
            return
        is_first = False
        if not locked:
            await asyncio.sleep(SHORTEST_LOOK)


async def _demand_shown(upstreams: Upstreams, waiting: Sequence[ExternalTask], *, is_first: bool) -> None:
    """Nothing could be locked: that is for want of work, if it is not for want of a permission. Raises Denied."""
    if is_first and not waiting:
        await demand(upstreams.camunda, READ_INSTANCES)
    elif any(not task.has_failed and task.worker_id is None for task in waiting):
        await demand(upstreams.camunda, UPDATE_INSTANCES)


async def _locked(upstreams: Upstreams, settings: Settings, draft_id: str, worker_id: str) -> list[LockedTask]:
    """What waits, now ours. With a lost answer we do not know what we have: it is given back, and asked for again."""
    fetch = partial(
        upstreams.camunda.fetch_and_lock,
        worker_id,
        limit=len(WORK),
        lock_seconds=settings.lock_seconds,
        business_key=draft_id,
    )
    try:
        return await fetch()
    except Unreachable:
        for task in await upstreams.camunda.locked_by(worker_id):
            await upstreams.camunda.unlock(task)
        return await fetch()


def _names(task: LockedTask) -> dict[str, str]:
    return {"topic": task.topic_name, "process_id": task.process_instance_id, "external_task": task.id}
