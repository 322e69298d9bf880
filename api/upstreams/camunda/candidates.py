"""Candidates of tasks, open and closed, by the engine's identity links.

Where the history has no links of a closed task (below level full), the model and the process's variables are read.
"""

import asyncio
from collections.abc import Iterable, Sequence

import msgspec

from api.errors import UpstreamFailed
from api.upstreams.camunda.client import Camunda
from api.upstreams.camunda.records import Task
from authentication.identity import same_person
from process_models.bpmn import NOBODY, Offer, resolved, variables_in
from resilience.http.request import Params

SAMPLES = 10  # tasks of a longer list that are asked about one by one at a time
ROUNDS = 10


class _Link(msgspec.Struct, frozen=True, rename="camel"):
    type: str
    group_id: str | None = None
    user_id: str | None = None


def _offer(links: Iterable[_Link]) -> Offer:
    candidates = [link for link in links if link.type == "candidate"]
    groups = sorted({link.group_id for link in candidates if link.group_id})
    return Offer(tuple(groups), tuple(sorted({link.user_id for link in candidates if link.user_id})))


def concerns_person(offer: Offer, user_id: str, groups: Iterable[str]) -> bool:
    """Whether a person is among the candidates, by name or by a group."""
    return not frozenset(groups).isdisjoint(offer.groups) or any(same_person(user_id, each) for each in offer.users)


async def was_offered(camunda: Camunda, task: Task, user_id: str, groups: Iterable[str]) -> bool:
    """Whether a person was a candidate of a closed task."""
    return concerns_person(await offer_of_closed(camunda, task), user_id, groups)


async def offer_of_closed(camunda: Camunda, task: Task) -> Offer:
    """The candidates that a closed task ever had: one request, three if the history has no links."""
    params: Params = {"taskId": task.id, "type": "candidate", "operationType": "add", "maxResults": 1000}
    answer = await camunda.engine.call("GET", "/history/identity-link-log", params=params, idempotent=True)
    logged = _offer(camunda.engine.decode(answer, list[_Link]))
    return logged if logged != NOBODY else (await offers_by_model(camunda, [task]))[task.id]


async def offers_by_model(camunda: Camunda, tasks: Sequence[Task]) -> dict[str, Offer]:
    """Task id → candidates by its model: a request for each model, one more if candidates are variables."""
    models = await camunda.offers_by_definition(sorted({task.process_definition_id for task in tasks}))
    named = {task.id: models[task.process_definition_id].get(task.task_definition_key, NOBODY) for task in tasks}
    names = sorted(variables_in(named.values()))
    processes = sorted({task.process_instance_id for task in tasks if variables_in([named[task.id]])})
    values = await camunda.values_by_process(processes, names) if names else {}
    return {task.id: resolved(named[task.id], values.get(task.process_instance_id, {})) for task in tasks}


async def candidate_groups(camunda: Camunda, groups: Iterable[str], tasks: Sequence[Task]) -> dict[Task, list[str]]:
    """The candidate groups of each task. `groups`: the viewer's, which are looked up in any case.

    One open task costs one request. A longer list costs requests by the number of its groups, not of its tasks.
    """
    waiting = [task for task in tasks if task.ended is None]
    closed = [task for task in tasks if task.ended is not None]
    asked = _one_by_one(camunda, waiting) if len(waiting) < 2 else _group_by_group(camunda, frozenset(groups), waiting)
    now, past = await asyncio.gather(asked, asyncio.gather(*(offer_of_closed(camunda, task) for task in closed)))
    return {task: sorted(now[task.id]) for task in waiting} | {
        task: sorted(offer.groups) for task, offer in zip(closed, past, strict=True)
    }


async def _one_by_one(camunda: Camunda, tasks: Sequence[Task]) -> dict[str, set[str]]:
    offers = await asyncio.gather(*(_offer_of_open(camunda, task) for task in tasks))
    return {task.id: set(offer.groups) for task, offer in zip(tasks, offers, strict=True)}


async def _offer_of_open(camunda: Camunda, task: Task) -> Offer:
    """The candidates of an open task; by the history if it was closed in the meantime (answered as an error)."""
    answer = await camunda.engine.call(
        "GET", f"/task/{task.id}/identity-links", answers=(200, 404, 500), idempotent=True
    )
    if answer.status_code != 200:
        return await offer_of_closed(camunda, task)
    return _offer(camunda.engine.decode(answer, list[_Link]))


async def _group_by_group(camunda: Camunda, viewers: frozenset[str], tasks: Sequence[Task]) -> dict[str, set[str]]:
    """The candidate groups of a list. The engine returns the groups of one task a request, but all tasks of a group.

    1. Read the groups of one sample task of each step, then the tasks of each of these groups.
    2. Repeat with samples of tasks that have candidate groups but none of the known ones, and of tasks that a further
       group of the viewer's has.
    3. Stop when there are no such tasks: every group of the viewer's and at least one group of each task is known.
    """
    by_id = {task.id: task for task in tasks}
    found: dict[str, set[str]] = {task_id: set() for task_id in by_id}
    known: set[str] = set()
    samples = list({(task.process_definition_id, task.task_definition_key): task for task in tasks}.values())
    for _ in range(ROUNDS):
        groups = set[str]().union(*(await _one_by_one(camunda, samples)).values()) - known
        known |= groups
        for group, task_ids in (await _tasks_by_group(camunda, by_id, groups)).items():
            for task_id in task_ids:
                found[task_id].add(group)
        unknown = [task_id for task_id, of_task in found.items() if not of_task]
        samples = [by_id[task_id] for task_id in await _further(camunda, unknown, list(by_id), viewers - known)]
        if not samples:
            return found
    raise UpstreamFailed("camunda", "These tasks have too many candidate groups for one request; ask for fewer tasks")


async def _further(
    camunda: Camunda, unknown: Sequence[str], task_ids: Sequence[str], groups: frozenset[str]
) -> list[str]:
    """Samples of tasks with unknown groups: those without a known one, and those of `groups`."""
    further: list[Task] = []
    if unknown:
        query = {"taskIdIn": unknown, "withCandidateGroups": True, "includeAssignedTasks": True}
        further += await camunda.tasks(query, limit=SAMPLES)
    if groups:
        query = {"taskIdIn": task_ids, "candidateGroups": sorted(groups), "includeAssignedTasks": True}
        further += await camunda.tasks(query, limit=SAMPLES)
    return list(dict.fromkeys(task.id for task in further))


async def _tasks_by_group(camunda: Camunda, task_ids: Iterable[str], groups: Iterable[str]) -> dict[str, list[str]]:
    asked, ids = sorted(groups), list(task_ids)
    pages = await asyncio.gather(
        *(
            camunda.tasks({"taskIdIn": ids, "candidateGroup": group, "includeAssignedTasks": True}, limit=len(ids))
            for group in asked
        )
    )
    return {group: [task.id for task in page] for group, page in zip(asked, pages, strict=True)}
