"""Drafts whose process ended without writing its end on them, brought to that end. Used by the worker's sweep, and by
submit.py, withdraw.py and decide.py for the one draft they are about.

Our own process never leaves one behind. A process model without our external tasks does, as may an operator who
deletes an instance, or a database that was set back to an earlier day.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from api import telemetry
from api.coordination.draft_process import Linked, linked_process
from api.coordination.process.publish import plan_id_of, publish_reviewed, published_version, says_the_same
from api.coordination.process.task_result import BpmnError, Done
from api.coordination.rules.approval_state import decided
from api.errors import ApprovalApiError, Gone
from api.settings import Settings
from api.upstreams import Upstreams
from api.upstreams.camunda.ownership import LINK_VARIABLES
from api.upstreams.camunda.records import ProcessInstance, Scalar, text
from api.upstreams.retool.records import Draft, Waiting

DRAFTS_LOOKED_AT = 1000
DRAFTS_ENDED = 50
MOST_TOLD = 20
SIDE_BY_SIDE = 4
OUTCOMES = ("rejected", "returned", "conflict", "withdrawn")

_log = logging.getLogger(__name__)

Variables = Mapping[str, Scalar]


@dataclass(frozen=True)
class Sweep:
    """What a sweep saw: how many drafts wait, of how many the process has ended, how many the engine does not know.

    `unlinked`: how many name another draft's process, as copied rows do, so that they are in no approval.
    `last_id`: where the next one goes on; None from the beginning.
    """

    waiting: int
    ended: int
    unknown: int
    unlinked: int
    last_id: str | None


async def sweep(upstreams: Upstreams, settings: Settings, after_id: str | None) -> Sweep | None:
    """Look at the drafts in approval, a thousand at a time, and end those whose process has ended.

    Costs a statement and two requests to the engine; one more of each where any has ended, and for each of them what
    it takes to end it. None while another replica sweeps. A draft whose process the engine does not know at all, or
    whose process is another draft's, is left to who submits it: this may be the wrong engine, or a copied row.
    Raises UpstreamFailed.
    """
    async with upstreams.retool.sweeping_alone() as is_alone:
        if not is_alone:
            return None
        waiting = await upstreams.retool.submitted(after_id, limit=DRAFTS_LOOKED_AT)
        asked = [each.process_id for each in waiting if each.process_id]
        known, links = await asyncio.gather(
            upstreams.camunda.processes_by_id(asked), upstreams.camunda.variables_by_process(asked, LINK_VARIABLES)
        )
        own = upstreams.camunda.own
        linked = [each for each in waiting if own.links(links.get(each.process_id or "", {}), each.id)]
        ended = [each for each in linked if each.process_id in known and not known[each.process_id].is_active]
        await _label(upstreams, [each for each in linked if each not in ended], links)
        await _end_all(upstreams, settings, ended[:DRAFTS_ENDED], known)
    unlinked = [each for each in waiting if each.process_id in known and each not in linked]
    if unlinked:
        _log.warning(
            "drafts name another draft's process", extra={"drafts": [each.id for each in unlinked[:MOST_TOLD]]}
        )
    is_whole = len(waiting) < DRAFTS_LOOKED_AT and len(ended) <= DRAFTS_ENDED
    return Sweep(
        waiting=len(waiting),
        ended=len(ended[:DRAFTS_ENDED]),
        unknown=sum(1 for each in waiting if each.process_id not in known),
        unlinked=len(unlinked),
        last_id=None if is_whole else (ended[DRAFTS_ENDED - 1] if len(ended) > DRAFTS_ENDED else waiting[-1]).id,
    )


async def _label(upstreams: Upstreams, running: Sequence[Waiting], links: Mapping[str, Variables]) -> None:
    """Name this deployment in processes that name none, as older models start them: no worker takes their tasks."""
    unlabelled = [
        each.process_id for each in running if each.process_id and not links[each.process_id].get("draftSource")
    ]
    for process_id in unlabelled[:DRAFTS_ENDED]:
        with suppress(Gone):
            await upstreams.camunda.label(process_id)


async def _end_all(
    upstreams: Upstreams, settings: Settings, ended: Sequence[Waiting], known: Mapping[str, ProcessInstance]
) -> None:
    if not ended:
        return
    drafts, variables = await asyncio.gather(
        upstreams.retool.drafts_by_id([each.id for each in ended]),
        upstreams.camunda.variables_by_process([str(each.process_id) for each in ended]),
    )
    places = asyncio.Semaphore(SIDE_BY_SIDE)

    async def end(draft: Draft, process: ProcessInstance) -> None:
        async with places:
            try:
                await bring_to_end(upstreams, settings, draft, process, variables.get(process.id, {}))
            except ApprovalApiError as failure:
                _log.warning("draft is left for later", extra={"draft": draft.id, "reason": str(failure)})

    found = [drafts[each.id] for each in ended if each.id in drafts]
    still = [draft for draft in found if draft.is_submitted and draft.camunda_process_id in known]
    await asyncio.gather(*(end(draft, known[str(draft.camunda_process_id)]) for draft in still))


async def released(upstreams: Upstreams, settings: Settings, draft: Draft, linked: Linked | None = None) -> Draft:
    """The draft as it now is: one that waits for a process that does not run, or is another draft's, waits no longer.

    `linked`: its process, if that has been read already. Raises UpstreamFailed.
    """
    linked = linked or await linked_process(upstreams, draft)
    if not draft.is_submitted or (linked.process is not None and linked.process.is_active):
        return draft
    await bring_to_end(upstreams, settings, draft, linked.process, linked.variables)
    return await upstreams.retool.draft(draft.id) or draft


async def bring_to_end(
    upstreams: Upstreams, settings: Settings, draft: Draft, process: ProcessInstance | None, variables: Variables
) -> None:
    """Do what a process that is over left undone. Each write is conditional or recognised, so it may be repeated.

    Approved and not published: it is published now, if draft and plan still are what was approved. What came to
    nothing counts as withdrawn, so that its author can submit it again. Raises UpstreamFailed.
    """
    outcome = await _outcome(upstreams, settings, draft, process, variables)
    if outcome in OUTCOMES:
        await upstreams.retool.record_outcome(draft.id, draft.camunda_process_id, outcome)
    telemetry.RECONCILED.labels(outcome).inc()
    _log.info("draft was brought to its end", extra={"draft": draft.id, "outcome": outcome})


async def _outcome(
    upstreams: Upstreams, settings: Settings, draft: Draft, process: ProcessInstance | None, variables: Variables
) -> str:
    said, plan_id = variables.get("approvalOutcome"), variables.get("aidboxPlanId")
    if said == "approved" and plan_id is not None:
        await upstreams.retool.mark_published(draft.id, draft.camunda_process_id, str(plan_id))
        return "approved"
    if said in OUTCOMES:
        return str(said)
    is_approved = variables.get("approved") is True and variables.get("conflictDetected") is not True
    if process is None or process.state != "COMPLETED":
        may_be_published = process is None or is_approved
        return (
            "approved"
            if may_be_published and await _was_published(upstreams, settings, draft, variables)
            else "withdrawn"
        )
    return await _published(upstreams, settings, draft, process, variables) if is_approved else _decided(variables)


async def _was_published(upstreams: Upstreams, settings: Settings, draft: Draft, variables: Variables) -> bool:
    """Whether the process wrote all of its version before it was ended or forgotten; the draft is marked then."""
    process_id, plan_id = draft.camunda_process_id, text(variables.get("aidboxPlanId")) or plan_id_of(draft)
    if process_id is None or not await published_version(upstreams, settings, draft.id, process_id, variables, plan_id):
        return False
    await upstreams.retool.mark_published(draft.id, process_id, plan_id)
    return True


def _decided(variables: Variables) -> str:
    return decided(variables).value.lower()


async def _published(
    upstreams: Upstreams, settings: Settings, draft: Draft, process: ProcessInstance, variables: Variables
) -> str:
    """Publish for a process that is over. It can hold no incident any more: what the store refuses is returned.

    A process that did not note the draft's revision was of the draft as it is, if that was not touched since.
    """
    values = {**variables, "draftId": draft.id, "aidboxPlanId": variables.get("aidboxPlanId") or draft.aidbox_id}
    if values.get("draftRevision") is None and process.end_time and draft.updated_at <= process.end_time:
        values["draftRevision"] = draft.revision
    if values["aidboxPlanId"] is not None and await _is_held(upstreams, settings, draft, str(values["aidboxPlanId"])):
        await upstreams.retool.mark_published(draft.id, process.id, str(values["aidboxPlanId"]))
        return "approved"
    if values["aidboxPlanId"] is not None and values.get("baseVersion") is None:
        return "conflict"
    report = await publish_reviewed(upstreams, settings, process.id, values)
    return "approved" if isinstance(report, Done) else "conflict" if isinstance(report, BpmnError) else "returned"


async def _is_held(upstreams: Upstreams, settings: Settings, draft: Draft, plan_id: str) -> bool:
    """Whether the store says already what the draft says: whoever published it did not get to tell."""
    current = await upstreams.aidbox.plan(plan_id)
    return current is not None and await says_the_same(upstreams, settings, draft, current)
