"""Reads of the engine's history with proof of absence: what is missing really does not exist, or Denied is raised.

The engine leaves out silently what a missing permission hides. Every process of ours has the variable `draftId`; one
without it is hidden from this service, or its history level is too low.
"""

import asyncio
from collections.abc import Sequence

import msgspec

from api.upstreams.camunda.authorizations import READ_HISTORY, READ_INSTANCES, READ_TASKS, demand, hidden
from api.upstreams.camunda.client import Camunda
from api.upstreams.camunda.involvement import NO_PROCESS
from api.upstreams.camunda.process_variables import LINK_VARIABLES, VARIABLES, ProcessVariables
from api.upstreams.camunda.records import ProcessInstance, Task, plausible
from api.upstreams.camunda.submissions import submissions
from resilience.http.request import Params

COMPLETED = "completed"  # how a task of the history ended, unless it was cancelled


class _Counted(msgspec.Struct, frozen=True):
    count: int


class _Ended(msgspec.Struct, frozen=True, rename="camel"):
    delete_reason: str | None = None


async def known_variables(
    camunda: Camunda, process_ids: Sequence[str], names: Sequence[str] = VARIABLES
) -> dict[str, ProcessVariables]:
    """The named variables by process: one request, more only for processes that seem to have none. Raises Denied."""
    found = await camunda.variables_by_process(process_ids, names)
    silent = [each for each in plausible(process_ids) if each not in found and each != NO_PROCESS]
    if silent and not set(LINK_VARIABLES) <= set(names):
        linked = await camunda.variables_by_process(silent, LINK_VARIABLES)
        silent = [process_id for process_id in silent if process_id not in linked]
    if silent and await known_processes(camunda, silent):
        raise hidden()
    return found


async def known_processes(camunda: Camunda, process_ids: Sequence[str]) -> dict[str, ProcessInstance]:
    """Processes by id: one request, three more if one is missing. Raises Denied."""
    found = await camunda.processes_by_id(process_ids)
    absent = [process_id for process_id in process_ids if process_id not in found and process_id != NO_PROCESS]
    if absent:
        await demand(camunda, READ_HISTORY, READ_INSTANCES)
        await _demand_ended(camunda, absent)
    return found


async def _demand_ended(camunda: Camunda, process_ids: Sequence[str]) -> None:
    """Make sure that none of these processes runs, since the history has none of them. Raises Denied."""
    body = {**camunda.own.of_our_keys, "processInstanceIds": process_ids}
    answer = await camunda.engine.call("POST", "/process-instance/count", body=body, idempotent=True)
    if camunda.engine.decode(answer, _Counted).count:
        raise hidden()


async def known_submissions(camunda: Camunda, draft_ids: Sequence[str]) -> dict[str, list[ProcessInstance]]:
    """Every submission of each draft: one request more if no draft has any. Raises Denied."""
    found = await submissions(camunda, draft_ids)
    if found and not any(found.values()):
        await demand(camunda, READ_HISTORY)
    return found


async def tasks_by_id(camunda: Camunda, task_ids: Sequence[str]) -> dict[str, Task]:
    """Tasks by id: one request for all open ones, and one for each closed one. Raises Denied.

    The permissions are read concurrently, so that a closed task and one that never existed take the same time.
    """
    asked = plausible(task_ids)
    if not asked:
        return {}
    found = {task.id: task for task in await camunda.tasks({"taskIdIn": asked}, limit=len(asked))}
    absent = [task_id for task_id in asked if task_id not in found]
    if not absent:
        return found
    past, _ = await asyncio.gather(
        asyncio.gather(*(closed_task(camunda, task_id) for task_id in absent)),
        demand(camunda, READ_TASKS, READ_HISTORY),
    )
    return found | {task.id: task for task in past if task is not None}


async def closed_task(camunda: Camunda, task_id: str) -> Task | None:
    """A closed task by the history; None if there never was one. Raises Denied.

    A task that is open in the history, but not among the open tasks, is hidden there.
    """
    past = await camunda.past_task(task_id)
    if past is not None and past.ended is None:
        await demand(camunda, READ_TASKS)
    return past


async def has_completed_task(camunda: Camunda, process_id: str) -> bool:
    """Whether a person completed any user task of a process: a request for each key of ours, more if nobody did.

    Of our keys with any source: a process of an older model may have none. Raises Denied.
    """
    query = {"processInstanceId": process_id, "taskDeleteReason": COMPLETED, "finished": True}
    params: Params = {"maxResults": 1}
    for of_a_key in camunda.own.of_each_key:
        body = {**query, **of_a_key}
        answer = await camunda.engine.call("POST", "/history/task", body=body, idempotent=True, params=params)
        if any(task.delete_reason == COMPLETED for task in camunda.engine.decode(answer, list[_Ended])):
            return True
    await demand(camunda, READ_HISTORY)
    return False
