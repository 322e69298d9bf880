"""What the engine knows of processes and closed tasks, where rules rest on it: what is absent is really not there.

Every process of ours has `draftId`. One without it is not shown to this service, or is kept by too low a history level.
"""

import asyncio
from collections.abc import Sequence

import msgspec

from api.upstreams.camunda.authorizations import READ_HISTORY, READ_INSTANCES, READ_TASKS, demand, hidden
from api.upstreams.camunda.client import Camunda
from api.upstreams.camunda.involvement import NO_PROCESS
from api.upstreams.camunda.ownership import LINK_VARIABLES
from api.upstreams.camunda.records import VARIABLES, ProcessInstance, Scalar, Task, plausible
from api.upstreams.camunda.submissions import submissions


class _Counted(msgspec.Struct, frozen=True):
    count: int


async def known_variables(
    camunda: Camunda, process_ids: Sequence[str], names: Sequence[str] = VARIABLES
) -> dict[str, dict[str, Scalar]]:
    """The named variables of processes: one request, more only for those that seem to have none. Raises Denied."""
    found = await camunda.variables_by_process(process_ids, names)
    silent = [process_id for process_id, values in found.items() if not values and process_id != NO_PROCESS]
    if silent and not set(LINK_VARIABLES) <= set(names):
        linked = await camunda.variables_by_process(silent, LINK_VARIABLES)
        silent = [process_id for process_id in silent if not linked[process_id]]
    if silent and await known_processes(camunda, silent):
        raise hidden()
    return found


async def known_processes(camunda: Camunda, process_ids: Sequence[str]) -> dict[str, ProcessInstance]:
    """Processes by id: one request, three more where one is not there. Raises Denied."""
    found = await camunda.processes_by_id(process_ids)
    absent = [process_id for process_id in process_ids if process_id not in found and process_id != NO_PROCESS]
    if absent:
        await demand(camunda, READ_HISTORY, READ_INSTANCES)
        await _demand_ended(camunda, absent)
    return found


async def _demand_ended(camunda: Camunda, process_ids: Sequence[str]) -> None:
    """Whether none of these runs, though the history has none of them. Raises Denied."""
    body = {**camunda.own.of_our_key, "processInstanceIds": process_ids}
    answer = await camunda.engine.call("POST", "/process-instance/count", body=body, idempotent=True)
    if camunda.engine.decode(answer, _Counted).count:
        raise hidden()


async def known_submissions(camunda: Camunda, draft_ids: Sequence[str]) -> dict[str, list[ProcessInstance]]:
    """Every submission of each draft: one request more where there is none of any. Raises Denied."""
    found = await submissions(camunda, draft_ids)
    if found and not any(found.values()):
        await demand(camunda, READ_HISTORY)
    return found


async def tasks_by_id(camunda: Camunda, task_ids: Sequence[str]) -> dict[str, Task]:
    """Tasks by id: the open ones by one request; the engine tells of closed ones one at a time only. Raises Denied.

    Whether tasks may be read is asked beside that, so that a closed task and one that never was take the same time.
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
    """A task that is not among the open ones, by the history; None when there never was one. Raises Denied.

    One that is still open for the history is hidden among the open ones.
    """
    past = await camunda.past_task(task_id)
    if past is not None and past.ended is None:
        await demand(camunda, READ_TASKS)
    return past
