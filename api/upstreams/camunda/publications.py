"""Publications ahead: submissions by the time their plan is to be published, as proposed or as approved."""

from collections.abc import Sequence

from api.upstreams.camunda.authorizations import READ_HISTORY, demand
from api.upstreams.camunda.client import Camunda
from api.upstreams.camunda.involvement import Submitted
from api.upstreams.camunda.process_variables import NO_VARIABLES, names

_TIMED = names("draft_id", "publish_at")


async def publications(camunda: Camunda, conditions: Sequence[object], *, at_most: int) -> list[Submitted] | None:
    """Drafts and their running processes that meet conditions on variables, the first to be published first.

    None for more than `at_most` processes, whether or not each is about a draft. Two requests; one where there is none,
    and then one more that confirms it, or where there are too many. Raises Denied.
    """
    found = await camunda.processes({"unfinished": True, "variables": list(conditions)}, limit=at_most + 1)
    if len(found) > at_most:
        return None
    if not found:
        await demand(camunda, READ_HISTORY)
        return []
    variables = await camunda.variables_by_process([process.id for process in found], _TIMED)
    timed = [
        (values.publish_at, Submitted(values.draft_id, process.id))
        for process in found
        if (values := variables.get(process.id, NO_VARIABLES)).draft_id and values.publish_at
    ]
    return [submitted for _, submitted in sorted(timed)]
