"""Reconciliation of drafts whose process ended without recording its outcome: one draft, or a sweep over all.

Our own process always records its outcome. A process model without our external tasks does not, and an operator may
delete an instance, or restore a database to an earlier day.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from msgspec.structs import replace

from api import telemetry
from api.coordination.draft_process import Linked, linked_process
from api.coordination.policy import Policy
from api.coordination.process.publish import (
    plan_id_of,
    publish_reviewed,
    published_version,
    record_approval,
    says_the_same,
)
from api.coordination.process.task_result import BpmnError, Done, Incident
from api.errors import Gone, ServiceError
from api.upstreams import Upstreams
from api.upstreams.aidbox.records import PlanVersion
from api.upstreams.camunda.process_variables import LINK_VARIABLES, NO_VARIABLES, Outcome, ProcessVariables
from api.upstreams.camunda.records import ProcessInstance
from api.upstreams.retool.records import Draft, Waiting

DRAFTS_LOOKED_AT = 1000
DRAFTS_ENDED = 50
MOST_LOGGED = 20
SIDE_BY_SIDE = 4
OUTCOMES = (Outcome.REJECTED, Outcome.RETURNED, Outcome.CONFLICT, Outcome.WITHDRAWN)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sweep:
    """The counts of a sweep: drafts that wait, those whose process has ended, those whose process the engine lacks.

    `unlinked`: drafts that name another draft's process, as copied rows do, so that they are in no approval.
    `last_id`: where the next sweep continues; None: from the beginning.
    """

    waiting: int
    ended: int
    unknown: int
    unlinked: int
    last_id: str | None


async def sweep(upstreams: Upstreams, policy: Policy, after_id: str | None) -> Sweep | None:
    """Reconcile the drafts in approval, a thousand at a time. None while another replica sweeps.

    Costs one statement and two requests to the engine; one more of each if any process has ended, and the writes for
    each of those. A draft whose process is unknown to the engine, or is another draft's, stays unchanged until it is
    submitted: this may be the wrong engine, or a copied row. Raises UpstreamFailed.
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
        linked = [each for each in waiting if own.links(links.get(each.process_id or "", NO_VARIABLES), each.id)]
        ended = [each for each in linked if each.process_id in known and not known[each.process_id].is_active]
        await _label(upstreams, [each for each in linked if each not in ended], links)
        await _end_all(upstreams, policy, ended[:DRAFTS_ENDED], known)
    unlinked = [each for each in waiting if each.process_id in known and each not in linked]
    if unlinked:
        _log.warning(
            "drafts name another draft's process", extra={"drafts": [each.id for each in unlinked[:MOST_LOGGED]]}
        )
    is_whole = len(waiting) < DRAFTS_LOOKED_AT and len(ended) <= DRAFTS_ENDED
    return Sweep(
        waiting=len(waiting),
        ended=len(ended[:DRAFTS_ENDED]),
        unknown=sum(1 for each in waiting if each.process_id not in known),
        unlinked=len(unlinked),
        last_id=None if is_whole else (ended[DRAFTS_ENDED - 1] if len(ended) > DRAFTS_ENDED else waiting[-1]).id,
    )


async def _label(upstreams: Upstreams, running: Sequence[Waiting], links: Mapping[str, ProcessVariables]) -> None:
    """Set the source of processes without one, as older models start them: no worker would fetch their tasks."""
    unlabelled = [
        each.process_id for each in running if each.process_id and links[each.process_id].draft_source is None
    ]
    for process_id in unlabelled[:DRAFTS_ENDED]:
        with suppress(Gone):
            await upstreams.camunda.label(process_id)


async def _end_all(
    upstreams: Upstreams, policy: Policy, ended: Sequence[Waiting], known: Mapping[str, ProcessInstance]
) -> None:
    if not ended:
        return
    drafts, variables = await asyncio.gather(
        upstreams.retool.drafts_by_id([each.id for each in ended]),
        upstreams.camunda.variables_by_process([str(each.process_id) for each in ended]),
    )
    slots = asyncio.Semaphore(SIDE_BY_SIDE)

    async def end(draft: Draft, process: ProcessInstance) -> None:
        async with slots:
            try:
                await finish_approval(upstreams, policy, draft, process, variables.get(process.id, NO_VARIABLES))
            except ServiceError as failure:
                _log.warning(
                    "draft could not be brought to its end yet", extra={"draft": draft.id, "reason": str(failure)}
                )

    found = [drafts[each.id] for each in ended if each.id in drafts]
    still = [draft for draft in found if draft.is_submitted and draft.camunda_process_id in known]
    await asyncio.gather(*(end(draft, known[str(draft.camunda_process_id)]) for draft in still))


async def settled_draft(upstreams: Upstreams, policy: Policy, draft: Draft, linked: Linked | None = None) -> Draft:
    """The draft, reconciled if its process does not run or is another draft's.

    `linked`: its process, if that has been read already. Raises UpstreamFailed.
    """
    linked = linked or await linked_process(upstreams, draft)
    if not draft.is_submitted or (linked.process is not None and linked.process.is_active):
        return draft
    await finish_approval(upstreams, policy, draft, linked.process, linked.variables)
    return await upstreams.retool.draft(draft.id) or draft


async def finish_approval(
    upstreams: Upstreams, policy: Policy, draft: Draft, process: ProcessInstance | None, variables: ProcessVariables
) -> None:
    """Do what an ended process left undone. Idempotent: each write is conditional or recognised.

    An approved draft is published now, if draft and plan are still as they were approved. A process without a
    decision counts as withdrawn, so that the author can submit again. Raises UpstreamFailed.
    """
    outcome = await _outcome(upstreams, policy, draft, process, variables)
    if outcome in OUTCOMES:
        await upstreams.retool.record_outcome(draft.id, draft.camunda_process_id, outcome.value)
    telemetry.RECONCILED.labels(outcome.value).inc()
    _log.info("draft was brought to its end", extra={"draft": draft.id, "outcome": outcome.value})


async def _outcome(
    upstreams: Upstreams, policy: Policy, draft: Draft, process: ProcessInstance | None, variables: ProcessVariables
) -> Outcome:
    recorded, plan_id = variables.recorded_outcome, variables.aidbox_plan_id
    if recorded is Outcome.APPROVED and plan_id is not None:
        await upstreams.retool.mark_published(draft.id, draft.camunda_process_id, plan_id)
        return recorded
    if recorded is not None and recorded in OUTCOMES:
        return recorded
    is_approved = variables.decided_outcome is Outcome.APPROVED and variables.withdrawn_by is None
    if process is None or process.state != "COMPLETED":
        may_be_published = process is None or is_approved
        is_published = may_be_published and await _was_published(upstreams, policy, draft, variables)
        return Outcome.APPROVED if is_published else Outcome.WITHDRAWN
    if is_approved:
        return await _published(upstreams, policy, draft, process, variables)
    return variables.unpublished_outcome


async def _was_published(upstreams: Upstreams, policy: Policy, draft: Draft, variables: ProcessVariables) -> bool:
    """Whether the process published everything before it was deleted; if so, the draft is marked as published."""
    process_id, plan_id = draft.camunda_process_id, variables.aidbox_plan_id or plan_id_of(draft)
    if process_id is None:
        return False
    published = await published_version(upstreams, policy, draft.id, process_id, variables, plan_id)
    if published is None:
        return False
    await record_approval(upstreams, draft, process_id, replace(variables, draft_id=draft.id), published)
    await upstreams.retool.mark_published(draft.id, process_id, plan_id)
    return True


async def _published(
    upstreams: Upstreams, policy: Policy, draft: Draft, process: ProcessInstance, variables: ProcessVariables
) -> Outcome:
    """Publish for an ended process. It can hold no incident: a draft that the store refuses is returned to its author.

    A process without a recorded revision was about the draft as it is, if that was not changed since.
    """
    plan_id = variables.aidbox_plan_id or draft.aidbox_id
    values = replace(variables, draft_id=draft.id, aidbox_plan_id=plan_id)
    if values.draft_revision is None and process.end_time and draft.updated_at <= process.end_time:
        values = replace(values, draft_revision=draft.revision)
    if plan_id is not None and (published := await _held(upstreams, policy, draft, plan_id)):
        await record_approval(upstreams, draft, process.id, values, published)
        await upstreams.retool.mark_published(draft.id, process.id, plan_id)
        return Outcome.APPROVED
    if plan_id is not None and values.base_version is None:
        return Outcome.CONFLICT
    match await publish_reviewed(upstreams, policy, process.id, values):
        case Done():
            return Outcome.APPROVED
        case BpmnError():
            return Outcome.CONFLICT
        case Incident():
            return Outcome.RETURNED


async def _held(upstreams: Upstreams, policy: Policy, draft: Draft, plan_id: str) -> PlanVersion | None:
    """The current version, if it contains the draft: it was published, and the record of that was lost."""
    current = await upstreams.aidbox.plan(plan_id)
    return current if current and await says_the_same(upstreams, policy, draft, current) else None
