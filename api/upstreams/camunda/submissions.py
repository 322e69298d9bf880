"""The submissions of drafts: every process a draft was ever carried by, however it was started.

Processes that this service starts have the draft's id as business key. One started in Tasklist may have none, or
another; every one of ours has it as its variable `draftId`.
"""

from collections.abc import Iterable, Mapping, Sequence

from api.upstreams.camunda.client import PAGE, Camunda
from api.upstreams.camunda.records import ProcessInstance

_NEWEST_FIRST = [{"sortBy": "startTime", "sortOrder": "desc"}, {"sortBy": "instanceId", "sortOrder": "asc"}]


async def submissions(camunda: Camunda, draft_ids: Sequence[str]) -> dict[str, list[ProcessInstance]]:
    """Every submission of each draft, newest first: one request, one more where a process has another business key."""
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
    """What belongs to one of these drafts, for the engine's `orQueries`. `variables`: its name for those there."""
    named = [{"name": "draftId", "operator": "eq", "value": draft_id} for draft_id in draft_ids]
    return {"processInstanceBusinessKeyIn": list(draft_ids), variables: named}


async def _draft_ids(
    camunda: Camunda, draft_ids: frozenset[str], found: Iterable[ProcessInstance]
) -> Mapping[str, str]:
    """Process id → the draft it carries."""
    keys = {process.id: process.business_key or "" for process in found}
    known = {process_id: key for process_id, key in keys.items() if key in draft_ids}
    others = [process_id for process_id in keys if process_id not in known]
    variables = await camunda.variables_by_process(others, ["draftId"]) if others else {}
    return known | {process_id: str(values.get("draftId")) for process_id, values in variables.items()}
