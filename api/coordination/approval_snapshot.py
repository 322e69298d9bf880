"""A snapshot of a draft's approval, read afresh from the engine and the drafts database for the answer of a verb."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from api.coordination.rules.approval_state import Progress, is_between_steps, is_idle, progress_of
from api.upstreams import Upstreams
from api.upstreams.camunda.authorizations import READ_INSTANCES, READ_TASKS, demand
from api.upstreams.camunda.confirmed_history import known_processes, known_variables
from api.upstreams.camunda.process_variables import NO_VARIABLES
from api.upstreams.camunda.records import ExternalTask
from api.upstreams.retool.records import Draft


@dataclass(frozen=True)
class Approval:
    """The state of an approval. `reason`: of a conflict. `plan_id` and `plan_version`: of the published plan.

    `waiting`: its external tasks.
    `publish_at`: when it was to be published, if not at once.
    """

    process_id: str
    draft: Draft | None
    progress: Progress
    waiting: Sequence[ExternalTask]
    reason: str | None
    plan_id: str | None
    plan_version: str | None
    publish_at: datetime | None


async def approval_of(
    upstreams: Upstreams,
    draft_id: str,
    process_id: str,
    *,
    waiting: Sequence[ExternalTask] | None = None,
    has_ended: bool = False,
) -> Approval:
    """The snapshot of a process and its draft: one round of concurrent reads, one more for what seems idle.

    `waiting`: the external tasks of the process, where they have just been read. `has_ended`: it probably has, so what
    it may wait for is read only if it has not.
    """
    asked, open_ones = [process_id], [] if has_ended else [process_id]
    draft, processes, variables, tasks, known = await asyncio.gather(
        upstreams.retool.draft(draft_id),
        known_processes(upstreams.camunda, asked),
        known_variables(upstreams.camunda, asked),
        upstreams.camunda.open_tasks_by_process(open_ones),
        upstreams.camunda.external_tasks_by_process(open_ones if waiting is None else []),
    )
    if has_ended and (process_id not in processes or processes[process_id].end_time is None):
        return await approval_of(upstreams, draft_id, process_id, waiting=waiting)
    values, waiting = variables.get(process_id, NO_VARIABLES), known.get(process_id, waiting or [])
    found = processes.get(process_id), values, tasks.get(process_id, []), waiting
    if is_idle(found[0], *found[2:]):
        await demand(upstreams.camunda, READ_TASKS, READ_INSTANCES)
    timers = await upstreams.camunda.timers_by_process(asked) if is_between_steps(*found) else {}
    progress = progress_of(draft, *found, timers.get(process_id))
    return Approval(
        process_id,
        draft,
        progress,
        waiting,
        reason=values.reason,
        plan_id=values.aidbox_plan_id,
        plan_version=values.published_version,
        publish_at=values.publish_at,
    )
