"""Which drafts a person has to do with, by the engine: they submitted one, held one of its tasks, or were offered it.

Asked by loaders for lists and by coordination for one draft. What they may do with it is not decided here.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from api.identity import same_person
from api.upstreams.camunda import Camunda
from api.upstreams.client import Params
from api.upstreams.engine import ProcessInstance, concerns, plausible, text

MOST_LISTED = 2000  # of each kind: tasks that wait, tasks once held, submissions
_PAGE = 5000
_NEWEST_FIRST = [{"sortBy": "startTime", "sortOrder": "desc"}]


NO_PROCESS = "00000000-0000-0000-0000-000000000000"
"""The id of no process, to ask about in the place of one where there is none."""


class Submitted(NamedTuple):
    """A draft, and the process it was last submitted to."""

    draft_id: str
    process_id: str | None


class _Step(msgspec.Struct, frozen=True, rename="camel"):
    """A task of the history, as far as it tells whom it concerned."""

    process_instance_id: str
    process_definition_id: str
    task_definition_key: str
    assignee: str | None = None


async def involved(
    camunda: Camunda, drafts: Sequence[Submitted], user_id: str, groups: Iterable[str]
) -> dict[Submitted, bool]:
    """Which of these drafts the person has to do with: one request, or four and one a model, however many they are.

    Open tasks count as the engine offers them. Closed ones count as their model does, since the engine tells whom a
    closed task was offered for one task and one group at a time only.
    """
    process_ids = plausible([draft.process_id for draft in drafts if draft.process_id])
    waiting = await _with_open_task(camunda, process_ids, user_id, groups)
    left = [draft for draft in drafts if draft.process_id and draft.process_id not in waiting]
    once = await _once_involved(camunda, left, user_id, frozenset(groups)) if left else set()
    return {draft: draft.process_id in waiting or draft.draft_id in once for draft in drafts}


async def _with_open_task(
    camunda: Camunda, process_ids: Sequence[str], user_id: str, groups: Iterable[str]
) -> set[str]:
    if not process_ids:
        return set()
    query = {"processInstanceIdIn": list(process_ids), "orQueries": [concerns(user_id, groups)]}
    return {task.process_instance_id for task in await camunda.tasks(query, limit=_PAGE)}


async def _once_involved(
    camunda: Camunda, drafts: Sequence[Submitted], user_id: str, groups: frozenset[str]
) -> set[str]:
    """The ids of those that concerned the person in any submission, the present one included."""
    draft_ids = [draft.draft_id for draft in drafts]
    processes, steps = await asyncio.gather(
        camunda.processes_by_draft(draft_ids), _steps(camunda, {"processInstanceBusinessKeyIn": draft_ids}, limit=_PAGE)
    )
    drafts_by_process = {draft.process_id: draft.draft_id for draft in drafts if draft.process_id}
    drafts_by_process |= {process.id: draft_id for draft_id, found in processes.items() for process in found}
    variables, offered = await asyncio.gather(
        camunda.variables_by_process(list(drafts_by_process), ["submittedBy"]),
        camunda.candidate_groups_by_definition(sorted({step.process_definition_id for step in steps})),
    )
    own = {
        process_id for process_id, values in variables.items() if same_person(text(values.get("submittedBy")), user_id)
    }
    concerned = {step.process_instance_id for step in steps if _concerned(step, user_id, groups, offered)}
    return {drafts_by_process[process_id] for process_id in own | concerned if process_id in drafts_by_process}


def _concerned(
    step: _Step, user_id: str, groups: frozenset[str], offered: Mapping[str, Mapping[str, Sequence[str]]]
) -> bool:
    candidates = offered.get(step.process_definition_id, {}).get(step.task_definition_key, [])
    return same_person(step.assignee, user_id) or not groups.isdisjoint(candidates)


async def concerning(camunda: Camunda, user_id: str, groups: Iterable[str]) -> list[str]:
    """The processes a person has to do with: those of tasks that wait for them, that they held, and that they started.

    Three requests; of each kind the newest `MOST_LISTED`.
    """
    waiting, held, started = await asyncio.gather(
        camunda.tasks(
            {"orQueries": [concerns(user_id, groups)]},
            limit=MOST_LISTED,
            sorting=[{"sortBy": "created", "sortOrder": "desc"}],
        ),
        _steps(camunda, {"taskAssignee": user_id}, limit=MOST_LISTED),
        _started_by(camunda, user_id),
    )
    return list(
        dict.fromkeys(
            [task.process_instance_id for task in waiting]
            + [step.process_instance_id for step in held]
            + [process.id for process in started]
        )
    )


async def _steps(camunda: Camunda, query: Mapping[str, object], *, limit: int) -> list[_Step]:
    params: Params = {"maxResults": limit}
    body = {**camunda.own.tasks(query), "sorting": _NEWEST_FIRST}
    answer = await camunda.engine.call("POST", "/history/task", body=body, again=True, params=params)
    return camunda.engine.decode(answer, list[_Step])


async def _started_by(camunda: Camunda, user_id: str) -> list[ProcessInstance]:
    params: Params = {"maxResults": MOST_LISTED}
    by_them = [{"name": "submittedBy", "operator": "eq", "value": user_id}]
    body = camunda.own.processes({"variables": by_them, "sorting": _NEWEST_FIRST})
    answer = await camunda.engine.call("POST", "/history/process-instance", body=body, again=True, params=params)
    return camunda.engine.decode(answer, list[ProcessInstance])
