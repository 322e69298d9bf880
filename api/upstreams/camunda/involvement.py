"""Involvement of a person in drafts, by the engine: as submitter, or as assignee or candidate of a task, ever.

What an involved person may do is decided by coordination/rules/permissions.py.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from api.upstreams.camunda.authorizations import READ_HISTORY, READ_TASKS, demand, hidden
from api.upstreams.camunda.candidates import concerns_person, offers_by_model
from api.upstreams.camunda.client import Camunda
from api.upstreams.camunda.process_variables import LINK_VARIABLES, NO_VARIABLES, condition, names
from api.upstreams.camunda.records import concerns, plausible
from api.upstreams.camunda.submissions import of_any, submissions
from authentication.identity import same_person
from process_models.bpmn import NOBODY

MOST_LISTED = 2000  # of each kind: tasks that wait, tasks once held, submissions
_PAGE = 5000
_NEWEST_FIRST = [{"sortBy": "startTime", "sortOrder": "desc"}]
_CHAIN = names("submitted_by", "previous_process_id", "draft_id", "draft_source")


NO_PROCESS = "00000000-0000-0000-0000-000000000000"
"""The id of no process, for requests that must cost the same where there is no process."""
NO_DRAFTS = (NO_PROCESS, "0")
"""The same for drafts: one of the two is of the id column's type, whatever that is."""


class Submitted(NamedTuple):
    """A draft, and the process it was last submitted to."""

    draft_id: str
    process_id: str | None


async def involved(
    camunda: Camunda, drafts: Sequence[Submitted], user_id: str, groups: Iterable[str]
) -> dict[Submitted, bool]:
    """Which of these drafts the person is involved in: two requests, or a few more, for any number of drafts.

    A process that is another draft's does not count. Candidates of open tasks are the engine's; those of closed tasks
    are the history's and the model's, since the history has them at level full alone, one group a request.
    """
    process_ids = plausible([draft.process_id for draft in drafts if draft.process_id])
    links, waiting = await asyncio.gather(
        camunda.variables_by_process(process_ids, LINK_VARIABLES),
        _with_open_task(camunda, process_ids, user_id, groups),
    )
    linked = [
        draft for draft in drafts if camunda.own.links(links.get(draft.process_id or "", NO_VARIABLES), draft.draft_id)
    ]
    now = {draft for draft in linked if draft.process_id in waiting}
    # Drafts whose process is another's are looked up like the others, so that cost and timing reveal nothing.
    past = [draft for draft in drafts if draft.process_id and draft not in now]
    once = await _once_involved(camunda, past, user_id, frozenset(groups)) if past else set()
    if len(now) + len(once) < len(drafts):
        await demand(camunda, READ_HISTORY)
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
    """Those that the person was involved in by any submission, the current one included."""
    draft_ids = [draft.draft_id for draft in drafts]
    of_drafts = {"orQueries": [of_any(draft_ids, "processVariables")]}
    processes, steps = await asyncio.gather(
        submissions(camunda, draft_ids), camunda.past_tasks(of_drafts, limit=_PAGE, sorting=_NEWEST_FIRST)
    )
    known = {draft.process_id for draft in drafts if draft.process_id}
    known |= {process.id for found in processes.values() for process in found}
    variables, offered, linked = await asyncio.gather(
        camunda.variables_by_process(sorted(known), _CHAIN),
        offers_by_model(camunda, steps),
        _once_offered(camunda, draft_ids, user_id, groups),
    )
    if any(processes.values()) and not variables:
        raise hidden()
    own = {process_id for process_id, values in variables.items() if same_person(values.submitted_by, user_id)}
    concerned = linked | {
        step.process_instance_id
        for step in steps
        if same_person(step.assignee, user_id) or concerns_person(offered.get(step.id, NOBODY), user_id, groups)
    }
    return {
        draft
        for draft in drafts
        if not (own | concerned).isdisjoint(camunda.own.submissions(draft.draft_id, draft.process_id, variables))
    }


async def _once_offered(camunda: Camunda, draft_ids: Sequence[str], user_id: str, groups: Iterable[str]) -> set[str]:
    """Processes of drafts with a task of which the person was a candidate by the history: one request a group."""
    of_drafts = of_any(draft_ids, "processVariables")
    asked = [{"taskHadCandidateUser": user_id, "taskHadCandidateGroup": group} for group in groups]
    found = await asyncio.gather(
        *(
            camunda.past_tasks({"orQueries": [of_drafts, to_them]}, limit=_PAGE, sorting=_NEWEST_FIRST)
            for to_them in asked or [{"taskHadCandidateUser": user_id}]
        )
    )
    return {task.process_instance_id for tasks in found for task in tasks}


async def concerning(camunda: Camunda, user_id: str, groups: Iterable[str]) -> list[Submitted]:
    """The drafts a person is involved in: by open tasks, by tasks they held, and by submissions, with their processes.

    Four requests; the newest `MOST_LISTED` of each kind.
    """
    by_them = [condition("submitted_by", user_id)]
    waiting, held, started = await asyncio.gather(
        camunda.tasks(
            {"orQueries": [concerns(user_id, groups)]},
            limit=MOST_LISTED,
            sorting=[{"sortBy": "created", "sortOrder": "desc"}],
        ),
        camunda.past_tasks({"taskAssignee": user_id}, limit=MOST_LISTED, sorting=_NEWEST_FIRST),
        camunda.processes({"variables": by_them, "sorting": _NEWEST_FIRST}, limit=MOST_LISTED),
    )
    if not waiting:
        await demand(camunda, READ_TASKS)
    if not held and not started:
        await demand(camunda, READ_HISTORY)
    process_ids = list(
        dict.fromkeys(
            [task.process_instance_id for task in waiting]
            + [step.process_instance_id for step in held]
            + [process.id for process in started]
        )
    )
    variables = await camunda.variables_by_process(process_ids, names("draft_id"))
    named = ((variables.get(process_id, NO_VARIABLES).draft_id, process_id) for process_id in process_ids)
    return [Submitted(draft_id, process_id) for draft_id, process_id in named if draft_id]
