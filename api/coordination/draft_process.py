"""The process of a draft: the one that its row names, if that process names the draft as well. Read afresh."""

import asyncio
from dataclasses import dataclass

from api.errors import Refused, UpstreamFailed, UserErrorCode
from api.upstreams import Upstreams
from api.upstreams.approval_records import ApprovalRecord, records_by_process
from api.upstreams.camunda.confirmed_history import known_processes, known_variables
from api.upstreams.camunda.process_variables import NO_VARIABLES, ProcessVariables
from api.upstreams.camunda.records import ProcessInstance
from api.upstreams.retool.records import Draft


@dataclass(frozen=True)
class Linked:
    """The process of a draft. None: the row names none, none that the engine has, or another draft's (`is_foreign`)."""

    process: ProcessInstance | None = None
    variables: ProcessVariables = NO_VARIABLES
    is_foreign: bool = False


async def linked_process(upstreams: Upstreams, draft: Draft) -> Linked:
    """The process of a draft: two concurrent requests, none for a draft never submitted.

    One more, to the store, for a process that the engine has forgotten. Raises UpstreamFailed.
    """
    process_id = draft.camunda_process_id
    if process_id is None:
        return Linked()
    processes, variables = await asyncio.gather(
        known_processes(upstreams.camunda, [process_id]), known_variables(upstreams.camunda, [process_id])
    )
    process, values = processes.get(process_id), variables.get(process_id, NO_VARIABLES)
    if process is None and (record := await _recorded(upstreams, process_id)):
        process, values = record.process, record.values
    if upstreams.camunda.own.links(values, draft.id):
        return Linked(process, values)
    return Linked(is_foreign=process is not None)


async def linked_variables(upstreams: Upstreams, draft: Draft) -> ProcessVariables:
    """The variables of a draft's current or last process; none of another draft's. Raises UpstreamFailed."""
    process_id = draft.camunda_process_id
    if process_id is None:
        return NO_VARIABLES
    values = (await known_variables(upstreams.camunda, [process_id])).get(process_id)
    if values is None:
        record = await _recorded(upstreams, process_id)
        values = record.values if record else NO_VARIABLES
    return values if upstreams.camunda.own.links(values, draft.id) else NO_VARIABLES


async def _recorded(upstreams: Upstreams, process_id: str) -> ApprovalRecord | None:
    """What the store has of a process that the engine has forgotten. Raises UpstreamFailed."""
    source = upstreams.camunda.own.draft_source
    record = (await records_by_process(upstreams.aidbox, source, [process_id])).get(process_id)
    if isinstance(record, UpstreamFailed):
        raise record
    return record


def names_another() -> Refused:
    """The refusal for a draft whose row names another draft's process, as a copied row does."""
    message = (
        "This draft is not in approval: its row names another draft's process. Submit it to start its own approval."
    )
    return Refused(UserErrorCode.NOT_SUBMITTED, message, field="draftId")


def stale_revision() -> Refused:
    """The refusal to act on a draft that has changed since the client read it."""
    message = "The draft has changed since you read it; reload it and try again."
    return Refused(UserErrorCode.STALE_REVISION, message, field="revision")
