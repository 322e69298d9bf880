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
from api.upstreams.ownership import LINK_VARIABLES

MOST_LISTED = 2000  # of each kind: tasks that wait, tasks once held, submissions
_PAGE = 5000
_NEWEST_FIRST = [{"sortBy": "startTime", "sortOrder": "desc"}]


NO_PROCESS = "00000000-0000-0000-0000-000000000000"
"""The id of no process, to ask about in the place of one where there is none."""
NO_DRAFTS = (NO_PROCESS, "0")
"""The same for a draft's: one of them can be an id of the table, whatever type these have."""


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
    """Which of these drafts the person has to do with: two requests, or five and one a model, however many they are.

    A draft whose process is another's concerns nobody by it.

    Open tasks count as the engine offers them. Closed ones count as their model does, since the engine tells whom a
    closed task was offered for one task and one group at a time only.
    """
    process_ids = plausible([draft.process_id for draft in drafts if draft.process_id])
    links, waiting = await asyncio.gather(
        camunda.variables_by_process(process_ids, LINK_VARIABLES),
        _with_open_task(camunda, process_ids, user_id, groups),
    )
    linked = [draft for draft in drafts if camunda.own.links(links.get(draft.process_id or "", {}), draft.draft_id)]
    now = {draft for draft in linked if draft.process_id in waiting}
    # Those whose process is another's are looked for as the others are: they cost, and so tell, the same.
    past = [draft for draft in drafts if draft.process_id and draft not in now]
    once = await _once_involved(camunda, past, user_id, frozenset(groups)) if past else set()
    return {draft: draft in now or draft in once for draft in drafts}


async def _with_open_task(
    camunda: Camunda, process_ids: Sequence[str], user_id: str, groups: Iterable[str]
) -> set[str]:
    if not process_ids:
        return set()
    query = {"processInstanceIdIn": list(process_ids), "orQueries": [concerns(user_id, groups)]}
    return {task.process_instance_id for task in await camunda.tasks(query, limit=_PAGE)}


async def _once_involved(
    camunda: Camunda, drafts: Sequence[Submitted], user_id: str, groups: frozenset[str]
) -> set[Submitted]:
    """Those that concerned the person in any submission, the present one included."""
    draft_ids = [draft.draft_id for draft in drafts]
    processes, steps = await asyncio.gather(
        camunda.processes_by_draft(draft_ids), _steps(camunda, {"processInstanceBusinessKeyIn": draft_ids}, limit=_PAGE)
    )
    known = {draft.process_id for draft in drafts if draft.process_id}
    known |= {process.id for found in processes.values() for process in found}
    variables, offered = await asyncio.gather(
        camunda.variables_by_process(sorted(known), ("submittedBy", "previousProcessId", *LINK_VARIABLES)),
        camunda.candidate_groups_by_definition(sorted({step.process_definition_id for step in steps})),
    )
    own = {
        process_id for process_id, values in variables.items() if same_person(text(values.get("submittedBy")), user_id)
    }
    concerned = {step.process_instance_id for step in steps if _concerned(step, user_id, groups, offered)}
    return {
        draft
        for draft in drafts
        if not (own | concerned).isdisjoint(camunda.own.submissions(draft.draft_id, draft.process_id, variables))
    }


def _concerned(
    step: _Step, user_id: str, groups: frozenset[str], offered: Mapping[str, Mapping[str, Sequence[str]]]
) -> bool:
    candidates = offered.get(step.process_definition_id, {}).get(step.task_definition_key, [])
    return same_person(step.assignee, user_id) or not groups.isdisjoint(candidates)


async def concerning(camunda: Camunda, user_id: str, groups: Iterable[str]) -> list[Submitted]:
    """What a person has to do with: the processes of tasks that wait for them, that they held, and that they started,
    each with the draft it is of.

    Four requests; of each kind the newest `MOST_LISTED`.
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
    process_ids = list(
        dict.fromkeys(
            [task.process_instance_id for task in waiting]
            + [step.process_instance_id for step in held]
            + [process.id for process in started]
        )
    )
    variables = await camunda.variables_by_process(process_ids, ["draftId"])
    named = {process_id: text(variables[process_id].get("draftId")) for process_id in process_ids}
    return [Submitted(draft_id, process_id) for process_id, draft_id in named.items() if draft_id]


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
