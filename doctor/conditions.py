"""Checks that the engine knows every condition of the queries that the service sends.

An engine ignores a condition that it does not know, and answers with everything. Each is sent here with a value of a
wrong type: an engine that knows it refuses that (400), one that does not counts all there is (200).
"""

import asyncio
from collections.abc import Mapping, Sequence

from api.upstreams.camunda.client import Camunda
from doctor.finding import Finding, ok, wrong

WRONG_VALUE = {"no": "condition"}  # for a text, a number, a truth value, a list of any of them
CONDITIONS: Mapping[str, Sequence[str]] = {
    "/task": (
        "taskId", "taskIdIn", "processInstanceIdIn", "processDefinitionKey", "processVariables", "orQueries",
        "assignee", "candidateUser", "candidateGroup", "candidateGroups", "includeAssignedTasks", "withCandidateGroups",
        "createdAfter", "dueBefore", "minPriority", "taskDefinitionKey", "unassigned", "processDefinitionKeyIn",
    ),
    "/history/task": (
        "taskId", "processDefinitionKey", "processVariables", "processInstanceId", "taskDeleteReason", "finished",
        "processInstanceBusinessKeyIn", "taskAssignee", "taskHadCandidateUser", "taskHadCandidateGroup", "orQueries",
    ),
    "/history/process-instance": (
        "processInstanceIds", "processDefinitionKey", "variables", "processInstanceBusinessKey",
        "processInstanceBusinessKeyIn", "unfinished", "orQueries", "processDefinitionKeyIn",
    ),
    "/history/variable-instance": (
        "processInstanceIdIn", "variableNameIn", "variableNameLike",
    ),
    "/external-task": ("processInstanceIdIn", "workerId", "locked"),
    "/job": ("processInstanceIds", "timers"),
    "/process-instance": ("processInstanceIds", "processDefinitionKey", "processDefinitionKeyIn"),
}  # fmt: skip


async def look_at_conditions(camunda: Camunda) -> Finding:
    """The finding on the conditions that this engine ignores. A request for each of them; nothing is changed."""
    asked = [(route, condition) for route, conditions in CONDITIONS.items() for condition in conditions]
    ignored = await asyncio.gather(*(_is_ignored(camunda, *each) for each in asked))
    return judge_conditions([each for each, is_ignored in zip(asked, ignored, strict=True) if is_ignored])


def judge_conditions(ignored: Sequence[tuple[str, str]]) -> Finding:
    """The finding on ignored conditions, each with its route. Pure."""
    if not ignored:
        return ok("conditions", "all that are used are known")
    named = ", ".join(f"{condition} of {route}" for route, condition in ignored)
    return wrong("conditions", f"the engine ignores {named}, and then answers with everything: a newer one is needed")


async def _is_ignored(camunda: Camunda, route: str, condition: str) -> bool:
    response = await camunda.engine.call(
        "POST", f"{route}/count", answers=(200, 400, 404, 500), body={condition: WRONG_VALUE}, idempotent=True
    )
    return response.status_code in (200, 404)
