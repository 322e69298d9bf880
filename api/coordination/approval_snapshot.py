"""The approval of a draft as it stands right now, read fresh from the engine and the drafts. For the verbs' answers."""

import asyncio
from dataclasses import dataclass

from api.coordination.rules.approval_state import Standing, is_between_steps, is_idle, standing
from api.upstreams import Upstreams
from api.upstreams.camunda.authorizations import READ_INSTANCES, READ_TASKS, demand
from api.upstreams.camunda.confirmed_history import known_processes, known_variables
from api.upstreams.camunda.records import text
from api.upstreams.retool.records import Draft


@dataclass(frozen=True)
class Approval:
    """`reason` says why, for a conflict. `plan_id` and `plan_version` name what was published, if anything was."""

    process_id: str
    draft: Draft | None
    standing: Standing
    reason: str | None
    plan_id: str | None
    plan_version: str | None


async def approval_of(upstreams: Upstreams, draft_id: str, process_id: str) -> Approval:
    """Ask the drafts and the engine, side by side, how a process and its draft stand."""
    asked = [process_id]
    draft, processes, variables, tasks, waiting = await asyncio.gather(
        upstreams.retool.draft(draft_id),
        known_processes(upstreams.camunda, asked),
        known_variables(upstreams.camunda, asked),
        upstreams.camunda.open_tasks_by_process(asked),
        upstreams.camunda.external_tasks_by_process(asked),
    )
    values = variables.get(process_id, {})
    found = processes.get(process_id), values, tasks.get(process_id, []), waiting.get(process_id, [])
    if is_idle(found[0], *found[2:]):
        await demand(upstreams.camunda, READ_TASKS, READ_INSTANCES)
    timers = await upstreams.camunda.timers_by_process(asked) if is_between_steps(*found) else {}
    where = standing(draft, *found, timers.get(process_id))
    reason, plan_id, version = (text(values.get(name)) for name in ("reason", "aidboxPlanId", "publishedVersion"))
    return Approval(
        process_id, draft, where, reason=reason or None, plan_id=plan_id or None, plan_version=version or None
    )
