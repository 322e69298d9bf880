"""The submissions of drafts: every process of each draft, however it was started.

Processes that this service starts have the draft's id as business key. One started in Tasklist may have none, or
another; all have the variable `draftId`.
"""

from collections.abc import Iterable, Mapping, Sequence

from api.upstreams.camunda.client import PAGE, Camunda
from api.upstreams.camunda.process_variables import condition, names
from api.upstreams.camunda.records import ProcessInstance

_NEWEST_FIRST = [{"sortBy": "startTime", "sortOrder": "desc"}, {"sortBy": "instanceId", "sortOrder": "asc"}]


async def submissions(camunda: Camunda, draft_ids: Sequence[str]) -> dict[str, list[ProcessInstance]]:
    """Every submission of each draft, newest first: one request, one more if a process has another business key."""
    if not draft_ids:
        return {}
    found = await _found(camunda, draft_ids)
    named = await _draft_ids(camunda, frozenset(draft_ids), found)
    grouped: dict[str, list[ProcessInstance]] = {draft_id: [] for draft_id in draft_ids}
    for process in found:
        grouped.get(named.get(process.id, ""), []).append(process)
    return grouped


async def _found(camunda: Camunda, draft_ids: Sequence[str]) -> list[ProcessInstance]:
    query = {"orQueries": [of_any(draft_ids, "variables")], "sorting": _NEWEST_FIRST}
    found: list[ProcessInstance] = []
    while True:
        page = await camunda.processes(query, limit=PAGE, offset=len(found))
        found += page
        if len(page) < PAGE:
            return found


def of_any(draft_ids: Sequence[str], variables: str) -> dict[str, object]:
    """A condition for `orQueries`: of one of these drafts. `variables`: the property for variables in that query."""
    named = [condition("draft_id", draft_id) for draft_id in draft_ids]
    return {"processInstanceBusinessKeyIn": list(draft_ids), variables: named}


async def _draft_ids(
    camunda: Camunda, draft_ids: frozenset[str], found: Iterable[ProcessInstance]
) -> Mapping[str, str]:
    """Process id → draft id."""
    keys = {process.id: process.business_key or "" for process in found}
    known = {process_id: key for process_id, key in keys.items() if key in draft_ids}
    others = [process_id for process_id in keys if process_id not in known]
    variables = await camunda.variables_by_process(others, names("draft_id")) if others else {}
    return known | {process_id: values.draft_id or "" for process_id, values in variables.items()}
