"""Drafts whose process ended without writing its end on them. Used by submit.py and withdraw.py."""

from api.upstreams import Upstreams
from api.upstreams.retool import Draft

OUTCOMES = ("rejected", "returned", "conflict", "withdrawn")


async def released(upstreams: Upstreams, draft: Draft) -> Draft:
    """The draft as it now is: one that waits for a process the engine no longer runs waits no longer.

    An operator may delete a process, and a database may be set back to an earlier day. What the process came to is
    written on the draft; one that came to nothing counts as withdrawn. The write changes nothing when the process
    ended as it should in the meantime, so it may be repeated.
    """
    process_id = draft.camunda_process_id or ""
    process = (await upstreams.camunda.processes_by_id([process_id])).get(process_id)
    if not draft.is_submitted or (process is not None and process.is_active):
        return draft
    variables = (await upstreams.camunda.variables_by_process([process_id])).get(process_id, {})
    outcome, plan_id = variables.get("approvalOutcome"), variables.get("aidboxPlanId")
    if outcome == "approved" and plan_id is not None:
        await upstreams.retool.mark_published(draft.id, process_id, str(plan_id))
    else:
        written = str(outcome) if outcome in OUTCOMES else "withdrawn"
        await upstreams.retool.record_outcome(draft.id, process_id, written)
    return await upstreams.retool.draft(draft.id) or draft
